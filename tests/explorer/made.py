"""Tables as the workflow makes them, of any size; notes wind up to a helix along a route."""

from pathlib import Path

import numpy as np
import pandas as pd
from write_explorer import write_explorer

VERDICTS = ["no structure", "smooth path", "octave"]


def route_table(model="nano", route="linear", points=5):
    """Points of a route in their order."""
    names = [f"{route}-{place:.3f}" for place in np.linspace(0, 1, points)]
    names[0], names[-1] = "untrained", "trained"
    return pd.DataFrame(
        {
            "model": model,
            "route": route,
            "point": names[:points],
            "position": np.linspace(0, 1, points),
        }
    )


def perplexity_table(points):
    """One row per point and group."""
    tables = []
    for group in ("codebook-0", "mean"):
        value = 100 * np.exp(-2 * points["position"] / max(points["position"].max(), 1))
        tables.append(
            points.assign(group=group, perplexity=value, low=0.95 * value, high=1.05 * value)
        )
    return pd.concat(tables, ignore_index=True)


def helix_table(points, layers=3, stimuli="notes"):
    """Fits of all layers, and of one set of features without a network."""
    rows = points.merge(pd.DataFrame({"layer": range(layers)}), how="cross")
    rows["features"] = "network"
    alone = points.iloc[:1].assign(
        route="baseline", point="log-mel", position=np.nan, layer=-1, features="log-mel"
    )
    rows = pd.concat([rows, alone], ignore_index=True)
    formed = rows["position"].fillna(0.3) * (1 + rows["layer"].clip(0)) / layers
    rows["stimuli"] = stimuli
    rows["verdict"] = np.array(VERDICTS)[np.minimum(2, (formed * 3).astype(int))]
    rows["helicality"] = 0.4 + formed
    rows["pooled"] = 0.5 + formed
    for name, by in (("low", 0.9), ("high", 1.1)):
        rows[name] = by * rows["helicality"]
        rows[f"pooled_{name}"] = by * rows["pooled"]
    numbers = {
        "instruments": 4, "keys": 36, "lowest": 48, "period": 12.1, "pooled_period": 12.0,
        "octave_q": 0.0004, "order_q": 0.0002, "held_out_octave": 0.9, "random_mean": 0.37,
        "random_95": 0.4, "smooth_50": 0.44, "smooth_95": 0.52,
    }  # fmt: skip
    return rows.assign(**numbers)


def notes_and_curves(points, layers=3, instruments=4, keys=36, stimuli="notes", lowest=48):
    """`helix_notes` and `helix_curves`: a cloud at first, a helix at last."""
    random = np.random.default_rng(0)
    names = ["pooled", *(f"instrument {number}" for number in range(instruments))]
    count = len(points)
    shape = (count, layers, len(names), keys)
    position = points["position"].to_numpy() / max(points["position"].max(), 1)
    formed = position[:, None, None, None] * np.linspace(0.4, 1, layers)[:, None, None]
    key = np.arange(keys)
    angle, height = 2 * np.pi * key / 12, key / keys - 0.5
    noise = 0.5 * (1 - formed) + 0.05 * (np.arange(len(names)) > 0)[:, None]
    xyz = [
        (0.3 + 0.6 * formed) * target + noise * random.standard_normal(shape)
        for target in (np.cos(angle), np.sin(angle), 2 * height)
    ]
    index = pd.MultiIndex.from_product(
        [range(count), range(layers), names, range(lowest, lowest + keys)],
        names=["place", "layer", "instrument", "pitch"],
    )
    frame = pd.DataFrame(dict(zip("xyz", (a.ravel().astype("f4") for a in xyz), strict=True)))
    for level in index.names:
        frame[level] = index.get_level_values(level)
    notes = _named(frame, points, stimuli).rename_axis(None)
    notes["key"] = notes["pitch"] - lowest
    curves = notes[notes["key"] == 0].drop(columns=["key", "pitch", "x", "y", "z"])
    strength = np.broadcast_to(formed, (count, layers, len(names), 1)).ravel()
    curves = curves.assign(
        omega=2 * np.pi / 12, turn=0.0, radius=0.3 + 0.6 * strength, radius_slope=0.0,
        level=-0.3 - 0.6 * strength, rise=2 * (0.3 + 0.6 * strength) / keys,
        lowest=lowest, keys=keys,
    )  # fmt: skip
    return notes, curves


