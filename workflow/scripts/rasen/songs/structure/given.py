"""Sections that the user gives: a table, or the JSON that All-In-One writes."""

import json
from collections.abc import Iterable
from pathlib import Path

from rasen.errors import as_message
from rasen.songs.reasons import SongError
from rasen.songs.structure.labels import FLAG_OF, SILENCE, Section, flag_of_label

TOLERANCE = 2.0  # seconds by which an annotation may be longer than the recording
SMALL = 1.0  # seconds: shorter sections, and shorter gaps at either end, are ignored


def read_annotation(path: Path | str, seconds: float) -> list[Section]:
    """The sections of an annotation, covering [0, seconds] without gaps, with confidence 1.

    Rows `start end label` or `start label` (then to the next row's start) with tabs, commas or
    spaces between, with a heading or without; or a .json with `segments`.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SongError("annotation", f"{path}: cannot be read ({error})") from None
    rows, problems = _parse_json(text) if path.suffix == ".json" else _parse_table(text, seconds)
    flags = [flag_of_label(label) for _, _, label in rows]
    known = ", ".join(sorted([*FLAG_OF, SILENCE]))
    problems += [f"unknown section '{label}' at {start:g} s; known: {known}"
                 for (start, _, label), flag in zip(rows, flags, strict=True)
                 if flag is None]  # fmt: skip
    problems += _out_of_order(rows, seconds)
    if not problems and not rows:
        problems = ["holds no sections"]
    if problems:
        raise SongError("annotation", as_message([f"{path}: {problem}" for problem in problems]))
    sections = [
        Section(start, end, flag, 1.0)
        for (start, end, _), flag in zip(rows, flags, strict=True)
        if flag is not None
    ]
    return fill_gaps(sections, seconds)


def fill_gaps(sections: Iterable[Section], seconds: float) -> list[Section]:
    """Sections in order, extended to fill [0, seconds] without gaps.

    Silence and sections of at most SMALL belong to the section before. A longer gap at the ends
    becomes intro or outro with confidence 0.
    """
    kept = [
        section._replace(end=min(section.end, seconds))
        for section in sections
        if section.start < seconds
    ]
    kept = [section for section in kept if section.end - section.start > SMALL]
    kept = [section for section in kept if section.flag != SILENCE]
    if not kept:
        return [Section(0.0, seconds, "inst", 0.0)]
    first, last = kept[0].start, kept[-1].end
    if first > SMALL:
        kept = [Section(0.0, first, "intro", 0.0), *kept]
    if seconds - last > SMALL:
        kept = [*kept, Section(last, seconds, "outro", 0.0)]
    starts = [0.0, *(section.start for section in kept[1:])]
    ends = [*starts[1:], seconds]
    return [
        section._replace(start=start, end=end)
        for section, start, end in zip(kept, starts, ends, strict=True)
    ]


def _parse_json(text):
    """Rows (start, end, label), and what is wrong with the text."""
    try:
        segments = json.loads(text)["segments"]
        return [(float(s["start"]), float(s["end"]), str(s["label"])) for s in segments], []
    except (ValueError, KeyError, TypeError) as error:
        return [], [f"is not the JSON of All-In-One ({type(error).__name__}: {error})"]


def _parse_table(text, seconds):
    """Rows (start, end, label), and what is wrong with the text."""
    rows: list[tuple[float, float | None, str]] = []
    problems: list[str] = []
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
    starts = [start for start, _, _ in rows[1:]] + [max(seconds, rows[-1][0])] if rows else []
    with_ends = [
        (start, following if end is None else end, label)
        for (start, end, label), following in zip(rows, starts, strict=True)
    ]
    return with_ends, problems


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


def _out_of_order(rows, seconds):
    """Messages about rows that overlap, or lie outside of the recording."""
    before = None
    for start, end, label in rows:
        if not 0 <= start <= end:  # also where one is not a number
            yield f"'{label}' goes from {start:g} to {end:g} s"
        elif end > seconds + TOLERANCE:
            yield f"'{label}' ends at {end:g} s, but the recording at {seconds:g} s"
        if before is not None and start < before - 0.01:
            yield f"'{label}' at {start:g} s begins before the section above it ends"
        before = end
