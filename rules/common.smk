# Shared by every rule file -- the checked config, the table of points, the parameters of jobs.
# The only file here with functions in it.

import json
import re
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path

from snakemake.exceptions import WorkflowError

HOUSE = Path(workflow.basedir).resolve()
if HOUSE.name == "workflow":  # entered through workflow/Snakefile
    HOUSE = HOUSE.parent
sys.path.insert(0, str(HOUSE / "workflow" / "scripts"))

from rasen import config as schema, fingerprint, places, plan, provenance
from rasen.errors import RasenError
from rasen.config import GRID
from rasen.points import linear, parse as parse_point
from rasen.songs import corpus
from rasen.stimuli import sheets


try:
    schema.refuse_templates([*workflow.configfiles, "config/config.yaml"])
except RasenError as error:
    raise WorkflowError(str(error)) from None


configfile: "config/config.yaml"


try:
    config = schema.load(config, HOUSE / "workflow/schemas/config.schema.yaml")
    points = schema.table_of_points(config)
    SONGS = config.get("songs")
    BATCHES = corpus.batches(SONGS)
    provenance.adopt("results/.provenance.sqlite", Path(), "--unlock" in sys.argv)
except RasenError as error:
    raise WorkflowError(str(error)) from None

Path("results").mkdir(exist_ok=True)  # Snakemake keeps its provenance database in there

MODELS = config["models"]
SAE_GRID = {key: config["sae"][key] for key in GRID}
walked = partial(plan.walked, config, points)
of_saes = partial(plan.of_saes, config, points)
sae_points = partial(plan.sae_points, config, points)
of_songs = partial(plan.of_songs, BATCHES)
song_settings = partial(plan.song_settings, SONGS)
song_models = partial(places.song_files, config)
HUB = places.downloads(config)  # folder below resources/models/ -> (hub id, family)


# `rasen ENV SCRIPT ARGS` in a rule's shell is the launcher, wherever the working directory is.
shell.prefix(f'rasen() {{{{ {shlex.quote(str(HOUSE / "workflow" / "py"))} "$@"; }}}}; ')


wildcard_constraints:
    model="|".join(map(re.escape, MODELS)),
    point="|".join(map(re.escape, points["point"].unique())),
    stimuli="|".join(config["stimuli"]) or "none",
    batch="[0-9]{5}",
    checkpoint="trained|step-[0-9]+",
    layer="[0-9]+",


def code(script, env="core"):
    """Hash of what a job runs: script, modules, the model's family, and the environment's pins."""

    def of_job(wildcards):
        model = wildcards.get("model")
        family = [f"rasen.families.{MODELS[model]['family']}"] if model else []
        pins = fingerprint.file(HOUSE / "envs" / f"{env}.txt")[:16]
        return f"{fingerprint.code(script, *family)}-{pins}"

    return of_job


def settings(*keys):
    """A part of the config as JSON, for a command line."""
    part = config
    for key in keys:
        part = part[key]
    return json.dumps(part, sort_keys=True)


def of_model(key):
    """A function that gives one setting of the job's model."""
    return lambda wildcards: MODELS[wildcards.model][key]


def growing(amount):
    """A number, or the setting of that name of the job's model, times the attempt."""
    return lambda wildcards, attempt: attempt * (
        MODELS[wildcards.model][amount] if isinstance(amount, str) else amount
    )


def gpus(wildcards):
    """1 where the model (or those of the songs) runs on a GPU."""
    found = {"auto": bool(shutil.which("nvidia-smi")), "cuda": True, "cpu": False}
    setup = MODELS[wildcards.model] if "model" in wildcards.keys() else SONGS
    return int(found[setup["device"]])


def recipe(*options):
    """How the weights of {model} at {point} come about, as JSON (rasen.families.walk.open_at)."""

    def of_job(wildcards):
        point = wildcards.get("point", "trained")
        file = corrected(wildcards) if "point" in wildcards.keys() else []
        model = MODELS[wildcards.model]
        return json.dumps(places.recipe(model, point, options, file or None))

    return of_job


def recipe_before_gradient(wildcards):
    """The recipe of the linear point that a gradient point starts from."""
    point = linear(parse_point(wildcards.point).position).name
    return json.dumps(places.recipe(MODELS[wildcards.model], point))


def managed_weights(wildcards):
    """What brings the checkpoint where a rule makes it; the user's own folders are no input."""
    point = wildcards.get("point", "trained")
    name = wildcards.get("checkpoint", places.checkpoint(point))
    return places.made_by_workflow(places.weights_of(MODELS[wildcards.model], name))


def managed_codec(wildcards):
    """What brings a codec given apart from its model, where a rule makes it."""
    codec = MODELS[wildcards.model]["codec"]
    return places.made_by_workflow(codec) if codec else []


def certificate(wildcards):
    """The certificate of the checkpoint that a point rests on."""
    name = places.checkpoint(wildcards.point)
    return f"results/weights/{wildcards.model}/{name}.json"


def corrected(wildcards):
    """The corrected weights of a gradient point; nothing for any other."""
    if parse_point(wildcards.point).kind == "gradient":
        return f"results/gradient/{wildcards.model}/{wildcards.point}.safetensors"
    return []


def song_memory(base):
    """MB of a job over songs: so much, and 10 a second of the longest song, times the attempt."""
    return growing(base + 10 * int(SONGS["longest"]))
