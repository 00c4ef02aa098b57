"""Where weights lie: local folders, downloads, and what the workflow makes itself."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rasen.study.points import parse_point
from rasen.study.registry import FAMILIES

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
    made = [f"{home}/{file}" for home, file in MADE_HERE.items() if Path(path).is_relative_to(home)]
    return made[0] if made else None


def model_weights(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(place in the config, weights, family) of every checkpoint that the models name."""
    for name, model in config["models"].items():
        family = model["family"]
        yield f"models.{name}.weights", model["weights"], family
        for option, entry in FAMILIES[family].options.items():
            if entry.checkpoint_of and model[option]:
                yield f"models.{name}.{option}", model[option], entry.checkpoint_of
        for step in (model["checkpoints"] or {}).get("steps", []):
            weights = weights_of_checkpoint(model, f"step-{step:06d}")
            yield f"models.{name}.checkpoints.weights", weights, family


def optional_weights(model: Mapping[str, Any]) -> list[str]:
    """Checkpoints that a model's own options name (a codec), where a rule brings them."""
    options = FAMILIES[model["family"]].options
    named = [model[name] for name, option in options.items() if option.checkpoint_of]
    return [made for weights in named if weights and (made := made_by_rule(weights))]


def checkpoint_of_point(point: str) -> str:
    """The checkpoint that a point rests on: "trained", or a step."""
    return point if parse_point(point).kind == "step" else "trained"


def weights_of_checkpoint(model: Mapping[str, Any], name: str) -> str:
    """`weights` of a model's checkpoint "trained" or "step-000500"."""
    if name == "trained":
        return model["weights"]
    return model["checkpoints"]["weights"].format(step=int(name.removeprefix("step-")))
