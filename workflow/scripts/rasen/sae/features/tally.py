"""Which rows activate each feature: counts, maxima, examples with their context.

    with open_tally("tally.h5") as tally:            # or tally_dump(...), in memory
        table, examples = feature_table(tally), strong_examples(tally)

Rows are those of the test clips, which the SAE was not trained on (as Inaba et al. 2025), or all.
A tally is stored in the order of the rows and read part by part: some whole clips, with at most
PART activations. What is computed from it passes over the parts and keeps numbers per feature (and
per clip), so memory does not grow with the rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csc_array, csr_array

from rasen.errors import RasenError
from rasen.io import hdf5
from rasen.sae.activation_source import Activations, ActivationSource, Clips, open_activations
from rasen.sae.data_split import TEST, split_by_clip

if TYPE_CHECKING:  # torch would slow down jobs that only read tables
    from rasen.sae.features.words import Words
    from rasen.sae.model import SAE

SHARE, MOST = 0.7, 50  # Inaba et al. 2025: above 0.7 of the maximum, the first 50 sequences
ROWS = ("test", "all")  # which rows are tallied
PART = 1 << 21  # activations in memory at a time, about 200 bytes each while they are counted
ENCODED = 4096  # rows encoded at a time


@dataclass(frozen=True, eq=False)
class Part:
    """Activations of some whole clips."""

    values: csc_array  # [rows, features], float32, rows ascending within a feature
    clip: np.ndarray  # [rows], number of the clip in the dump
    row: np.ndarray  # [rows], number of the row in the dump
    frame: np.ndarray  # [rows], its place in the clip


@dataclass(frozen=True, eq=False)
class Tally:
    """All activations of one SAE on some clips; the arrays may be open datasets of a file.

    features: how many the SAE has;  skip: frames left out at the start of every clip
    clips:    those that are tallied: their first tallied row in the dump, how many are
    entry:    [clips + 1], where the activations of each clip begin
    active:   [rows], how many features fire in each row
    feature, value: [activations], by row
    """

    features: int
    skip: int
    clips: Clips
    entry: np.ndarray
    active: Any
    feature: Any
    value: Any

    @property
    def rows(self) -> int:
        """How many rows are tallied."""
        return int(self.clips.rows.sum())

    def places(self, rows: np.ndarray) -> np.ndarray:
        """The place among the tallied rows of rows of the dump."""
        clip = np.searchsorted(self.clips.start, rows, side="right") - 1
        first = np.cumsum(self.clips.rows) - self.clips.rows
        return first[clip] + rows - self.clips.start[clip]

    def spans(self) -> Iterator[tuple[int, int]]:
        """(first, stop) clips of every part."""
        first = 0
        while first < len(self.clips):
            stop = int(np.searchsorted(self.entry, self.entry[first] + PART, side="right")) - 1
            stop = min(max(stop, first + 1), len(self.clips))
            yield first, stop
            first = stop

    def part(self, first: int, stop: int) -> Part:
        """The activations of the clips from first to stop."""
        begin = int(self.clips.rows[:first].sum())
        rows = self.clips.rows[first:stop]
        entries = slice(int(self.entry[first]), int(self.entry[stop]))
        active = np.asarray(self.active[begin : begin + int(rows.sum())])
        ends = np.concatenate([[0], np.cumsum(active, dtype=np.int64)])
        shape = (len(active), self.features)
        feature = np.asarray(self.feature[entries], np.int32)
        by_row = csr_array((np.asarray(self.value[entries]), feature, ends), shape)
        place = np.arange(len(active)) - np.repeat(np.cumsum(rows) - rows, rows)  # in the clip
        return Part(
            by_row.tocsc(),
            np.repeat(self.clips.number[first:stop], rows),
            np.repeat(self.clips.start[first:stop], rows) + place,
            place + self.skip,
        )

    def parts(self) -> Iterator[Part]:
        """All parts, one after another."""
        return (self.part(*span) for span in self.spans())


def tally_dump(
    sae: "SAE",
    source: Activations,
    layer: int | str | None = None,
    groups: ArrayLike | None = None,
    seed: int = 0,
    rows: str = "test",
    skip: int = 0,
) -> Tally:
    """The Tally of an SAE on a dump (path, layer) or an array, in memory: 8 bytes an activation.

    seed: that of the SAE's training, which divided the clips;  rows: "test" | "all"
    skip: frames left out at the start of every clip; 1 for dumps of other programs that hold the
    frame of a BOS token (Rasen's own do not)
    """
    with open_activations(source, layer, groups) as activations:
        clips = _tallied_clips(activations, seed, rows, skip)
        return _in_memory(_encoded(sae, activations, clips), sae.n, skip, clips)


def write_tally(
    path: Path | str,
    sae: "SAE",
    source: Activations,
    layer: int | str | None = None,
    seed: int = 0,
    rows: str = "test",
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """The same, block by block into a file that `open_tally` reads; attributes: of the file."""
    with open_activations(source, layer) as activations:
        clips = _tallied_clips(activations, seed, rows, 0)
        about = {"features": sae.n, "skip": 0, "tallied": rows, **(attributes or {})}
        with hdf5.create(path, **about) as writer:
            small = np.uint16 if sae.n <= 1 << 16 else np.uint32
            names = {"active": np.uint32, "feature": small, "value": np.float32}
            data = {name: writer.dataset(name, None, (), kind) for name, kind in names.items()}
            counts = _EntryCounts(clips.rows)
            for block in _encoded(sae, activations, clips):
                for dataset, values in zip(data.values(), block, strict=True):
                    dataset.append(values)
                counts.add(block[0])
            writer.array("entry", counts.offsets())
            for field in fields(Clips):
                writer.array(f"clips/{field.name}", getattr(clips, field.name))


@contextmanager
def open_tally(path: Path | str) -> Iterator[Tally]:
    """The tally in a file, to be read part by part."""
    with hdf5.open_file(path) as file:
        clips = Clips(*(file[f"clips/{field.name}"][:] for field in fields(Clips)))
        data = (file[name] for name in ("active", "feature", "value"))
        features, skip = int(file.attrs["features"]), int(file.attrs["skip"])
        yield Tally(features, skip, clips, file["entry"][:], *data)


def tally_codes(
    blocks: Iterable[tuple[slice, np.ndarray, np.ndarray]],
    features: int,
    clip: ArrayLike,
    skip: int = 0,
) -> Tally:
    """The Tally of blocks (slice of rows, indices [rows, k], values [rows, k]), in memory.

    features: how many the SAE has;  clip: of each row [rows], in ascending order
    """
    clip = np.asarray(clip)
    start = np.flatnonzero(np.diff(clip, prepend=clip[0] - 1))
    every = Clips(start, np.diff(start, append=len(clip)), clip[start], clip[start])
    _require_order(every)
    counted = np.arange(len(clip)) - np.repeat(every.start, every.rows) >= skip

    def encoded():
        done = 0
        for rows, indices, values in blocks:
            if rows.stop > len(clip):
                raise _other_rows(len(clip))
            done = rows.stop
            yield _fired(indices[counted[rows]], values[counted[rows]])
        if done != len(clip):
            raise _other_rows(len(clip))

    return _in_memory(encoded(), features, skip, _without_start(every, skip))


def _other_rows(rows):
    return RasenError(f"codes: they are of other rows than the {rows} of the dump")


def _tallied_clips(activations: ActivationSource, seed, rows, skip):
    """The Clips that are tallied, without their first `skip` frames."""
    if rows not in ROWS:
        raise RasenError(f"sae.rows: {rows!r} is not one of {', '.join(ROWS)}")
    clips = activations.clips
    _require_order(clips)
    if rows == "test":
        chosen = split_by_clip(clips.group, seed) == TEST
        clips = Clips(*(getattr(clips, field.name)[chosen] for field in fields(Clips)))
    return _without_start(clips, skip)


def _require_order(clips):
    if (np.diff(clips.number) <= 0).any():
        raise RasenError("clips: the rows of a dump must be in the order of its clips; sort them")


def _without_start(clips, skip):
    skipped = np.minimum(skip, clips.rows)
    return replace(clips, start=clips.start + skipped, rows=clips.rows - skipped)


def _encoded(sae, activations, clips):
    """Blocks (active [rows], feature, value [activations]) of the rows of some clips."""
    for ranges in _blocks_of_ranges(clips):
        x = np.concatenate([activations.read_rows(*span) for span in ranges])
        codes = sae.encode(x)
        yield _fired(codes.indices.cpu().numpy(), codes.values.cpu().numpy())


def _blocks_of_ranges(clips):
    """Lists of (start, stop) of rows, together ENCODED rows; neighbouring clips as one range."""
    block: list[tuple[int, int]] = []
    wanted = ENCODED
    for start, rows in zip(clips.start.tolist(), clips.rows.tolist(), strict=True):
        stop = start + rows
        while start < stop:
            end = min(stop, start + wanted)
            if block and block[-1][1] == start:
                block[-1] = (block[-1][0], end)
            else:
                block.append((start, end))
            wanted -= end - start
            start = end
            if not wanted:
                yield block
                block, wanted = [], ENCODED
    if block:
        yield block


def _fired(indices, values):
    """(active [rows], feature [activations], value) of codes [rows, k]."""
    fires = values > 0
    return fires.sum(1), indices[fires], values[fires].astype(np.float32)


def _in_memory(blocks, features, skip, clips):
    active, feature, value = (np.concatenate(part) for part in zip(*blocks, strict=True))
    counts = _EntryCounts(clips.rows)
    counts.add(active)
    return Tally(
        features, skip, clips, counts.offsets(),
        active.astype(np.uint32), feature.astype(np.int32), value,
    )  # fmt: skip


class _EntryCounts:
    """Where the activations of each clip begin, counted block by block."""

    def __init__(self, rows: np.ndarray) -> None:
        self.ends = np.cumsum(rows)
        self.counts = np.zeros(len(rows), np.int64)
        self.done = 0

    def add(self, active: np.ndarray) -> None:
        """active: [rows] of the next rows."""
        first = np.searchsorted(self.ends, self.done, side="right")
        last = np.searchsorted(self.ends, self.done + len(active))
        ends = np.minimum(self.ends[first : last + 1] - self.done, len(active))
        sums = np.concatenate([[0], np.cumsum(active, dtype=np.int64)])[ends]
        self.counts[first : last + 1] += np.diff(sums, prepend=0)
        self.done += len(active)

    def offsets(self) -> np.ndarray:
        """[clips + 1]"""
        return np.concatenate([[0], np.cumsum(self.counts)])


def feature_table(tally: Tally, share: float = SHARE) -> pd.DataFrame:
    """One row per feature, dead ones too.

    rows, clips          where it fires at all
    rate, clip_rate      the same as shares
    maximum, mean        of its activations (mean over the rows where it fires)
    mean_activation      the mean over all rows, where it does not fire too
    row, clip, frame     of the maximum (-1 for a dead feature)
    strong_clips         clips with an activation above `share` of the maximum
    """
    n = tally.features
    rows, clips, strong = (np.zeros(n, np.int64) for _ in range(3))
    total, maximum = np.zeros(n), np.zeros(n, np.float32)
    place = np.full((3, n), -1)  # row, clip, frame
    for part in tally.parts():
        peaks = strongest_per_clip(part)
        rows += np.diff(part.values.indptr)
        clips += np.bincount(peaks["feature"], minlength=n)
        total += part.values.sum(axis=0, dtype=np.float64)
        best = peaks[peaks["value"] > maximum[peaks["feature"]]]
        best = best.sort_values("value", ascending=False, kind="stable").drop_duplicates("feature")
        maximum[best["feature"]] = best["value"]
        place[:, best["feature"]] = best[["row", "clip", "frame"]].to_numpy().T
    for part in tally.parts():
        peaks = strongest_per_clip(part)
        above = peaks["value"] > share * maximum[peaks["feature"]].astype(float)
        strong += np.bincount(peaks.loc[above, "feature"], minlength=n)
    return pd.DataFrame(
        {
            "feature": np.arange(n),
            "rows": rows,
            "clips": clips,
            "rate": rows / max(1, tally.rows),
            "clip_rate": clips / max(1, len(tally.clips)),
            "maximum": maximum,
            "mean": total / np.maximum(rows, 1),
            "mean_activation": total / max(1, tally.rows),
            "row": place[0],
            "clip": place[1],
            "frame": place[2],
            "strong_clips": strong,
        }
    )


def strongest_per_clip(part: Part, values: np.ndarray | None = None) -> pd.DataFrame:
    """The strongest row (the first of equals) of every feature in every clip where it fires.

    values: to rank by, one per activation, instead of the activations
    Returns a table feature, clip, row, frame, value, mean (over all rows of the clip), by feature,
    then in the order of the clips.
    """
    matrix = part.values
    feature = np.repeat(np.arange(matrix.shape[1], dtype=np.int32), np.diff(matrix.indptr))
    clip = part.clip[matrix.indices]
    values = matrix.data if values is None else values
    # runs of activations of one feature in one clip
    begins = np.ones(len(clip), bool)
    begins[1:] = (feature[1:] != feature[:-1]) | (clip[1:] != clip[:-1])
    starts = np.flatnonzero(begins)
    highest = np.maximum.reduceat(values, starts) if len(starts) else values
    run = np.cumsum(begins, dtype=np.int32) - 1
    strongest = np.flatnonzero(values == highest[run])
    strongest = strongest[np.diff(run[strongest], prepend=-1) > 0]  # the first of each run
    place = matrix.indices[strongest]
    sums = np.add.reduceat(matrix.data.astype(float), starts) if len(starts) else values
    numbers, sizes = np.unique(part.clip, return_counts=True)
    return pd.DataFrame(
        {
            "feature": feature[strongest],
            "clip": clip[strongest],
            "row": part.row[place],
            "frame": part.frame[place],
            "value": matrix.data[strongest].astype(float),
            "mean": sums / sizes[np.searchsorted(numbers, clip[strongest])],
        }
    )


def strong_examples(
    tally: Tally, share: float = SHARE, most: int = MOST, tenths: bool = False
) -> pd.DataFrame:
    """The first `most` clips with an activation above `share` of a feature's maximum.

    This is the rule of Inaba et al. 2025. One example is a clip, represented by its strongest
    row. tenths: activations are rounded up to tenths of the greatest of the examples before the
    strongest row (then the first of equals) is looked for, as in the files of Inaba et al.
    Returns a table feature, rank, clip, row, frame, value, in the order of the clips.
    """
    maximum = np.zeros(tally.features)
    for part in tally.parts():
        maximum = np.maximum(maximum, part.values.max(axis=0).toarray().ravel())
    shown, have = [], np.zeros(tally.features, np.int64)
    for part in tally.parts():
        peaks = strongest_per_clip(part)
        peaks = peaks[peaks["value"] > share * maximum[peaks["feature"]]]
        rank = have[peaks["feature"]] + peaks.groupby("feature").cumcount()
        shown.append(peaks.assign(rank=rank)[rank < most])
        have += np.bincount(peaks["feature"], minlength=tally.features)
    columns = ["feature", "rank", "clip", "row", "frame", "value"]
    examples = pd.concat(shown)[columns].sort_values(["feature", "rank"], ignore_index=True)
    return _in_tenths(tally, examples) if tenths and len(examples) else examples


def _in_tenths(tally, examples):
    """The same clips, each with the first row that looks strongest in tenths."""
    greatest_shown = np.ones(tally.features)
    greatest = examples.groupby("feature")["value"].max()
    greatest_shown[greatest.index] = greatest
    keys = examples[["feature", "clip"]]
    found = []
    for part in tally.parts():
        feature = np.repeat(np.arange(tally.features), np.diff(part.values.indptr))
        rounded = np.ceil(part.values.data * 10.0 / greatest_shown[feature])
        peaks = strongest_per_clip(part, rounded).drop(columns="mean")
        found.append(peaks.merge(keys, on=["feature", "clip"]))
    return examples[["feature", "clip", "rank"]].merge(
        pd.concat(found), on=["feature", "clip"], how="left"
    )[examples.columns]


def top_clips(tally: Tally, most: int = 10) -> pd.DataFrame:
    """The `most` clips with the greatest mean activation of each feature, the greatest first.

    As Singh et al. 2025 choose what is listened to.
    Returns a table feature, rank, clip, row, frame, value (of the strongest row), mean.
    """
    top = None
    for part in tally.parts():
        peaks = strongest_per_clip(part)
        peaks = peaks if top is None else pd.concat([top, peaks])
        peaks = peaks.sort_values(["feature", "mean"], ascending=[True, False], kind="stable")
        top = peaks[peaks.groupby("feature").cumcount() < most]
    columns = ["feature", "rank", "clip", "row", "frame", "value", "mean"]
    if top is None:
        return pd.DataFrame(columns=columns)
    return top.assign(rank=top.groupby("feature").cumcount())[columns].reset_index(drop=True)


def with_context(
    tally: Tally,
    examples: pd.DataFrame,
    words: "Words | Sequence[str]",
    before: int = 8,
    after: int = 4,
    mark: str = "«»",
) -> pd.DataFrame:
    """Examples with the columns word, context (the word marked), from_frame and to_frame.

    words: of the tallied rows (for text the decoded token, for music a code, a chord...)
    The window keeps `before` and `after` rows of the same clip.
    """
    clip = np.searchsorted(tally.clips.start, examples["row"], side="right") - 1
    frame = (examples["frame"] - tally.skip).to_numpy()  # among the tallied ones of the clip
    place = tally.places(examples["row"].to_numpy())
    first = np.maximum(frame - before, 0)
    last = np.minimum(frame + after, tally.clips.rows[clip] - 1)
    contexts = []
    for here, left, right in zip(place, first - frame, last - frame, strict=True):
        shown = [str(words[row]) for row in range(here + left, here + right + 1)]
        shown[-left] = mark[0] + shown[-left] + mark[1]
        contexts.append("".join(shown))
    return examples.assign(
        word=np.array([str(words[row]) for row in place], object),
        context=contexts,
        from_frame=first + tally.skip,
        to_frame=last + tally.skip,
    )
