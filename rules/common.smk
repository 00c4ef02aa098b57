# Shared by every rule file -- the checked config, the table of points, the parameters of jobs.
# The only rule file that defines functions.

import atexit
import json
import os
import re
import shlex
import shutil
import sys
import time
from functools import cache, partial
from pathlib import Path

import psutil
import snakemake.benchmark
import snakemake.jobs
from snakemake.exceptions import WorkflowError
from snakemake.persistence.db import DbPersistence

# Relative to this file, not to the main Snakefile: another workflow may use this one as a module.
ROOT = Path(workflow.current_basedir).resolve().parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
os.environ.update(RASEN_CHECKOUT=str(ROOT))  # for envs/*.post-deploy.sh

from rasen.device import visible_cards
from rasen.errors import RasenError
from rasen.io.group import keep_group_rights
from rasen.io.hashes import hash_folder
from rasen.io.json_dataclass import to_json
from rasen.songs import corpus, disk, layout
from rasen.stimuli import recordings
from rasen.study import (
    archive,
    checkpoints,
    cluster_jobs,
    config as configs,
    generation,
    made,
    nodes,
    planned,
    presence,
    probed,
    recipe,
    scoring,
    song_models,
    targets,
)
from rasen.study.cluster_plugin import settle_cluster
from rasen.study.config_file import require_plain
from rasen.study.downloads import downloads
from rasen.study.own_weights import (
    files_of_checkpoint,
    named_files,
    own_hashes,
    own_weights,
)
from rasen.study.points import linear_point, parse_point
from rasen.study.records import tell_why_not_written
from rasen.study.registry import FAMILIES, SONGBLOOM_FILES, SONGBLOOM_READER
from rasen.study.retries import stop_vain_retries
from rasen.study.routes import routes_asked, table_of_points
from rasen.study.slurm_status import settle_status_command
from rasen.study.song_checks import checked_models
from rasen.study.warm_start import count_warm_jobs, offer_warm_start
from rasen.weights.kept import changed_weights

# Snakemake files its records under the path of the working directory. With a fixed name they remain
# valid for results that are copied, moved or unpacked elsewhere.
DbPersistence.namespace = property(
    lambda self: archive.NAMESPACE, lambda self, path: None
)
tell_why_not_written(DbPersistence, WorkflowError)

if {"{", "}"} & set(str(ROOT)):
    raise WorkflowError(
        f"{ROOT}: Snakemake takes braces in a path for variables; move it"
    )

BEGUN = time.time()
CODES = []  # of all jobs that were planned
stop_vain_retries(snakemake.jobs, BEGUN)
offer_warm_start(os.environ, local=not workflow.remote_exec)
count_warm_jobs(snakemake.benchmark, psutil)
if slurm := sys.modules.get("snakemake_executor_plugin_slurm"):
    settle_status_command(slurm)
if generic := sys.modules.get("snakemake_executor_plugin_cluster_generic"):
    settle_cluster(generic, ROOT / "workflow/cluster")

try:
    require_plain([*workflow.configfiles, "config/config.yaml"])
except RasenError as error:
    raise WorkflowError(str(error)) from None


configfile: "config/config.yaml"


# A job on a cluster's node reads the config as it was when its run was planned.
PLAN = None if workflow.is_main_process else planned.plan_of_run(os.environ)
try:
    if PLAN:
        planned.require_same_files(PLAN)
        config = PLAN.config
    else:
        config = configs.load_config(
            config, ROOT / "workflow/schemas/config.schema.yaml"
        )
    points = table_of_points(config)
    SONGS = config.get("songs")
    SCORES = config.get("scores")
    BATCHES = corpus.song_batches(SONGS)
except RasenError as error:
    raise WorkflowError(str(error)) from None

Path("results").mkdir(exist_ok=True)  # Snakemake keeps its provenance database there
keep_group_rights("results")

MODELS = config["models"]
SHEETS = [Path(SONGS["sheet"])] if SONGS else []  # what else is read to plan a run
CARDS = visible_cards()
if CARDS and workflow.global_resources["_nodes"].value is None:  # not on a cluster
    # Without --resources gpu=N: as many jobs on GPUs at a time as this machine has GPUs.
    workflow.global_resources.setdefault("gpu", len(CARDS))