def _named(frame, points, stimuli):
    """Names in the place of the number of a point."""
    columns = points.iloc[frame.pop("place").to_numpy()].reset_index(drop=True)
    return pd.concat([columns, frame], axis=1).assign(stimuli=stimuli, features="network")


def probes_table(points, layers=3):
    """Two tasks, with permuted labels and features without a network."""
    rows = points.merge(pd.DataFrame({"layer": range(layers)}), how="cross")
    rows = rows.merge(pd.DataFrame({"row": ["probe", "permuted"]}), how="cross")
    rows = rows.merge(pd.DataFrame({"task": ["pitch_class", "instrument"]}), how="cross")
    rows["features"] = "network"
    best = 0.2 + 0.6 * rows["position"] * (1 + rows["layer"]) / layers
    rows["value"] = best.where(rows["row"] == "probe", 0.1)
    alone = rows[(rows["layer"] == 0) & (rows["row"] == "probe")]
    alone = alone.assign(layer=pd.NA, features="log-mel", value=0.45)
    rows = pd.concat([rows, alone], ignore_index=True)
    rows["layer"] = rows["layer"].astype("Int64")
    rows["low"], rows["high"] = rows["value"] - 0.05, rows["value"] + 0.05
    return rows.assign(kind="ridge", split="grouped", metric="accuracy", chance=0.083)


def similarity_table(points, layers=3):
    """All layers of a point with each other."""
    rows = points[["model", "point"]].drop_duplicates()
    rows = rows.merge(pd.DataFrame({"layer": range(layers)}), how="cross")
    rows = rows.merge(pd.DataFrame({"layer_2": range(layers)}), how="cross")
    rows = rows[rows["layer"] < rows["layer_2"]]
    value = 1 / (1 + abs(rows["layer"] - rows["layer_2"]))
    return rows.assign(
        model_2=rows["model"], point_2=rows["point"], measure="cka", value=value,
        low=value - 0.05, high=value + 0.05,
    )  # fmt: skip


def write_tables(folder, tables):
    """{name: table} as parquet; their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    return [folder / f"{name}.parquet" for name in tables]


def study_tables(points=5, layers=3, instruments=4, keys=36, model="nano"):
    """All of a small study: two routes."""
    routes = pd.concat(
        [route_table(model, route, points) for route in ("linear", "step")], ignore_index=True
    )
    linear = routes[routes["route"] == "linear"].reset_index(drop=True)
    notes, curves = notes_and_curves(linear, layers, instruments, keys)
    return {
        "points": routes,
        "perplexity": perplexity_table(routes),
        "helix": helix_table(routes, layers),
        "helix_notes": notes,
        "helix_curves": curves,
        "probes": probes_table(routes, layers),
        "similarity": similarity_table(routes, layers),
    }


CONFIG = """\
seed: 0
models:
  nano: {family: musicgen, weights: resources/models/nano}
helix: {method: exact}
routes: {linear: [0, 1]}
"""


def written(folder, tables, config=CONFIG, benchmarks=(), also=()):
    """The explorer of these tables; its folder."""
    paths = write_tables(folder / "tables", tables)
    (folder / "config.yaml").write_text(config)
    times = folder / "benchmarks"
    for rule, text in benchmarks:
        (times / rule).parent.mkdir(parents=True, exist_ok=True)
        (times / rule).write_text(text)
    write_explorer([*paths, *also], folder / "config.yaml", times, folder / "explorer")
    return folder / "explorer"
