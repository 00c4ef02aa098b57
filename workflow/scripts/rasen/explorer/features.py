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
WORDS = 3  # of the strongest tokens, to tell features of texts apart


def parts(tables: Mapping[str, Path], contract: dict[str, Any]) -> Iterator[Part]:
    """Tables of features, their clips, and the sheets of the clips.

    tables: features, stimuli/{set}, sae/{model}/matches/layer-{layer} and
    sae/{model}/{point}/layer-{layer}/top_clips
    """
    features = read_table(tables["features"])
    explorer = tables["features"].parents[1] / "explorer"
    sheets = set()
    for (model, point, layer), rows in features.groupby(LAYER, sort=False):
        folder, name = f"sae/{model}", f"layer-{layer:02d}"
        matches = tables.get(f"{folder}/matches/{name}")
        fates = read_table(matches) if matches else pd.DataFrame()
        top = tables.get(f"{folder}/{point}/{name}/top_clips")
        listed = read_table(top) if top else pd.DataFrame(columns=["feature", "stimuli"])
        stimuli = listed["stimuli"].iloc[0] if len(listed) else ""
        if stimuli and stimuli not in sheets:
            sheets.add(stimuli)
            sheet = clip_sounds(read_table(tables[f"stimuli/{stimuli}"]), explorer)
            yield table_part("clips", sheet, columns_of(contract, "clips"), stimuli=stimuli)
        of = {"model": model, "point": point, "layer": int(layer)}
        table, ends = with_partners(with_words(rows, listed), fates)
        values = {
            "stimuli": stimuli, "earlier": ends[0], "later": ends[1],
            "reads": "text" if "tokens" in listed else "audio",
        }  # fmt: skip
        part = table_part("features", table, columns_of(contract, "features"), **of)
        yield Part(part.name, part.columns, values, part.sizes, part.of)
        if len(listed):
            yield from clip_parts(listed, of)


def with_partners(
    features: pd.DataFrame, fates: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[str, str]]:
    """Features of one SAE with their partners, and the points (before, after) these are of.

    fates: rows of matches, of all points;  new columns: earlier, earlier_overlap, later,
    later_overlap (-1: no partner)
    """
    first = features.iloc[0]
    table = features.assign(**{name: v for name, v in ABSENT.items() if name not in features})
    table = table.fillna({"label": "", "column": "", "label_frame": ""})
    table["confirmed_frame"] = table["confirmed_frame"].eq(True)
    table["confirmed"] = table["confirmed"].eq(True)
    ends = []
    for name, here, there in (("earlier", "to", "from"), ("later", "from", "to")):
        steps = _steps(fates, first, f"{here}_point", f"{there}_point")
        own, other = ("after", "before") if name == "earlier" else ("before", "after")
        partner = steps[steps["fate"] == "matched"].set_index(own)
        table[name] = table["feature"].map(partner[other]).fillna(-1).astype(int)
        table[f"{name}_overlap"] = table["feature"].map(partner["overlap"]).astype(float)
        ends.append(str(steps[f"{there}_point"].iloc[0]) if len(steps) else "")
    return table, (ends[0], ends[1])


def _steps(fates, first, here, there):
    """Matches between the SAE of a feature and that of a neighbouring point, of its seed."""
    if fates.empty:
        return pd.DataFrame(columns=["fate", "before", "after", "overlap", here, there])
    seed = first["seed"]
    of_seed = (fates["from_seed"] == seed) & (fates["to_seed"] == seed)
    return fates[of_seed & (fates[here] == first["point"]) & (fates[there] != first["point"])]


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
    kept: Sequence[int] = listed["feature"].unique()
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
