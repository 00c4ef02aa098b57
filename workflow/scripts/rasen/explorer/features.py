"""Features of sparse autoencoders for the page: a table per layer and point, and their top clips.

The clips come in parts of some features each: opening a feature loads one.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rasen.explorer.contract import columns_of
from rasen.explorer.part import Part, table_part
from rasen.explorer.sounds import clip_sounds
from rasen.io.parquet import read_table

LAYER = ["model", "point", "layer"]
IN_PART = 250  # features whose clips are one part
CLIPS = 5  # of a feature: ten of 30,000 features would take 30 MB
ABSENT = {  # columns that a kind of model or stimuli lacks
    "label": "", "column": "", "confirmed": False, "ap": np.nan, "auroc_hard": np.nan,
    "purity": np.nan, "p_corrected": np.nan, "label_frame": "", "confirmed_frame": False,
    "language": "", "granularity": "",
}  # fmt: skip
UNLABELLED = "unlabelled"
WORDS = 3  # of the strongest tokens, to tell features of texts apart


def feature_parts(
    features: pd.DataFrame,
    top: Sequence[Path],
    matches: Sequence[Path],
    stimuli: Mapping[str, Path],
    stimuli_of: Mapping[str, str],
    order: Mapping[str, Sequence[str]],
    contract: dict[str, Any],
    explorer: Path,
) -> Iterator[Part]:
    """Tables of features, their clips, and the sheets of the clips.

    features: of all main SAEs;  top: tables top_clips.parquet;  matches: layer-NN.parquet
    stimuli: {set: its sheet};  stimuli_of: {model: the set of its SAEs}
    order: {model: points of its SAEs, as they are matched};  explorer: the page's folder
    """
    for name in sorted({stimuli_of[model] for model in features["model"].unique()}):
        sheet = clip_sounds(read_table(stimuli[name]), explorer)
        yield table_part("clips", sheet, columns_of(contract, "clips"), stimuli=name)
    fates = pd.concat([read_table(path) for path in matches]) if matches else pd.DataFrame()
    clips = {_key(table := read_table(path)): table for path in top}
    for key, rows in features.groupby(LAYER, sort=False):
        model, point, layer = key[0], key[1], int(key[2])
        listed = clips.get((model, point, layer), pd.DataFrame())
        of = {"model": model, "point": point, "layer": layer}
        points = list(order[model])
        table, ends = with_partners(rows, fates, points)
        table = with_words(table, listed).fillna({"label": ""})
        columns = columns_of(contract, "features")
        values = {
            "stimuli": stimuli_of[model], "earlier": ends[0], "later": ends[1],
            "reads": "text" if "tokens" in listed else "audio",
        }  # fmt: skip
        part = table_part("features", table, columns, **of)
        yield Part(part.name, part.columns, values, part.sizes, part.of)
        if len(listed):
            yield from clip_parts(listed, of)


def _key(table):
    """The model, point and layer of a table of one SAE."""
    if table.empty:
        return None
    model, point, layer = table[LAYER].iloc[0]
    return model, point, int(layer)


def with_partners(
    features: pd.DataFrame, fates: pd.DataFrame, points: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, str]]:
    """Features of one SAE with their partners, and the points (before, after) these are of.

    fates: rows of matches;  columns earlier, earlier_overlap, later, later_overlap: -1 for none
    """
    first = features.iloc[0]
    table = features.assign(**{name: v for name, v in ABSENT.items() if name not in features})
    place = list(points).index(first["point"])
    ends = (
        points[place - 1] if place else "",
        points[place + 1] if place + 1 < len(points) else "",
    )
    for name, end, own, other in (
        ("earlier", ends[0], "after", "before"),
        ("later", ends[1], "before", "after"),
    ):
        found = _steps(fates, first, end, own == "before")
        partners = found.set_index(own) if len(found) else pd.DataFrame({other: [], "overlap": []})
        table[name] = table["feature"].map(partners[other]).fillna(-1).astype(int)
        table[f"{name}_overlap"] = table["feature"].map(partners["overlap"]).astype(float)
    return table, ends


def _steps(fates, first, end, forward):
    """The matched rows between the SAE of a feature and that at the point `end`, of its seed."""
    if fates.empty or not end:
        return pd.DataFrame()
    here = {"model": first["model"], "layer": first["layer"], "fate": "matched"}
    here |= {"from_seed": first["seed"], "to_seed": first["seed"]}
    ends = (first["point"], end) if forward else (end, first["point"])
    here |= dict(zip(("from_point", "to_point"), ends, strict=True))
    return fates[np.logical_and.reduce([fates[name] == value for name, value in here.items()])]


def with_words(features: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """Features with `words`: the commonest tokens at which they are strongest; "" of sound."""
    if "tokens" not in listed:
        return features.assign(words="")
    place = (listed["frame"] - listed["first_frame"]).to_numpy()
    word = [tokens[at] for tokens, at in zip(listed["tokens"], place, strict=True)]
    counts = listed.assign(word=word).groupby(["feature", "word"], sort=False).size()
    counts = counts.sort_values(ascending=False, kind="stable").reset_index()
    words = counts.groupby("feature").head(WORDS).groupby("feature")["word"].agg(" · ".join)
    return features.assign(words=features["feature"].map(words).fillna(""))


def clip_parts(listed: pd.DataFrame, of: Mapping[str, Any]) -> Iterator[Part]:
    """Top clips of IN_PART features at a time; `first` is the first of them."""
    listed = listed[listed["rank"] < CLIPS].sort_values(["feature", "rank"], kind="stable")
    kept = listed["feature"].unique()
    for start in range(0, len(kept), IN_PART):
        some = kept[start : start + IN_PART]
        rows = listed[listed["feature"].between(some[0], some[-1])]
        levels = np.frombuffer(b"".join(rows["activation"]), np.uint8)
        tokens = np.concatenate([*rows["tokens"]]) if "tokens" in rows else np.zeros(0, object)
        names = ("feature", "clip", "frame", "first_frame", "frames_each", "value", "mean")
        columns = {name: rows[name].to_numpy() for name in names}
        columns["count"] = rows["activation"].map(len).to_numpy()
        columns |= {"activation": levels, "tokens": tokens}
        rate = rows["frame_rate"].iloc[0]
        values = {"frame_rate": float(rate) if rate == rate else 0.0}
        sizes = {"rows": len(rows), "levels": len(levels), "tokens": len(tokens)}
        yield Part("feature_clips", columns, values, sizes, {**of, "first": int(some[0])})
