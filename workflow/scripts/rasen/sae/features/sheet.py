"""Hand labels of granularity: a sheet of features is written, filled in, read and compared.

The sheet is a table (tab-separated, UTF-8) with one row per feature: point, feature, granularity
(empty: to be filled with token, synonym, meaning or unrelated), and its examples, with the word
it fires on in «». The automatic class is not in it, so that it cannot bias the labels.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from rasen.errors import RasenError, raise_all
from rasen.io.atomic import write_text
from rasen.sae.features.granularity import CLASSES
from rasen.seeds import generator

COLUMNS = ["point", "feature", "granularity"]
FEATURES, EXAMPLES = 100, 10


def write_label_sheet(
    examples: pd.DataFrame,
    path: Path | str,
    seed: int,
    features: int = FEATURES,
    shown: int = EXAMPLES,
) -> None:
    """Write a sheet of `features` features per point, drawn by the seed.

    examples: table point, feature, context (rasen.sae.features.tally.with_context)
    """
    lines = ["\t".join(COLUMNS + [f"example_{number + 1}" for number in range(shown)])]
    for point, rows in examples.groupby("point", sort=False):
        contexts = dict(list(rows.groupby("feature")["context"]))
        rng = generator(seed, "sheet", point)
        chosen = rng.permutation(sorted(contexts))[:features]
        for feature in sorted(chosen):
            texts = [_one_line(text) for text in contexts[feature].head(shown)]
            lines.append("\t".join([point, str(feature), "", *texts]))
    write_text(path, "\ufeff" + "\n".join(lines) + "\n")  # the mark lets Excel read Japanese


def _one_line(text):
    return text.replace("\t", "⇥").replace("\r", "").replace("\n", "⏎").replace('"', "″")


def read_label_sheet(path: Path | str) -> pd.DataFrame:
    """The rows of a sheet that have a label: point, feature, granularity."""
    try:
        sheet = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise RasenError(f"{path}: cannot be read ({error}); save it as UTF-8 text") from None
    missing = [name for name in COLUMNS if name not in sheet.columns]
    if missing:
        raise RasenError(
            f"{path}: no column {', '.join(missing)}; keep the header and tabs between columns"
        )
    sheet["granularity"] = sheet["granularity"].str.strip().str.lower()
    sheet = sheet[sheet["granularity"] != ""]
    lines = sheet.index + 2
    problems = [
        f"{path}: line {line}: granularity {label!r} is not one of {', '.join(CLASSES)}"
        for line, label in zip(lines, sheet["granularity"], strict=True)
        if label not in CLASSES
    ]
    problems += [
        f"{path}: line {line}: feature {feature!r} is not a number"
        for line, feature in zip(lines, sheet["feature"], strict=True)
        if not feature.strip().isdecimal()
    ]
    repeated = sheet.duplicated(["point", "feature"])
    problems += [
        f"{path}: line {line}: {point} {feature} is labelled twice; drop one"
        for line, point, feature in zip(
            lines[repeated],
            sheet.loc[repeated, "point"],
            sheet.loc[repeated, "feature"],
            strict=True,
        )
    ]
    raise_all(problems)
    if sheet.empty:
        raise RasenError(f"{path}: no label yet; fill the column granularity")
    return sheet[COLUMNS].astype({"feature": int}).reset_index(drop=True)


def agreement(hand: pd.DataFrame, automatic: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hand labels beside the automatic ones, a row per point and one for all.

    Both are tables point, feature, granularity. Returns a table point, features, agreement,
    kappa (Cohen's), and the counts of pairs (hand, automatic).
    """
    both = hand.merge(automatic, on=["point", "feature"], suffixes=("", "_automatic"))
    if both.empty:
        raise RasenError("sheet: none of its features has an automatic label; is it of this run?")
    groups = [*both.groupby("point", sort=False), ("all", both)]
    table = pd.DataFrame(
        [
            {
                "point": point,
                "features": len(rows),
                "agreement": (rows["granularity"] == rows["granularity_automatic"]).mean(),
                "kappa": kappa(rows["granularity"], rows["granularity_automatic"]),
            }
            for point, rows in groups
        ]
    )
    return table, pd.crosstab(both["granularity"], both["granularity_automatic"])


def kappa(first: ArrayLike, second: ArrayLike) -> float:
    """Cohen's kappa of two lists of labels: 1 the same, 0 as chance; NaN where all are alike."""
    first, second = np.asarray(first, str), np.asarray(second, str)
    if not len(first):
        return np.nan
    names = np.union1d(first, second)
    shares = [np.array([(labels == name).mean() for name in names]) for labels in (first, second)]
    chance = float(shares[0] @ shares[1])
    observed = float((first == second).mean())
    return (observed - chance) / (1 - chance) if chance < 1 else np.nan
