"""The table of all points of a study."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pandas as pd

from rasen.study.points import routes_of_model


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
    # models in the order of the config, which is that of rows; settings in one order always
    routes = {kind: dict(sorted(config["routes"][kind].items())) for kind in ("gradient", "linear")}
    return {"models": models, "routes": routes}