SAE_GRID = {key: config["sae"][key] for key in configs.SAE_GRID if key in config["sae"]}
LABEL = config["sae"]["label"]
CLAP = LABEL["clap"] or {}
per_point = partial(targets.per_point, config, points)
per_sae_layer = partial(targets.per_sae_layer, config, points)
SAE_SEEDS = targets.sae_seeds(config)
SHARDS = config["sae"]["shards"]
sae_points = partial(targets.sae_points, config, points)
per_batch = partial(targets.per_batch, BATCHES)
song_settings = partial(song_models.song_settings, SONGS)
song_model_files = partial(song_models.song_model_files, config)
SONG_WEIGHTS = checked_models(config)  # place in the config -> model
DOWNLOADS = downloads(
    config
)  # folder in resources/models/ -> (hub id, patterns of files)


# stimulus sets that are windows of the songs, and all others
WINDOWS = [
    name for name, entry in config["stimuli"].items() if entry["kind"] == "windows"
]
RENDERED = [name for name in config["stimuli"] if name not in WINDOWS]


# `rasen ENV SCRIPT ARGS` in a rule's shell is the launcher, wherever the working directory is.
shell.prefix(f'rasen() {{{{ {shlex.quote(str(ROOT / "workflow" / "py"))} "$@"; }}}}; ')


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)) or "none",
    point="|".join(map(re.escape, points["point"].unique())) or "none",
    stimuli="|".join(config["stimuli"]) or "none",
    batch="[0-9]{5}",
    scored="|".join([*SCORES["sheets"], *scoring.REFERENCES]) if SCORES else "none",
    checkpoint="trained|step-[0-9]+",
    layer="[0-9]+",
    shard="[0-9]+",
    sae_seed="[0-9]+",


def environment(wildcards):
    """The environment of jobs that load the model {model}: that of its family."""
    return FAMILIES[MODELS[wildcards.model]["family"]].environment


def reads(wildcards):
    """What a stimulus is to {model}: "text" or "audio"."""
    return FAMILIES[MODELS[wildcards.model]["family"]].reads


def encoding(wildcards):
    """The environment of jobs that encode stimuli for {model}, which need its codecs alone."""
    family = FAMILIES[MODELS[wildcards.model]["family"]]
    return family.encoding or family.environment


def conda_file(wildcards, of=environment):
    """The same for conda users."""
    return str(ROOT / "envs" / f"{of(wildcards)}.yaml")


def code(script, env="core"):
    """Hash of the code that a job runs: script, modules, the model's family, and the environment's pins.

    env: name of the environment, or `environment` (`encoding`) for that of the job's model
    """

    def of_job(wildcards):
        name = env(wildcards) if callable(env) else env
        family = (
            [FAMILIES[MODELS[wildcards.model]["family"]].module]
            if callable(env)
            else []
        )
        return hash_of_code(name, script, *family)

    return of_job


@cache
def hash_of_code(env, script, *modules):
    """The same for an environment, a script and a family, found once for thousands of jobs."""
    CODES.append(planned.code_of(env, script, *modules))
    return CODES[-1].hash


def settings(*keys):
    """A part of the config as JSON, for a command line."""
    part = config
    for key in keys:
        part = part[key]
    return json.dumps(part, sort_keys=True)


def window_settings(wildcards):
    """The settings of {stimuli}, a set of windows, as JSON."""
    chosen = config["stimuli"][wildcards.stimuli]
    return json.dumps({k: v for k, v in chosen.items() if k != "kind"}, sort_keys=True)


def given(*names):
    """Arguments of a command line for those inputs of the rule that there are."""
    return lambda wildcards, input: shlex.join(
        argument
        for name in names
        if input.get(name)
        for argument in (f"--{name}", str(input.get(name)))
    )


def of_model(key):
    """A function that returns one setting of the job's model."""
    return lambda wildcards: MODELS[wildcards.model][key]


def of_notes(pattern):
    """`pattern` for each set of notes to which the job's model has the helix fitted, in their order."""
    return lambda wildcards: [
        pattern.format(stimuli=stimuli, **wildcards)
        for stimuli in targets.stimulus_sets(MODELS[wildcards.model], "helix")
    ]


def growing(amount):
    """A number, or the setting with that name of the job's model, times the number of the attempt."""
    return lambda wildcards, attempt: attempt * (
        MODELS[wildcards.model][amount] if isinstance(amount, str) else amount
    )


def gpus(wildcards):
    """1 if the job's model (that of songs, or CLAP) runs on a GPU, otherwise 0."""
    uses = {"auto": bool(CARDS), "cuda": True, "cpu": False}
    if "model" in wildcards.keys():
        return int(uses[MODELS[wildcards.model]["device"]])
    return int(
        uses[
            (
                CLAP.get("device", "auto")
                if "stimuli" in wildcards.keys()
                else SONGS["device"]
            )
        ]
    )


