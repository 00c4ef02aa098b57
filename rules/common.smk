# Shared by every rule file -- lists of the checked config, and the parameters of jobs.
# The only rule file that defines functions.

import atexit
import json
import re
import shlex
import shutil
from functools import cache, partial


include: "startup.smk"


from rasen.device import visible_cards
from rasen.io.hashes import hash_folder
from rasen.io.json_dataclass import to_json
from rasen.songs import disk, layout
from rasen.stimuli import recordings
from rasen.study import (
    checkpoints,
    cluster_jobs,
    generation,
    made,
    nodes,
    point_files,
    presence,
    probed,
    scoring,
    song_models,
    targets,
)
from rasen.study.downloads import downloads
from rasen.study.own_weights import (
    files_of_checkpoint,
    named_files,
    own_hashes,
    own_weights,
)
from rasen.study.registry import FAMILIES, SONGBLOOM_FILES, SONGBLOOM_READER
from rasen.study.routes import routes_asked
from rasen.study.song_checks import checked_models
from rasen.weights.kept import changed_weights

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
recipe_json = partial(point_files.recipe_json, config)
recipe_before_gradient = partial(point_files.recipe_before_gradient, config)
correction = partial(point_files.correction, config)
managed_weights = partial(point_files.managed_weights, config)
optional_weights = partial(point_files.optional_weights, config)
batch_norm_inputs = partial(point_files.batch_norm_inputs, config)
saes_of_point_before = partial(point_files.saes_of_point_before, config, points)
certificate, corrected = point_files.certificate, point_files.corrected
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


# `rasen ENV SCRIPT ARGS` in a rule's shell is the launcher, wherever the working directory is. The
# prefix takes the place of Snakemake's own, by which a command that fails ends the job.
shell.prefix(
    f'set -euo pipefail; rasen() {{{{ {shlex.quote(str(ROOT / "workflow" / "py"))} "$@"; }}}}; '
)


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


def scored_files(column):
    """A function that returns the files that the sheet {scored} names in a column, those there are."""
    return lambda wildcards: presence.score_files(
        config, wildcards.get("scored", "real"), column
    )


def named_in_sheet(*columns):
    """A function that returns the files that columns name for the songs of {batch}, those there are."""
    return lambda wildcards: presence.present_recordings(
        path for column in columns for path in BATCHES[wildcards.batch][column]
    )


def align_config(wildcards):
    """The config that the songs of a batch are aligned with: without Whisper where all have LRC."""
    return song_models.config_for_lyrics(config, BATCHES[wildcards.batch]["lyrics"])


def song_memory(base):
    """MB per job over songs: `base` plus 10 per second of the longest song, times the number of the attempt."""
    return growing(base + 10 * int(SONGS["longest"]))
