"""The table of all points of a study."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pandas as pd

from rasen.study.points import one_or_more, routes_of_model


def table_of_points(config: Mapping[str, Any]) -> pd.DataFrame:
    """Every (model, route, point, position) that the config asks for."""
    parts = [pd.DataFrame(columns=["model", "route", "point", "position"])]
    for name, model in config["models"].items():
        routes = deepcopy(config["routes"])
        if not model["gradient"]:  # no data, no gradient
            routes["gradient"]["positions"] = []
        parts.append(routes_of_model(name, routes, model["checkpoints"], model["controls"]))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def routes_asked(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a config from which its points follow: short, however many points there are."""
    models = {}
    for name, model in config["models"].items():
        run = model["checkpoints"]
        models[name] = {
            "gradient": bool(model["gradient"]),
            "controls": list(model["controls"]),
            "checkpoints": run and {key: run[key] for key in ("steps", "untrained", "trained")},
        }
    # What gives equal points is one text: alphas as a set, and of step sizes and numbers of steps
    # not the first, which no point is named after.
    linear, gradient = config["routes"]["linear"], config["routes"]["gradient"]
    alphas = sorted({*linear["whole"], *linear["near"]})
    controls = any(model["controls"] for model in models.values())
    corrected = any(model["gradient"] for model in models.values())
    routes = {
        "linear": {"near": alphas, "whole": sorted(linear["whole"]) if controls else []},
        "gradient": {
            "positions": sorted(gradient["positions"]) if corrected else [],
            "eta": [1, *one_or_more(gradient["eta"])[1:]],
            "steps": [1, *one_or_more(gradient["steps"])[1:]],
            "controls": gradient["controls"],
        },
    }
    return {"models": models, "routes": routes}  # models in the order of the config, that of rows
