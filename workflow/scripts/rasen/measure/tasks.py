"""Tasks of probes as the config names them: labels of the clips, or of the frames, of a dump."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.errors import RasenError, raise_all, suggestion
from rasen.io import hdf5
from rasen.io.sheets import read_sheet
from rasen.probes.tasks import Task
from rasen.sae.features.intervals import labels_of_frames, read_intervals

GROUPS = ("group", "song", "instrument")  # columns that hold what is never divided, best first
EVENTS = ("beat_f", "boundary_f_0.5", "boundary_f_3")  # metrics of times, not of labels
MISSING = ("", "nan", "NaN", "None", "null")  # labels of a clip that has none


@dataclass(frozen=True)
class TaskSettings:
    """One entry of `tasks` in the config; see its schema."""

    stimuli: str
    label: str | Sequence[str]
    kind: str = "classes"
    metrics: Sequence[str] | None = None
    groups: str | None = None
    song: str | None = None
    split: str | None = None
    intervals: str | None = None

    def __post_init__(self) -> None:
        if (self.kind == "frames") != (self.intervals is not None):
            raise RasenError(
                "tasks: kind frames and `intervals` belong together; give both, or neither"
            )


class DumpedLayers(Mapping[int, np.ndarray]):
    """The layers of a dump {layer: float32 [rows, dim]}, read from disk at every access."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with hdf5.open_file(path) as file:
            self.names = {int(name): name for name in file["layers"]}

    def __getitem__(self, layer: int) -> np.ndarray:
        with hdf5.open_file(self.path) as file:
            return hdf5.read_rows(file, f"layers/{self.names[layer]}").astype(np.float32)

    def __iter__(self) -> Iterator[int]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Rows:
    """What the rows of a dump are: rows of `clips`; of frames, when they are (else None).

    left_out: clips of the set that the model could not read; labels of them do not count
    ends:     of each clip's sound in seconds [clips]; of text None
    """

    clips: pd.DataFrame
    clip: np.ndarray  # [rows]
    time: np.ndarray | None = None  # [rows], the middle of each in seconds
    frame: np.ndarray | None = None
    rate: float | None = None  # frames per second
    left_out: frozenset[str] = frozenset()
    ends: np.ndarray | None = None


def read_rows(path: Path, clips_of_set: Sequence[str] = (), ends: pd.Series | None = None) -> Rows:
    """The Rows of a dump.

    clips_of_set: all clips, also those that the model could not read
    ends: of the clips' sounds in seconds, by name; without, what the frames of the dump cover
    """
    with hdf5.open_file(path) as file:
        clips = hdf5.read_table(file, "clips")
        if "rows" not in file:
            return Rows(clips, np.arange(len(clips)))
        clip, frame = file["rows/clip"][:], file["rows/frame"][:]
        time = file["rows/time"][:].astype(float)
    rate = float((frame[0] + 0.5) / time[0])
    covered = np.zeros(len(clips))
    np.maximum.at(covered, clip, time + 0.5 / rate)
    return Rows(
        clips, clip, time, frame, rate, frozenset(clips_of_set) - set(clips["clip"]),
        covered if ends is None else ends[clips["clip"]].to_numpy(),
    )  # fmt: skip


def targets(
    tasks: Mapping[str, TaskSettings], rows: Rows
) -> Iterator[tuple[np.ndarray, dict[str, Task]]]:
    """(group of each row, {name: task}) of tasks that have the same groups.

    Raises one error that names every task's missing columns.
    """
    problems: list[str] = []
    together: dict[str, dict[str, Task]] = {}
    for name, settings in tasks.items():
        missing = list(_missing_columns(settings, rows.clips))
        problems += [f"tasks.{name}.{text}" for text in missing]
        if not missing:
            try:
                task = _task(settings, rows)
            except RasenError as error:
                problems += [f"tasks.{name}: {line}" for line in str(error).splitlines()]
                continue
            together.setdefault(_groups(settings, rows.clips), {})[name] = task
    raise_all(problems, heading="tasks that cannot be read:" if len(problems) > 1 else "")
    for column, named in together.items():
        values = rows.clips[column].astype(str).to_numpy()
        yield values[rows.clip], named


def _missing_columns(settings, clips):
    named = {key: getattr(settings, key) for key in ("groups", "song", "split")}
    labels = [settings.label] if isinstance(settings.label, str) else settings.label
    wanted = [(key, column) for key, column in named.items() if column]
    if settings.intervals is None:
        wanted += [("label", column) for column in labels]
    for key, column in wanted:
        if column not in clips:
            yield f"{key}: the set {settings.stimuli} has no column '{column}'; " + suggestion(
                column, list(clips)
            )


def _groups(settings, clips):
    """The column whose values are never divided by a split."""
    if settings.groups:
        return settings.groups
    return next((name for name in GROUPS if name in clips), "clip")


