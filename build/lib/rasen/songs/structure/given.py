"""Sections that the user gives: a table, or the JSON that All-In-One writes."""

import json
from pathlib import Path

from rasen.errors import as_message
from rasen.songs.reasons import SongError
from rasen.songs.structure.labels import FLAG_OF, SILENCE, flag

SLACK = 2.0  # seconds that an annotation may go on after the recording
SMALL = 1.0  # seconds: shorter sections, and gaps at either end, mean nothing


def read_annotation(path, seconds):
    """[(start, end, flag, confidence)] of an annotation, covering [0, seconds] without gaps.

    Rows `start end label` or `start label` (then to the next row's start) parted by tabs, commas or
    spaces, with a heading or without; or a .json with `segments`. Its sections have confidence 1.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SongError("annotation", f"{path}: cannot be read ({error})") from None
    rows, problems = (_from_json if path.suffix == ".json" else _from_table)(text, seconds)
    flags = [flag(label) for _, _, label in rows]
    known = ", ".join(sorted([*FLAG_OF, SILENCE]))
    problems += [f"unknown section '{row[2]}' at {row[0]:g} s; known: {known}"
                 for row, each in zip(rows, flags, strict=True) if each is None]  # fmt: skip
    problems += _out_of_order(rows, seconds)
    if not problems and not rows:
        problems = ["holds no sections"]
    if problems:
        raise SongError("annotation", as_message([f"{path}: {problem}" for problem in problems]))
    rows = [(start, end, each, 1.0) for (start, end, _), each in zip(rows, flags, strict=True)]
    return cover(rows, seconds)


def cover(rows, seconds):
    """[(start, end, flag, confidence)] in order, made to fill [0, seconds] without gaps.

    Silence and what is too short belong to the section before. What is missing at the ends is
    intro and outro with confidence 0, unless it is shorter than SMALL.
    """
    rows = [(start, min(end, seconds), *rest) for start, end, *rest in rows if start < seconds]
    rows = [row for row in rows if row[1] - row[0] > SMALL and row[2] != SILENCE]
    if not rows:
        return [(0.0, seconds, "inst", 0.0)]
    first, last = rows[0][0], rows[-1][1]
    if first > SMALL:
        rows = [(0.0, first, "intro", 0.0), *rows]
    if seconds - last > SMALL:
        rows = [*rows, (last, seconds, "outro", 0.0)]
    starts = [0.0, *(row[0] for row in rows[1:])]
    ends = [*starts[1:], seconds]
    return [
        (start, end, *rest) for start, end, (_, _, *rest) in zip(starts, ends, rows, strict=True)
    ]


def _from_json(text, seconds):
    try:
        found = json.loads(text)["segments"]
        return [(float(s["start"]), float(s["end"]), str(s["label"])) for s in found], []
    except (ValueError, KeyError, TypeError) as error:
        return [], [f"is not the JSON of All-In-One ({type(error).__name__}: {error})"]


def _from_table(text, seconds):
    rows, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        cells = line.replace(",", "\t").split("\t") if set(line) & set("\t,") else line.split()
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        start, end = map(_number, [*cells, "", ""][:2])
        if start is None:
            if rows or problems:
                problems.append(f"row {number}: '{line}' does not begin with a time in seconds")
            continue  # a heading
        label = " ".join(cells[1:] if end is None else cells[2:])
        rows.append((start, end, label))
    starts = [row[0] for row in rows[1:]] + [max(seconds, rows[-1][0])] if rows else []
    return [(start, after if end is None else end, label)
            for (start, end, label), after in zip(rows, starts, strict=True)], problems  # fmt: skip


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _out_of_order(rows, seconds):
    before = None
    for start, end, label in rows:
        if not 0 <= start <= end:  # also where one is not a number
            yield f"'{label}' goes from {start:g} to {end:g} s"
        elif end > seconds + SLACK:
            yield f"'{label}' ends at {end:g} s, but the recording at {seconds:g} s"
        if before is not None and start < before - 0.01:
            yield f"'{label}' at {start:g} s begins before the section above it ends"
        before = end
