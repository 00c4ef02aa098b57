"""Settings that contradict each other, or what is known of a model, told before anything runs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rasen.errors import suggestion
from rasen.study.checkpoints import local_folder, model_weights
from rasen.study.registry import FAMILIES, foreign_options
from rasen.study.routes import table_of_points
from rasen.study.song_models import song_weights
from rasen.study.targets import stimulus_sets

PLACE = "config/config.yaml"
LOSS_USES = ("gradient", "perplexity")  # settings of a model that want its loss
SINGLE_SETS = ("gradient", "perplexity", "helix", "sae")  # settings that name one stimulus set


def contradictions(given: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Every mistake that the schema cannot see, with its place and its cure.

    given: the config as written; config: the same with its defaults
    """
    if not config["models"] and not config.get("songs"):
        yield f"{PLACE}: models: none; name a model to measure, or a sheet of songs in `songs`"
    for name, model in config["models"].items():
        for problem in (
            *_unknown_sets(model, config),
            *_of_the_family(given["models"][name], model, config),
            *_of_the_helix(name, model, config),
        ):
            yield f"{PLACE}: models.{name}.{problem}"
        yield from _absent_layers(name, model, config)
    for place, weights, _ in (*model_weights(config), *song_weights(config)):
        path = Path(local_folder(weights))
        if path.is_file():
            yield f"{PLACE}: {place}: {path} is a file; give the folder that has it: {path.parent}"
    period = config["helix"]["period"]
    if isinstance(period, list) and period[0] > period[1]:
        yield f"{PLACE}: helix.period: {period} runs backwards; write {period[::-1]}"
    yield from _unvisited_points(config)
    yield from _of_the_labels(config)


def _sets_of(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(setting, stimulus set) of every set that a model is shown."""
    uses = [(f"activations.{i}", name) for i, name in enumerate(model["activations"])]
    return uses + [(key, name) for key in SINGLE_SETS for name in stimulus_sets(model, key)]


def _unknown_sets(model: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Stimulus sets that the model names and nobody defines."""
    known = list(config["stimuli"])
    for setting, stimuli in _sets_of(model):
        if stimuli not in known:
            yield f"{setting}: no stimulus set '{stimuli}'; {suggestion(stimuli, known)}"


def _of_the_family(
    given: Mapping[str, Any], model: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[str]:
    """What a model's family does not have: a loss, such stimuli, such an option."""
    family = model["family"]
    entry = FAMILIES[family]
    for setting in LOSS_USES:
        if model[setting] and entry.loss is None:
            yield f"{setting}: {family} has no loss that can be measured; set it to null"
    for setting, stimuli in _sets_of(model):
        kind = config["stimuli"].get(stimuli, {}).get("kind")
        if kind and (kind == "text") != (entry.reads == "text"):
            yield f"{setting}: {family} reads {entry.reads}, but '{stimuli}' is of kind {kind}"
    for option, about in foreign_options(family).items():
        if given.get(option, about.schema["default"]) != about.schema["default"]:
            yield f"{option}: {family} has no such setting; take it out"
    for option, about in entry.options.items():
        if about.required and _sets_of(model) and model[option] is None:
            yield f"{option}: is missing ({about.schema['description']})"


def _of_the_helix(name: str, model: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """What prevents the helix of one model."""
    stimuli = model["helix"]
    if stimuli is None:
        return
    if stimuli in config["stimuli"] and stimuli not in model["activations"]:
        yield f"helix: '{stimuli}' is not dumped; add it to models.{name}.activations"
    if config["activations"]["pool"] == "all":
        yield (
            "helix: needs one vector per note, but activations.pool is 'all'; set it to mean or "
            "last, or set this to null"
        )


def _absent_layers(name: str, model: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Layers that a model does not have, where its checkpoint is here to ask."""
    depth = layer_count(model)
    if depth is None:
        return
    asked = {"sae": config["sae"]["layers"]} if model["sae"] else {}
    if model["activations"] and config["activations"]["layers"] != "all":
        asked["activations"] = config["activations"]["layers"]
    for part, layers in asked.items():
        absent = [layer for layer in layers if not -depth - 1 <= layer <= depth]
        if absent:
            listed = ", ".join(map(str, absent))
            yield (f"{PLACE}: {part}.layers: {name} has no layer {listed}; it has 0 to {depth}")


def layer_count(model: Mapping[str, Any]) -> int | None:
    """Layers of a model beside layer 0, by the config.json of its checkpoint; None where that is
    not here yet or does not say."""
    try:
        path = Path(local_folder(model["weights"])) / "config.json"
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    entry = FAMILIES[model["family"]]
    choices = {name: option.schema.get("enum", []) for name, option in entry.options.items()}
    places = {name: known.index(model[name]) for name, known in choices.items() if known}
    for key in entry.layer_keys:
        value = content
        for step in key.format(**places).split("."):
            if isinstance(value, list):
                value = dict(zip(map(str, range(len(value))), value, strict=True))
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, int):
            return value
    return None


def _of_the_labels(config: Mapping[str, Any]) -> Iterator[str]:
    """Labels of features that no stimulus set or model is there for."""
    label = config["sae"]["label"]
    least, greatest = label["rate"]
    if least > greatest:
        yield f"{PLACE}: sae.label.rate: {label['rate']} runs backwards; write {[greatest, least]}"
    for setting, part in (("intervals", "stimuli"), ("answers", "models")):
        known = list(config[part])
        for name in label[setting]:
            if name not in known:
                what = {"stimuli": "stimulus set", "models": "model"}[part]
                yield f"{PLACE}: sae.label.{setting}: no {what} '{name}'; {suggestion(name, known)}"
    for name in label["intervals"]:
        if config["stimuli"].get(name, {}).get("kind") == "text":
            yield (
                f"{PLACE}: sae.label.intervals: '{name}' is text, which has no seconds; take it out"
            )


def _unvisited_points(config: Mapping[str, Any]) -> Iterator[str]:
    """Points of SAEs that no model with SAEs visits."""
    wanted = config["sae"]["points"]
    with_sae = {name: model for name, model in config["models"].items() if model["sae"]}
    if wanted == "all" or not with_sae:
        return
    visited = list(table_of_points({**config, "models": with_sae})["point"].unique())
    for point in wanted:
        if point not in visited:
            yield f"{PLACE}: sae.points: no route visits '{point}'; {suggestion(point, visited)}"
