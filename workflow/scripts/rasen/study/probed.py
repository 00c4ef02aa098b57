"""What probes are asked for: which tasks of which sets, of which models at which points."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd


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


def per_probed_set(
    config: Mapping[str, Any], points: pd.DataFrame, pattern: str, frames: bool,
    models: list[str] | None = None,
) -> list[str]:  # fmt: skip
    """`pattern` for every probed set at every probed point of every model."""
    return [
        pattern.format(model=model, point=point, stimuli=stimuli)
        for model in models or config["models"]
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
    """The spectra of a stimulus set, without a network; [] of text, which has none."""
    if config["stimuli"][stimuli]["kind"] == "text":
        return []
    return f"results/spectra/{stimuli}.h5"
