"""Labels of frames: chords, beats, sections, from a sheet of intervals.

    clip    start   end   chord   section
    song-1  0       1.9   C       verse
    song-1  1.9     4.2   G       verse

One row says what holds in a clip (as the stimulus set names it) from `start` to before `end`, in
seconds of the clip; empty cells say nothing. Chords and sections may also stand in rows of their
own, as long as no two rows give one frame two values of the same column.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.errors import RasenError, raise_all, suggestion
from rasen.io.sheets import read_sheet

PLACE = ("clip", "start", "end")


def read_intervals(
    path: Path | str, clips: Sequence[str], left_out: Collection[str] = ()
) -> pd.DataFrame:
    """The sheet, checked: columns clip (its place in `clips`), start, end, and the labels.

    clips: names of the clips of the stimulus set;  left_out: clips whose rows do not count
    """
    table = read_sheet(path)
    if "clip" in table:
        table = table[~table["clip"].isin(left_out)]
    labels = [name for name in table if name not in PLACE]
    missing = [name for name in PLACE if name not in table]
    if missing or not labels:
        raise RasenError(
            f"{path}: has no column {', '.join(missing or ['with labels'])}; it needs clip, start, "
            "end and one or more columns of labels"
        )
    times = table[["start", "end"]].apply(pd.to_numeric, errors="coerce")
    place = {name: number for number, name in enumerate(clips)}
    problems = []
    for line, name, start, end in zip(
        table.index + 2, table["clip"], times["start"], times["end"], strict=True
    ):
        if name not in place:
            problems.append(f"line {line}: no clip '{name}'; {suggestion(name, clips)}")
        elif not 0 <= start < end:
            problems.append(f"line {line}: start and end must be seconds, start before end")
    raise_all(problems, heading=f"{path}: intervals that cannot be used:")
    table = table.assign(**times, clip=table["clip"].map(place))
    raise_all(_overlaps(table, labels), heading=f"{path}: a frame has two values:")
    return table


def _overlaps(table, labels):
    """One line per pair of rows that give the same time of a clip two values of a column."""
    for column in labels:
        rows = table[table[column].astype(str) != ""].sort_values(["clip", "start"], kind="stable")
        ends = rows.groupby("clip")["end"].shift()
        for line in rows.index[rows["start"] < ends - 1e-9] + 2:
            yield f"line {line}: {column} begins before the {column} before it ends"


def labels_of_frames(
    intervals: pd.DataFrame, clip: np.ndarray, frame: np.ndarray, rate: float
) -> pd.DataFrame:
    """The labels of some frames, one row each: of the interval that a frame's middle lies in.

    clip, frame: of each [frames], in any order;  rate: frames per second
    """
    time = (frame + 0.5) / rate
    table = {}
    for column in intervals.columns.difference(PLACE, sort=False):
        rows = intervals[intervals[column].astype(str) != ""].sort_values(["clip", "start"])
        if rows.empty:
            continue
        of_row, end = rows["clip"].to_numpy(), rows["end"].to_numpy()
        span = float(end.max()) + time.max(initial=0) + 1  # clips one after another
        starts = of_row * span + rows["start"].to_numpy()
        which = np.searchsorted(starts, clip * span + time, side="right") - 1
        inside = (which >= 0) & (of_row[which] == clip) & (time < end[which])
        values = pd.Categorical(rows[column].astype(str))
        codes = np.where(inside, values.codes[which], -1)
        table[column] = pd.Categorical.from_codes(codes, values.categories)
    return pd.DataFrame(table)