def _task(settings, rows):
    """The Task of an entry, over the rows that have a label."""
    if settings.kind == "frames":
        return _frames(settings, rows)
    labels = settings.label
    if settings.kind == "tags":
        values, names = _tags(rows.clips, labels)
        there = np.ones(len(rows.clips), bool)
    else:
        column = rows.clips[labels if isinstance(labels, str) else labels[0]]
        there = _known(column)
        values, names = column[there].to_numpy(), ()
        if settings.kind == "numbers":
            values = pd.to_numeric(column[there], errors="coerce").to_numpy(float)
    if column := settings.split or ("split" if "split" in rows.clips else None):
        inside = _known(rows.clips[column])  # a clip without a split is in none
        values, there = values[inside[there]], there & inside
    chosen = np.flatnonzero(there)
    return Task(
        settings.kind, values, tuple(settings.metrics or ()), chosen,
        _column(rows.clips, settings.song, "song", chosen),
        _column(rows.clips, settings.split, "split", chosen), tags=names,
    )  # fmt: skip


def _known(column):
    """Which cells say something."""
    return (column.notna() & ~column.astype(str).isin(MISSING)).to_numpy()


def _tags(clips, labels):
    """Truth [clips, tags] and the tags' names."""
    if not isinstance(labels, str):
        return clips[list(labels)].astype(float).to_numpy() > 0, tuple(labels)
    cells = [{tag.strip() for tag in str(cell).split(";")} - set(MISSING) for cell in clips[labels]]
    names = tuple(sorted(set().union(*cells)))
    return np.array([[tag in cell for tag in names] for cell in cells]), names


def _column(clips, given, usual, chosen):
    name = given or (usual if usual in clips else None)
    return None if name is None else clips[name].astype(str).to_numpy()[chosen]


def _frames(settings, rows):
    """A task of frames: their labels as classes, or events in them."""
    if rows.time is None:
        raise RasenError("kind frames needs a dump of frames; this one has one row a clip")
    metrics = tuple(settings.metrics or ("accuracy",))
    split = _column(rows.clips, settings.split, "split", rows.clip)
    events = [name for name in metrics if name in EVENTS]
    if events and len(events) < len(metrics):
        raise RasenError(
            f"{', '.join(events)} are of times and the other metrics of labels; write two tasks"
        )
    names = rows.clips["clip"].tolist()
    if not events:
        intervals = read_intervals(settings.intervals, names, rows.left_out)
        late = intervals["start"] >= rows.ends[intervals["clip"]] + 1 / rows.rate
        raise_all(
            (
                f"line {line + 2}: {intervals['start'][line]} s is past the end of "
                f"{names[intervals['clip'][line]]}"
                for line in intervals.index[late]
            ),
            heading=f"{settings.intervals}: intervals that cannot be used:",
        )
        table = labels_of_frames(intervals, rows.clip, rows.frame, rows.rate)
        if settings.label not in table:
            raise RasenError(
                f"{settings.intervals}: has no column '{settings.label}'; "
                + suggestion(settings.label, list(table))
            )
        labels = table[settings.label]
        there = labels.notna().to_numpy()
        return Task(
            "classes", labels[there].astype(str).to_numpy(), metrics, np.flatnonzero(there),
            split=None if split is None else split[there],
        )  # fmt: skip
    values = _events(settings.intervals, rows, names)
    return Task("frames", values, metrics, split=split, clip=rows.clip, time=rows.time)


def _events(sheet, rows, names):
    """The time of the event in each row, NaN where there is none; a frame holds one, the first."""
    table = read_sheet(sheet)
    column = "time" if "time" in table else "start"
    if lacking := [name for name in ("clip", column) if name not in table]:
        raise RasenError(f"{sheet}: has no column {', '.join(lacking)}; it needs clip and time")
    place = {name: number for number, name in enumerate(names)}
    table = table[~table["clip"].isin(rows.left_out)]
    times = pd.to_numeric(table[column], errors="coerce")
    problems = []
    values = np.full(len(rows.clip), np.nan)
    count = np.bincount(rows.clip, minlength=len(names))
    first = np.cumsum(count) - count
    for line, clip, time in zip(table.index + 2, table["clip"], times, strict=True):
        if clip not in place:
            problems.append(f"line {line}: no clip '{clip}'; {suggestion(str(clip), names)}")
        elif not 0 <= time < rows.ends[place[clip]] + 1 / rows.rate:
            problems.append(f"line {line}: {time} s is past the end of {clip}")
        elif (frame := int(time * rows.rate)) < count[place[clip]]:  # else not read by this model
            row = first[place[clip]] + frame
            if np.isnan(values[row]):
                values[row] = time
    raise_all(problems, heading=f"{sheet}: events that cannot be used:")
    return values
