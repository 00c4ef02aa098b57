"""Settings that contradict each other, or what is known of a model, told before anything runs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rasen.errors import suggestion
from rasen.study.checkpoints import (
    kept_steps,
    local_folder,
    model_weights,
    step_of_run,
    training_runs,
)
from rasen.study.generation import contradictions_of_generation
from rasen.study.registry import FAMILIES, foreign_options
from rasen.study.routes import table_of_points
from rasen.study.scoring import contradictions_of_scores, score_weights
from rasen.study.song_checks import unknown_checksums
from rasen.study.song_models import song_weights
from rasen.study.targets import stimulus_sets

PLACE = "config/config.yaml"
LOSS_USES = ("gradient", "perplexity")  # settings of a model that want its loss
RULES_OF_ANY = ("zeros", "permuted")  # ways to draw theta_init that every family has
# settings of a model, beside `activations` and `probes`, that name stimulus sets
OTHER_SETS = ("gradient", "batch_norm", "perplexity", "helix", "sae")
TIMES = ("beat_f", "boundary_f_0.5", "boundary_f_3")
METRICS = {  # of tasks, by their kind
    "classes": ("accuracy", "macro_f1", "key_score"),
    "numbers": ("r2",),
    "tags": ("average_precision", "roc_auc"),
    "frames": ("accuracy", "macro_f1", *TIMES),
}


def contradictions(given: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Every mistake that the schema cannot see, with its place and its cure.

    given: the config as written; config: the same with its defaults
    """
    if not config["models"] and not config.get("songs"):
        yield f"{PLACE}: models: none; name a model to measure, or a sheet of songs in `songs`"
    for name, model in config["models"].items():
        for problem in (
            *_unknown_sets(model, config),
            *_unknown_tasks(model, config),
            *_of_the_family(given["models"][name], model, config),
            *_of_the_helix(name, model, config),
        ):
            yield f"{PLACE}: models.{name}.{problem}"
        yield from _absent_layers(name, model, config)
    for name, stimuli in config["stimuli"].items():
        if stimuli["kind"] == "windows" and not config.get("songs"):
            yield f"{PLACE}: stimuli.{name}: windows are of songs; name a sheet in `songs`"
    yield from _runs(config)
    wrong_scores = [f"{PLACE}: scores{problem}" for problem in contradictions_of_scores(config)]
    yield from wrong_scores
    for problem in contradictions_of_generation(config):
        yield f"{PLACE}: songbloom.generate{problem}"
    if not wrong_scores:
        yield from (f"{PLACE}: {problem}" for problem in unknown_checksums(config))
    of_scores = [] if wrong_scores else score_weights(config)
    for place, weights, _ in (*model_weights(config), *song_weights(config), *of_scores):
        path = Path(local_folder(weights))
        if path.is_file():
            yield f"{PLACE}: {place}: {path} is a file; give the folder that has it: {path.parent}"
    yield from _absent_steps(config)
    period = config["helix"]["period"]
    if isinstance(period, list) and period[0] > period[1]:
        yield f"{PLACE}: helix.period: {period} runs backwards; write {period[::-1]}"
    yield from _unvisited_points(config, "sae")
    yield from _unvisited_points(config, "probes")
    yield from _unvisited_points(config, "probes", "freezing")
    yield from _of_the_labels(config)
    for name, task in config["tasks"].items():
        for problem in _of_a_task(task, config):
            yield f"{PLACE}: tasks.{name}.{problem}"
    yield from _of_clips(config)


