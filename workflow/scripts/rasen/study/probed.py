"""What probes are asked for: which tasks of which sets, of which models at which points."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from rasen.study.targets import has_sound


def tasks_of_set(config: Mapping[str, Any], model: str, stimuli: str, frames: bool) -> str:
    """The tasks {name: settings} of a model on one stimulus set as JSON: of frames, or of clips."""
    tasks = {
        name: config["tasks"][name]
        for name in config["models"][model]["probes"]
        if config["tasks"][name]["stimuli"] == stimuli
        and (config["tasks"][name]["kind"] == "frames") == frames
    }
    return json.dumps(tasks, sort_keys=True)


def probed_sets(config: Mapping[str, Any], model: str, frames: bool) -> list[str]:
    """The stimulus sets whose clips, or frames, a model is probed on."""
    tasks = [config["tasks"][name] for name in config["models"][model]["probes"]]
    sets = [task["stimuli"] for task in tasks if (task["kind"] == "frames") == frames]
    return list(dict.fromkeys(sets))


def probed_points(config: Mapping[str, Any], points: pd.DataFrame, model: str) -> list[str]:
    """The points of a model at which probes are fitted."""
    visited = list(points.loc[points["model"] == model, "point"].unique())
    wanted = config["probes"]["points"]
    return visited if wanted == "all" else [point for point in wanted if point in visited]


def last_point(config: Mapping[str, Any], points: pd.DataFrame, model: str) -> str:
    """The point whose profiles are drawn: the trained one, where it is probed."""
    visited = probed_points(config, points, model)
    return "trained" if "trained" in visited else visited[-1]


def per_probed_set(config: Mapping[str, Any], points: pd.DataFrame, name: str) -> list[str]:
    """The files `name` of every probed set, its clips, then its frames, at every probed point."""
    return [
        f"results/probes/{model}/{point}/{folder}{name.format(stimuli=stimuli)}"
        for model in config["models"]
        for folder, frames in (("", False), ("frames/", True))
        for stimuli in probed_sets(config, model, frames)
        for point in probed_points(config, points, model)
    ]


def compared_models(config: Mapping[str, Any]) -> list[str]:
    """The models whose layers are compared: those that are probed on that set."""
    settings = config["probes"]["similarity"]
    return [
        model
        for model in config["models"]
        if settings and settings["stimuli"] in probed_sets(config, model, frames=False)
    ]


def per_compared_point(config: Mapping[str, Any], points: pd.DataFrame, pattern: str) -> list[str]:
    """`pattern` for every probed point of the models that are compared."""
    return [
        pattern.format(model=model, point=point)
        for model in compared_models(config)
        for point in probed_points(config, points, model)
    ]


def spectra(config: Mapping[str, Any], stimuli: str) -> str | list[str]:
    """The spectra of a stimulus set, without a network; [] of what has no sound."""
    if not has_sound(config, stimuli):
        return []
    return f"results/spectra/{stimuli}.h5"


def settings(config: Mapping[str, Any]) -> str:
    """How probes are fitted, as JSON: the settings that the probes of this study have."""
    probes = config["probes"]
    unused = {"kinds", "points", "frames", "similarity", "lens", "freezing"}
    if "mlp" not in probes["kinds"]:
        unused.add("hidden")
        if not probes["mix"]:
            unused |= {"epochs", "patience", "batch", "rate"}
    return json.dumps({k: v for k, v in probes.items() if k not in unused}, sort_keys=True)


def freezing(config: Mapping[str, Any]) -> str:
    """How layers above frozen ones are trained, as JSON."""
    given = config["probes"]["freezing"] or {}
    return json.dumps({k: v for k, v in given.items() if k != "points"}, sort_keys=True)


def finetuned_sets(config: Mapping[str, Any], points: pd.DataFrame) -> list[tuple[str, str, str]]:
    """(model, point, set of clips) of every training of layers for tasks."""
    freezing = config["probes"]["freezing"]
    return [
        (model, point, stimuli)
        for model in config["models"]
        for point in (freezing["points"] if freezing else ())
        if point in set(points.loc[points["model"] == model, "point"])
        for stimuli in probed_sets(config, model, frames=False)
    ]


def spectra_per_second(config: Mapping[str, Any], stimuli: str) -> int:
    """Parts of a second whose spectra are needed of a stimulus set; 0: none."""
    tasks = [task for task in config["tasks"].values() if task["stimuli"] == stimuli]
    of_frames = any(task["kind"] == "frames" for task in tasks)
    return config["probes"]["frames"] if of_frames else 0


def sheets_of_frames(config: Mapping[str, Any], model: str, stimuli: str) -> list[str]:
    """The sheets with the times of a model's tasks of frames on one stimulus set."""
    tasks = json.loads(tasks_of_set(config, model, stimuli, frames=True))
    return sorted({task["intervals"] for task in tasks.values()})


def compared_with(config: Mapping[str, Any], model: str, point: str) -> list[str]:
    """Dumps that a point's layers are compared with: the trained one, and, of the trained one,
    those of the models after it."""
    models, settings = compared_models(config), config["probes"]["similarity"]
    others = models[models.index(model) + 1 :] if point == "trained" else [model]
    return [f"results/activations/{name}/trained/{settings['stimuli']}.h5" for name in others]


def lensed_points(config: Mapping[str, Any], points: pd.DataFrame) -> list[tuple[str, str]]:
    """(model, point) of every probed point of models whose loss is measured at every layer."""
    return [
        (name, point)
        for name, model in config["models"].items()
        if config["probes"]["lens"] and model["perplexity"]
        for point in probed_points(config, points, name)
    ]