def run_gpus(wildcards):
    """GPUs of a training run, one for each of its processes, or none; `gres` asks on several nodes."""
    training = config["songbloom"]["runs"][wildcards.run]
    alone = training["nodes"] == 1
    return training["processes"] * on_gpu(training["device"]) if alone else None


def of_nodes(resource):
    """A resource of a training run's job by which SLURM gives it several nodes; unset for one node."""

    def of_job(wildcards):
        training = config["songbloom"]["runs"][wildcards.run]
        asked = nodes.node_resources(training, bool(on_gpu(training["device"])))
        return asked.get(resource)

    return of_job


def on_gpu(device):
    """1 if a setting `device` means a GPU here, otherwise 0."""
    return int({"auto": bool(CARDS), "cuda": True, "cpu": False}[device])


def model_gpus(wildcards):
    """The same for jobs that run the model itself, which may be divided over several GPUs."""
    return gpus(wildcards) * MODELS[wildcards.model]["gpus"]


def recipe_json(stage=""):
    """The recipe of the weights of {model} at {point}, with the options that a stage needs."""

    def of_job(wildcards):
        model, point = MODELS[wildcards.model], "trained"
        file, steps, statistics = [], None, []
        if "point" in wildcards.keys():
            point, file, steps, statistics = (
                wildcards.point,
                corrected(wildcards),
                correction(wildcards),
                batch_norm_inputs(wildcards),
            )
        return to_json(
            recipe.recipe_of_point(
                model, point, stage, file or None, steps, statistics or None
            )
        )

    return of_job


def recipe_before_gradient(wildcards):
    """The recipe of the linear point that a gradient point starts from."""
    after = parse_point(wildcards.point)
    before = linear_point(after.position, after.start).name
    statistics = batch_norm_inputs(wildcards) or None
    return to_json(
        recipe.recipe_of_point(
            MODELS[wildcards.model], before, "gradient", statistics=statistics
        )
    )


def correction(wildcards):
    """The gradient steps that lead to {point}; None for other points."""
    return recipe.correction_of_point(
        MODELS[wildcards.model], wildcards.point, config["routes"]["gradient"]
    )


def managed_weights(wildcards):
    """The file or folder of the checkpoint if a rule makes it; the user's own folders are not inputs."""
    point = wildcards.get("point", "trained")
    name = wildcards.get("checkpoint", checkpoints.checkpoint_of_point(point))
    weights = checkpoints.weights_of_checkpoint(MODELS[wildcards.model], name)
    return checkpoints.made_by_rule(weights) or []


def optional_weights(wildcards):
    """The same for what the model's options name (a codec)."""
    return checkpoints.optional_weights(MODELS[wildcards.model])


def certificate(wildcards):
    """The certificate of the checkpoint that a point is made from."""
    name = checkpoints.checkpoint_of_point(wildcards.point)
    return f"results/weights/{wildcards.model}/{name}.json"


def corrected(wildcards):
    """The corrected weights of a gradient point; empty for other points."""
    if parse_point(wildcards.point).kind == "gradient":
        return f"results/gradient/{wildcards.model}/{wildcards.point}.safetensors"
    return []


def batch_norm_inputs(wildcards):
    """The clips on which batch norms of a blended point are estimated anew; [] where they are blended."""
    stimuli = MODELS[wildcards.model]["batch_norm"]
    blended = parse_point(wildcards.point).kind in ("linear", "gradient")
    return (
        f"results/inputs/{wildcards.model}/{stimuli}.h5" if stimuli and blended else []
    )


def saes_of_point_before(wildcards):
    """The SAEs of the point before, for a warm start; without one, nothing."""
    point = targets.point_before(config, points, wildcards.model, wildcards.point)
    if point is None:
        return []
    return (
        f"results/sae/{wildcards.model}/{point}/layer-{wildcards.layer}/metrics.parquet"
    )


def scored_files(column):
    """A function that returns the files that the sheet {scored} names in a column, those there are."""
    return lambda wildcards: presence.score_files(
        config, wildcards.get("scored", "real"), column
    )


def align_config(wildcards):
    """The config that the songs of a batch are aligned with: without Whisper where all have LRC."""
    return song_models.config_for_lyrics(config, BATCHES[wildcards.batch]["lyrics"])


def song_memory(base):
    """MB per job over songs: `base` plus 10 per second of the longest song, times the number of the attempt."""
    return growing(base + 10 * int(SONGS["longest"]))