def _sets_of(model: Mapping[str, Any], config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(setting, stimulus set) of every set that a model is shown."""
    uses = [(f"activations.{i}", name) for i, name in enumerate(model["activations"])]
    tasks = [(f"probes.{i}", config["tasks"].get(name)) for i, name in enumerate(model["probes"])]
    uses += [(place, task["stimuli"]) for place, task in tasks if task]
    return uses + [(key, name) for key in OTHER_SETS for name in stimulus_sets(model, key)]


def _runs(config):
    """Training runs of SongBloom without songs, or that keep or share out what they do not have."""
    runs = config["songbloom"]["runs"]
    if runs and not config.get("songs"):
        yield f"{PLACE}: songbloom.runs: trains on songs; name a sheet of them in `songs`"
    for name, chosen in runs.items():
        place, train = f"{PLACE}: songbloom.runs.{name}", chosen["train"]
        if beyond := [step for step in train["keep"] if step > train["steps"]]:
            yield f"{place}.train.keep: {beyond}; the run ends at step {train['steps']}"
        processes = chosen["nodes"] * chosen["processes"]
        share, rest = divmod(train["batch"], processes)
        if rest:
            yield (
                f"{place}.train.batch: {train['batch']} over {processes} processes; take a multiple"
            )
        elif share % train["at_once"]:
            yield (
                f"{place}.train.at_once: {train['at_once']} does not divide the {share} windows "
                "of a process"
            )
        if train["engine"] == "single" and processes > 1:
            yield f"{place}.train.engine: single, with {processes} processes; take fsdp"


def _unknown_sets(model: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Stimulus sets that the model names and nobody defines."""
    known = list(config["stimuli"])
    for setting, stimuli in _sets_of(model, config):
        if stimuli not in known:
            yield f"{setting}: no stimulus set '{stimuli}'; {suggestion(stimuli, known)}"


def _of_the_family(
    given: Mapping[str, Any], model: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[str]:
    """What a model's family does not have: a loss, such stimuli, such an option."""
    family = model["family"]
    entry = FAMILIES[family]
    foreign = [key for key in entry.foreign_targets if config_json(model).get(key)]
    for setting in LOSS_USES:
        if model[setting] and entry.loss is None:
            yield f"{setting}: {family} has no loss that can be measured; set it to null"
        elif model[setting] and foreign:
            yield (
                f"{setting}: the targets of this model's training are not in its checkpoint "
                f"({foreign[0]}), so it has no loss that can be measured; set it to null"
            )
    starts = {"initial": model["initial"]}
    starts |= {f"controls.{name}": start for name, start in model["controls"].items()}
    for setting, start in starts.items():
        if start["rule"] not in (*entry.init_rules, *RULES_OF_ANY):
            yield (
                f"{setting}.rule: {family} has no rule '{start['rule']}'; choose from "
                f"{', '.join((*entry.init_rules, *RULES_OF_ANY))}"
            )
    if model["batch_norm"] and not entry.batch_norm:
        yield f"batch_norm: {family} has no batch norms; set it to null"
    for setting, stimuli in _sets_of(model, config):
        kind = config["stimuli"].get(stimuli, {}).get("kind")
        if kind and (kind == "text") != (entry.reads == "text"):
            yield f"{setting}: {family} reads {entry.reads}, but '{stimuli}' is of kind {kind}"
        elif kind == "windows" and not entry.windows:
            yield (
                f"{setting}: {family} reads {entry.reads}, but '{stimuli}' is of kind windows, "
                "tokens and latents of the songs; take a set of sounds"
            )
    for option, about in foreign_options(family).items():
        if given.get(option, about.schema["default"]) != about.schema["default"]:
            yield f"{option}: {family} has no such setting; take it out"
    for option, about in entry.options.items():
        if about.required and _sets_of(model, config) and model[option] is None:
            yield f"{option}: is missing ({about.schema['description']})"


def _unknown_tasks(model: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Tasks that the model names and nobody defines."""
    known = list(config["tasks"])
    for name in model["probes"]:
        if name not in known:
            yield f"probes: no task '{name}'; {suggestion(name, known)}"


def _of_the_helix(name: str, model: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """What prevents the helix of one model."""
    if model["helix"] is None:
        return
    for stimuli in stimulus_sets(model, "helix"):
        if stimuli in config["stimuli"] and stimuli not in model["activations"]:
            yield f"helix: '{stimuli}' is not dumped; add it to models.{name}.activations"
    if (pool := config["activations"]["pool"]) not in ("mean", "last"):
        yield (
            f"helix: needs one vector per note, but activations.pool is {pool!r}; set it to mean "
            "or last, or set this to null"
        )


def _absent_layers(name: str, model: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """Layers that a model does not have, where its checkpoint is here to ask."""
    depth = layer_count(model)
    if depth is None:
        return
    asked = {"sae": config["sae"]["layers"]} if model["sae"] else {}
    if model["activations"] and config["activations"]["layers"] != "all":
        asked["activations"] = config["activations"]["layers"]
    if model["probes"] and (freezing := config["probes"]["freezing"]):
        asked["probes.freezing"] = freezing["layers"]
    for part, layers in asked.items():
        absent = [layer for layer in layers if not -depth - 1 <= layer <= depth]
        if absent:
            listed = ", ".join(map(str, absent))
            yield (f"{PLACE}: {part}.layers: {name} has no layer {listed}; it has 0 to {depth}")


def _absent_steps(config: Mapping[str, Any]) -> Iterator[str]:
    """Steps of training runs that models and runs name and the runs do not keep."""
    runs = training_runs(config)
    for place, weights, _ in model_weights(config):
        if not (of_run := step_of_run(weights)) or Path(weights).is_dir():
            continue
        name, step = of_run
        if name not in runs:
            yield f"{PLACE}: {place}: no training run '{name}'; {suggestion(name, list(runs))}"
        elif step not in (kept := kept_steps(runs[name])):
            yield (
                f"{PLACE}: {place}: the run '{name}' keeps the steps {', '.join(map(str, kept))}; "
                f"take one of them, or add {step} to songbloom.runs.{name}.train.keep"
            )


def layer_count(model: Mapping[str, Any]) -> int | None:
    """Layers of a model beside layer 0, by the config.json of its checkpoint; None where that is
    not here yet or does not say."""
    content, entry = config_json(model), FAMILIES[model["family"]]
    choices = {name: option.schema.get("enum", []) for name, option in entry.options.items()}
    places = {name: known.index(model[name]) for name, known in choices.items() if known}
    for key in entry.layer_keys:
        value: Any = content
        for step in key.format(**places).split("."):
            if isinstance(value, list):
                value = dict(zip(map(str, range(len(value))), value, strict=True))
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, int):
            return value
    return None


def config_json(model: Mapping[str, Any]) -> dict[str, Any]:
    """The config.json of a model's checkpoint; empty where that is not here yet."""
    try:
        path = Path(local_folder(model["weights"])) / "config.json"
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


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


def _unvisited_points(config: Mapping[str, Any], subject: str, *parts: str) -> Iterator[str]:
    """Points of SAEs or probes, or of a part of these, that no model that has them visits."""
    settings = config[subject]
    for part in parts:
        settings = settings[part]
    if settings is None:
        return
    wanted, place = settings["points"], ".".join((subject, *parts, "points"))
    having = {name: model for name, model in config["models"].items() if model[subject]}
    if wanted == "all" or not having:
        return
    visited = list(table_of_points({**config, "models": having})["point"].unique())
    for point in wanted:
        if point not in visited:
            yield f"{PLACE}: {place}: no route visits '{point}'; {suggestion(point, visited)}"


def _of_a_task(task: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    """What contradicts itself in one entry of `tasks`."""
    known, kind = list(config["stimuli"]), task["kind"]
    if task["stimuli"] not in known:
        found = suggestion(task["stimuli"], known)
        yield f"stimuli: no stimulus set '{task['stimuli']}'; {found}"
    if kind == "frames" and task["intervals"] is None:
        yield "intervals: is missing (frames need a sheet with their times)"
    if kind != "frames" and task["intervals"] is not None:
        yield f"intervals: {kind} are of whole clips; take it out, or set kind: frames"
    if kind == "frames" and config["stimuli"].get(task["stimuli"], {}).get("kind") == "text":
        yield "kind: text has no seconds; take classes, numbers or tags"
    if not isinstance(task["label"], str) and kind != "tags":
        yield f"label: {kind} have one column; name it, or set kind: tags"
    for metric in task["metrics"] or ():
        if metric not in METRICS[kind]:
            yield f"metrics: {metric} is not for {kind}; take {', '.join(METRICS[kind])}"
    times = [metric for metric in task["metrics"] or () if metric in TIMES]
    if times and len(times) < len(task["metrics"]):
        yield f"metrics: {times[0]} scores times and the others labels; write two tasks"
    if kind != "frames" and (pool := config["activations"]["pool"]) not in ("mean", "last"):
        yield (
            f"kind: {kind} need one vector per clip, but activations.pool is {pool!r}; set that "
            "to mean or last"
        )


def _of_clips(config: Mapping[str, Any]) -> Iterator[str]:
    """What probes of clips are asked for that no model has: a set to compare, a task to train."""
    settings = config["probes"]["similarity"]
    probed = {
        config["tasks"][task]["stimuli"]
        for model in config["models"].values()
        for task in model["probes"]
        if task in config["tasks"] and config["tasks"][task]["kind"] != "frames"
    }
    if settings and settings["stimuli"] not in probed:
        yield (
            f"{PLACE}: probes.similarity.stimuli: no model is probed on clips of "
            f"'{settings['stimuli']}'; {suggestion(settings['stimuli'], sorted(probed))}"
        )
    if config["probes"]["freezing"] and not probed:
        yield (
            f"{PLACE}: probes.freezing: no model has a task of clips (classes, numbers, tags) to "
            "train for, and those of frames are left out; set it to null"
        )
