"""Where weights lie: local folders, downloads, and what the workflow makes itself."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rasen.study.points import parse_point
from rasen.study.registry import FAMILIES, SONGBLOOM_FILES

DOWNLOADS = "resources/models"  # where downloads go
PLAIN = (
    "*.json",
    "*.yaml",
    "*.txt",
    "*.model",
    "*.tiktoken",
)  # beside weights: configs, tokenizers
MADE_HERE = {  # folders that a rule makes: the file by which Snakemake knows each
    f"{DOWNLOADS}/nano": "training.json",  # the embedded model, its training run inside
    f"{DOWNLOADS}/demo-muq": "model.safetensors",  # small ones to try the songs with
    f"{DOWNLOADS}/demo-vae": "vae.safetensors",
}
CODEBOOK = "results/sketch/codebook.safetensors"  # that is trained on the songs
RUN_STEPS = "results/songbloom/{run}/weights/step-{{step:06d}}"  # of a training run
_RUN = re.compile(r"results/songbloom/(?P<run>[^/]+)/weights/step-(?P<step>\d+)")
_HUB = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*(/[\w.-]+)?)(@(?P<revision>[\w./-]+))?")


def hub_id(weights: str) -> tuple[str, str | None] | None:
    """(id, revision or None) when `weights` names a checkpoint on the hub, else None.

    A hub id has at most one slash and is neither a folder nor a file here.
    """
    match = _HUB.fullmatch(weights)
    if match and not Path(weights).expanduser().exists():
        return match["id"], match["revision"]
    return None


def local_folder(weights: str) -> str:
    """The local folder of a checkpoint: where it is, or where its download goes."""
    if hub := hub_id(weights):
        name = "--".join(hub[0].split("/"))
        revision = f"@{hub[1].replace('/', '-')}" if hub[1] else ""
        return f"{DOWNLOADS}/{name}{revision}"
    return str(Path(weights).expanduser())


def made_by_rule(weights: str) -> str | None:
    """What a rule makes that brings these weights, if one does: a download's folder, a file."""
    path = local_folder(weights)
    if hub_id(weights):
        return path
    if of_run := step_of_run(path):
        return f"results/songbloom/{of_run[0]}/training.parquet"
    made = [f"{home}/{file}" for home, file in MADE_HERE.items() if Path(path).is_relative_to(home)]
    return made[0] if made else None


def step_of_run(weights: str) -> tuple[str, int] | None:
    """(run, step) where `weights` is a step of a training run of the songs, else None."""
    match = _RUN.fullmatch(weights)
    return (match["run"], int(match["step"])) if match else None


def kept_steps(run: Mapping[str, Any]) -> list[int]:
    """The steps whose weights a training run (an entry of `songbloom.runs`) keeps, ascending."""
    return sorted({0, *run["train"]["keep"], run["train"]["steps"]})


def training_runs(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The training runs of a config, or of a part of it, by their names."""
    return (config.get("songbloom") or {}).get("runs") or {}


def model_weights(config: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(place in the config, weights, patterns of their files) of every checkpoint of the models,
    and of those that training runs go on from."""
    for name, model in config["models"].items():
        family = FAMILIES[model["family"]]
        yield f"models.{name}.weights", model["weights"], family.weight_files
        for option, about in family.options.items():
            if about.weight_files and model[option]:
                yield f"models.{name}.{option}", model[option], about.weight_files
        for step in (model["checkpoints"] or {}).get("steps", []):
            weights = weights_of_checkpoint(model, f"step-{step:06d}")
            yield f"models.{name}.checkpoints.weights", weights, family.weight_files
    for name, run in training_runs(config).items():
        if run["init_from"]:
            yield f"songbloom.runs.{name}.init_from", run["init_from"], SONGBLOOM_FILES


def model_files(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(place in the config, path) of every other file that the models' options name."""
    for name, model in config["models"].items():
        for option, about in FAMILIES[model["family"]].options.items():
            if about.file and model[option]:
                yield f"models.{name}.{option}", model[option]


def optional_weights(model: Mapping[str, Any]) -> list[str]:
    """What a model's options name (a codec), where a rule brings it; and files that are there."""
    options = FAMILIES[model["family"]].options
    named = [model[name] for name, option in options.items() if option.weight_files]
    made = [made for weights in named if weights and (made := made_by_rule(weights))]
    files = [model[name] for name, option in options.items() if option.file and model[name]]
    return made + [file for file in files if file == CODEBOOK or Path(file).is_file()]


def checkpoint_of_point(point: str) -> str:
    """The checkpoint that a point rests on: "trained", or a step."""
    return point if parse_point(point).kind == "step" else "trained"


def weights_of_checkpoint(model: Mapping[str, Any], name: str) -> str:
    """`weights` of a model's checkpoint "trained" or "step-000500"."""
    if name == "trained":
        return model["weights"]
    return model["checkpoints"]["weights"].format(step=int(name.removeprefix("step-")))
