"""Labels by a language model (or people) through files.

A question is written (`write_question`):

    {"format": "rasen-features-1", "about": {...}, "task": "...", "tags": [...],
     "features": [{"feature": 12, "examples": [{"clip": 3, "frame": 7, "value": 2.5,
                                                "context": "... «word» ..."}]}]}

and its answer is read (`read_answer`):

    {"format": "rasen-labels-1",
     "labels": [{"feature": 12, "label": "pitch class C", "confidence": 0.8, "reason": "..."}]}

label: any words, or "unlabelled"; one that is in `tags` to the letter can be judged on held-out
clips (`labels.judge_labels`). confidence (0 to 1) and reason may be left out.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rasen.errors import RasenError, raise_all
from rasen.io.atomic import write_text

QUESTION, ANSWER = "rasen-features-1", "rasen-labels-1"
TASK = (
    "Each feature is a direction in a network that is active in the examples, most where marked. "
    "Say in a few words what they have in common: one of `tags` to the letter where one fits, "
    "else words of your own, else unlabelled. Answer with JSON: "
    '{"format": "rasen-labels-1", "labels": [{"feature": 0, "label": "...", "confidence": 0.5}]}'
)
SHOWN = ("clip", "frame", "value", "context", "word")


def write_question(
    examples: pd.DataFrame,
    path: Path | str,
    tags: Sequence[str] = (),
    about: Mapping[str, Any] | None = None,
    shown: int = 10,
) -> None:
    """Write the question. examples: table feature, and any of clip, frame, value, context, word."""
    columns = [name for name in SHOWN if name in examples]
    features = [
        {
            "feature": int(feature),
            "examples": json.loads(rows.head(shown).to_json(orient="records")),
        }
        for feature, rows in examples.groupby("feature")[columns]
    ]
    question = {
        "format": QUESTION,
        "about": about or {},
        "task": TASK,
        "tags": list(tags),
        "features": features,
    }
    write_text(path, json.dumps(question, ensure_ascii=False, indent=1) + "\n")


def read_answer(path: Path | str, features: Collection[int]) -> pd.DataFrame:
    """The answer as a table feature, label, confidence, reason.

    features: those that were asked about; those that the answer leaves out are left out
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            answer = json.load(file)
    except (OSError, ValueError) as error:
        raise RasenError(
            f"{path}: cannot be read as JSON ({error}); save the answer alone"
        ) from None
    if not isinstance(answer, dict) or answer.get("format") != ANSWER:
        raise RasenError(f'{path}: not an answer; it needs "format": "{ANSWER}" and "labels"')
    rows = answer.get("labels")
    if not isinstance(rows, list) or not rows:
        raise RasenError(f'{path}: "labels" is not a list of labels')
    problems: list[str] = []
    labelled: set[int] = set()
    for number, row in enumerate(rows):
        problem = _problem_of_label(row, features, labelled)
        if problem:
            problems.append(f"{path}: labels[{number}]: {problem}")
        else:
            labelled.add(row["feature"])
    raise_all(problems)
    table = pd.DataFrame(rows)
    for column, empty in (("confidence", float("nan")), ("reason", "")):
        if column not in table:
            table[column] = empty
    return table[["feature", "label", "confidence", "reason"]]


def _problem_of_label(row, features, labelled):
    """What is wrong with one label, or None."""
    if not isinstance(row, dict):
        return "not an object with feature and label"
    feature, label, confidence = row.get("feature"), row.get("label"), row.get("confidence", 1)
    if type(feature) is not int or feature not in features:
        return f"feature {feature!r} was not asked about"
    if feature in labelled:
        return f"feature {feature} comes twice"
    if not isinstance(label, str) or not label.strip():
        return "label is empty"
    number = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    if not number or not 0 <= confidence <= 1:
        return f"confidence {confidence!r} is not between 0 and 1"
    return None
