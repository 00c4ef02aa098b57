"""What the tables say, in a few sentences for the page's first view; each leads to its view."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from rasen.io.parquet import read_table

Tables = Mapping[str, Path]
NETWORK = "network"
OCTAVE = "octave"


@dataclass(frozen=True)
class Line:
    """lead: what it is about; state: what the view is to show, with `model`."""

    lead: str
    text: str
    state: dict[str, Any]


def findings(tables: Tables) -> list[dict[str, Any]]:
    """[{"title", "view", "lines": [{"lead", "text", "state"}]}] of the subjects that are there."""
    found = [
        (title, view, lines_of(tables))
        for title, view, needs, lines_of in SUBJECTS
        if all(name in tables for name in needs)
    ]
    several = len({line.state["model"] for *_, lines in found for line in lines}) > 1
    return [
        {
            "title": title,
            "view": view,
            "lines": [asdict(_with_model(line) if several else line) for line in lines],
        }
        for title, view, lines in found
        if lines
    ]


def _with_model(line):
    return replace(line, lead=f"{line.state['model']}, {line.lead}")


def helix_lines(tables: Tables) -> list[Line]:
    """Per route, where notes first have an octave, and in how many layers at its end."""
    fits = read_table(tables["helix"])
    several = fits["stimuli"].nunique() > 1
    lines = []
    of_network = fits[fits["features"] == NETWORK]
    for (model, stimuli, route), rows in _groups(of_network, ["model", "stimuli", "route"]):
        points = list(dict.fromkeys(rows["point"]))
        octaves = rows[rows["verdict"] == OCTAVE]
        where = f"{route}, {stimuli}" if several else route
        shown = rows[rows["point"] == points[-1]]
        if set(rows["verdict"]) == {"cannot tell"}:
            text = "too few keys to tell an octave"
        elif octaves.empty:
            text = "no octave in any layer at any point"
        else:
            first = octaves[octaves["point"] == octaves["point"].iloc[0]]
            last = octaves[octaves["point"] == points[-1]]
            text = (
                f"notes first have an octave at {_place(first.iloc[0])}, in "
                f"{layer_words(first['layer'])}; at the end in {len(last)} of {len(shown)} layers"
            )
            shown = first
        state = {"model": model, "stimuli": stimuli, "route": route}
        best = shown.loc[shown["pooled"].fillna(-1).idxmax()]
        state |= {"point": best["point"], "layer": int(best["layer"])}
        lines.append(Line(where, text, state))
    for (model, stimuli), rows in _groups(fits[fits["layer"] < 0], ["model", "stimuli"]):
        having = rows.loc[rows["verdict"] == OCTAVE, "features"].tolist()
        lacking = rows.loc[rows["verdict"] != OCTAVE, "features"].tolist()
        named = [f"an octave in {_listed(having)}"] * bool(having)
        named += [f"none in {_listed(lacking)}"] * bool(lacking)
        lines.append(
            Line("without a network", "; ".join(named), {"model": model, "stimuli": stimuli})
        )
    return lines


def perplexity_lines(tables: Tables) -> list[Line]:
    """Per model and route, perplexity at both ends, and that of guessers."""
    table = read_table(tables["perplexity"])
    lines = []
    for (model, route), rows in _groups(table[table["group"] == "mean"], ["model", "route"]):
        first, last = rows.iloc[0], rows.iloc[-1]
        text = f"{_number(first['perplexity'])} at {_place(first)}"
        if len(rows) > 1:
            text += f", {_number(last['perplexity'])} at {_place(last)}"
        state = {"model": model, "route": route, "point": last["point"]}
        lines.append(Line(route, text, state))
    if "guessers" in tables:
        guessers = read_table(tables["guessers"])
        for (model,), rows in _groups(guessers[guessers["group"] == "mean"], ["model"]):
            named = [f"{row.guesser} {_number(row.perplexity)}" for row in rows.itertuples()]
            lines.append(Line("guessers without context", _listed(named), {"model": model}))
    return lines


def probe_lines(tables: Tables) -> list[Line]:
    """Per task, what is read at the last point from the layer that inner folds chose."""
    table = read_table(tables["probes"])
    table = table[table["row"] == "probe"]
    lines = []
    for (model, task), rows in _groups(table, ["model", "task"]):
        for name in ("kind", "metric", "split"):
            options = list(dict.fromkeys(rows[name]))
            wanted = "grouped" if "grouped" in options else options[0]
            rows = rows[rows[name] == wanted]
        rows = rows[rows["route"] == rows["route"].iloc[0]]
        chosen = rows[rows["features"] == "selected"]
        if chosen.empty:
            continue
        first, last = chosen.iloc[0], chosen.iloc[-1]
        text = f"{last['metric']} {_number(last['value'])}{_interval(last)} at {_place(last)}"
        if first["point"] != last["point"]:
            text += f", {_number(first['value'])} at {_place(first)}"
        text += f"; chance {_number(last['chance'])}"
        plain = rows[(rows["point"] == last["point"]) & (rows["features"] == "log-mel")]
        for row in plain.itertuples():
            text += f", {row.features} {_number(row.value)}"
        state = {"model": model, "task": task, "route": last["route"], "point": last["point"]}
        lines.append(Line(task, text, state))
    return lines


def feature_lines(tables: Tables) -> list[Line]:
    """Per layer, how many features have a confirmed label, point by point."""
    table = read_table(tables["features"])
    lines: list[Line] = []
    if "confirmed" not in table:  # clips without labels
        return lines
    for (model, layer), rows in _groups(table, ["model", "layer"]):
        groups = [
            (point, part["confirmed"].fillna(False)) for (point,), part in _groups(rows, ["point"])
        ]
        counts = [f"{int(flags.sum()):,} of {len(flags):,} at {point}" for point, flags in groups]
        text = f"features with a label that held on other clips: {_listed(counts)}"
        state = {"model": model, "layer": int(layer), "point": groups[-1][0]}
        lines.append(Line(f"layer {layer}", text, state))
    return lines


SUBJECTS: tuple[tuple[str, str, tuple[str, ...], Callable[[Tables], list[Line]]], ...] = (
    ("Helix", "helix", ("helix",), helix_lines),
    ("Perplexity", "helix", ("helix", "perplexity"), perplexity_lines),
    ("Probes", "probes", ("probes",), probe_lines),
    ("SAE features", "features", ("features",), feature_lines),
)


def layer_words(layers: Iterable[int]) -> str:
    """[1, 2, 3, 6] -> "layers 1 to 3 and 6"."""
    ordered = sorted({int(layer) for layer in layers})
    runs = [
        [layer for _, layer in run]
        for _, run in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0])
    ]
    named = [
        f"{run[0]} to {run[-1]}" if len(run) > 2 else _listed([str(layer) for layer in run])
        for run in runs
    ]
    return f"{'layer' if len(ordered) == 1 else 'layers'} {_listed(named)}"


def _groups(table, names):
    """(values, rows) in the order of the table."""
    return table.groupby(names, sort=False, observed=True)


def _place(row):
    """A point in words: alpha or step."""
    point, position = row["point"], row["position"]
    if point in ("untrained", "trained") or pd.isna(position):
        return point
    if str(row["route"]).startswith("step"):
        return f"step {position:g}"
    return f"α = {position:.2f}"  # noqa: RUF001


def _number(value):
    if pd.isna(value):
        return "none"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _interval(row):
    return "" if pd.isna(row["low"]) else f" ({_number(row['low'])} to {_number(row['high'])})"


def _listed(items):
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))
