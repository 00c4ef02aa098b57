"""Which rows activate each feature: counts, maxima, examples with their context.

One pass over the codes keeps every activation, sorted by feature: 8 bytes each (row and value),
so a million rows with k = 32 are 256 MB, and twice that while they are sorted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csc_array, csr_array

from rasen.errors import RasenError
from rasen.io import hdf5
from rasen.sae.activation_source import Activations, open_activations
from rasen.sae.sparse_codes import codes

if TYPE_CHECKING:  # torch would slow down jobs that only read tables
    from rasen.sae.model import SAE

SHARE, MOST = 0.7, 50  # Inaba et al. 2025: above 0.7 of the maximum, the first 50 sequences


@dataclass(frozen=True, eq=False)
class Tally:
    """All activations of one SAE on one dump."""

    values: csc_array  # [rows, features], float32, rows ascending within a feature
    clip: np.ndarray  # [rows], which clip a row is of
    frame: np.ndarray  # [rows], and which of its frames
    counted: np.ndarray  # [rows], False for skipped rows: they have no activations


def tally_dump(
    sae: "SAE",
    source: Activations,
    layer: int | str | None = None,
    groups: ArrayLike | None = None,
    skip: int = 0,
) -> Tally:
    """The Tally of an SAE on a dump (path, layer) or an array (see rasen.sae.sparse_codes).

    skip: frames left out at the start of every clip; 1 for dumps of other programs that hold the
    frame of a BOS token (Rasen's own do not)
    """
    with open_activations(source, layer, groups) as activations:
        clip = activations.groups
        frame = activations.frames if activations.frames is not None else _frames(clip)
    return tally_codes(codes(sae, source, layer, groups), sae.n, clip, frame, skip)


def tally_codes(
    blocks: Iterable[tuple[slice, np.ndarray, np.ndarray]],
    features: int,
    clip: ArrayLike,
    frame: ArrayLike,
    skip: int = 0,
) -> Tally:
    """The Tally of blocks (slice of rows, indices [rows, k], values [rows, k]).

    features: how many the SAE has;  clip, frame: of each row [rows], clips in ascending order
    """
    clip, frame = np.asarray(clip), np.asarray(frame)
    if (np.diff(clip) < 0).any():
        raise RasenError("clips: the rows of a dump must be in the order of its clips; sort them")
    counted = frame >= skip
    columns, values, lengths = [], [], []
    for rows, indices, activations in blocks:
        if rows.stop > len(clip):
            break
        fires = (activations > 0) & counted[rows, None]
        columns.append(indices[fires].astype(np.int32))
        values.append(activations[fires].astype(np.float32))
        lengths.append(fires.sum(1))
    ends = np.concatenate([[0], *lengths]).cumsum()
    if len(ends) != len(clip) + 1:
        raise RasenError(f"codes: they are of other rows than the {len(clip)} of the dump")
    shape = (len(clip), features)
    by_row = csr_array((np.concatenate(values), np.concatenate(columns), ends), shape)
    return Tally(by_row.tocsc(), clip.astype(np.int32), frame.astype(np.int32), counted)


def _frames(clip):
    return np.arange(len(clip)) - np.searchsorted(clip, clip)


def write_tally(path: Path | str, tally: Tally, **attributes: Any) -> None:
    """Store a tally, whole or not at all."""
    with hdf5.create(path, features=tally.values.shape[1], **attributes) as writer:
        datasets = {
            "entries/value": tally.values.data,
            "entries/row": tally.values.indices.astype(np.uint32),
            "features/start": tally.values.indptr.astype(np.int64),
            "rows/clip": tally.clip,
            "rows/frame": tally.frame,
            "rows/counted": tally.counted,
        }
        for name, values in datasets.items():
            writer.dataset(name, None, (), values.dtype).append(values)


def read_tally(path: Path | str) -> Tally:
    """The tally that `write_tally` stored."""
    with hdf5.open_file(path) as file:
        clip, frame, counted = (file[f"rows/{name}"][:] for name in ("clip", "frame", "counted"))
        entries = (file[f"entries/{name}"][:] for name in ("value", "row"))
        shape = (len(clip), int(file.attrs["features"]))
        values = csc_array((*entries, file["features/start"][:]), shape)
    return Tally(values, clip, frame, counted)


def feature_table(tally: Tally, share: float = SHARE) -> pd.DataFrame:
    """One row per feature, dead ones too.

    rows, clips          where it fires at all
    rate, clip_rate      the same as shares
    maximum, mean        of its activations (mean over the rows where it fires)
    row, clip, frame     of the maximum (-1 for a dead feature)
    strong_clips         clips with an activation above `share` of the maximum
    """
    n = tally.values.shape[1]
    peaks = strongest_per_clip(tally)
    rows = np.diff(tally.values.indptr)
    maximum = tally.values.max(axis=0).toarray().ravel()
    strong = peaks[peaks["value"] > share * maximum[peaks["feature"]].astype(float)]
    best = peaks[peaks["value"] == maximum[peaks["feature"]]].drop_duplicates("feature")
    best = best.set_index("feature").reindex(range(n), fill_value=-1)
    clips = np.bincount(peaks["feature"], minlength=n)
    return pd.DataFrame(
        {
            "feature": np.arange(n),
            "rows": rows,
            "clips": clips,
            "rate": rows / max(1, tally.counted.sum()),
            "clip_rate": clips / len(np.unique(tally.clip)),
            "maximum": maximum,
            "mean": tally.values.sum(axis=0) / np.maximum(rows, 1),
            "row": best["row"].to_numpy(),
            "clip": best["clip"].to_numpy(),
            "frame": best["frame"].to_numpy(),
            "strong_clips": np.bincount(strong["feature"], minlength=n),
        }
    )


def strongest_per_clip(tally: Tally, values: np.ndarray | None = None) -> pd.DataFrame:
    """The strongest row (the first of equals) of every feature in every clip where it fires.

    values: to rank by, one per activation, instead of the activations
    Returns a table feature, clip, row, frame, value, by feature, then in the order of the clips.
    """
    matrix = tally.values
    feature = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
    clip = tally.clip[matrix.indices]
    values = matrix.data if values is None else values
    # runs of activations of one feature in one clip
    begins = np.ones(len(clip), bool)
    begins[1:] = (feature[1:] != feature[:-1]) | (clip[1:] != clip[:-1])
    starts = np.flatnonzero(begins)
    highest = np.maximum.reduceat(values, starts) if len(starts) else values
    run = np.cumsum(begins) - 1
    strongest = np.flatnonzero(values == highest[run])
    strongest = strongest[np.diff(run[strongest], prepend=-1) > 0]  # the first of each run
    row = matrix.indices[strongest]
    return pd.DataFrame(
        {
            "feature": feature[strongest],
            "clip": clip[strongest],
            "row": row,
            "frame": tally.frame[row],
            "value": matrix.data[strongest].astype(float),
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
    peaks = strongest_per_clip(tally)
    maximum = tally.values.max(axis=0).toarray().ravel().astype(float)
    examples = _first_of_each_feature(
        peaks[peaks["value"] > share * maximum[peaks["feature"]]], most
    )
    if tenths and len(examples):
        greatest_shown = np.ones(tally.values.shape[1])
        greatest = examples.groupby("feature")["value"].max()
        greatest_shown[greatest.index] = greatest
        feature = np.repeat(np.arange(len(greatest_shown)), np.diff(tally.values.indptr))
        rounded = np.ceil(tally.values.data * 10.0 / greatest_shown[feature])
        rounded_peaks = strongest_per_clip(tally, rounded).set_index(["feature", "clip"])
        keys = pd.MultiIndex.from_frame(examples[["feature", "clip"]])
        for name in ("row", "frame", "value"):
            examples[name] = rounded_peaks.loc[keys, name].to_numpy()
    return examples


def strongest_examples(tally: Tally, most: int = 10) -> pd.DataFrame:
    """The `most` clips with the strongest activations of each feature, the strongest first.

    Called from notebooks.
    """
    peaks = strongest_per_clip(tally)
    peaks = peaks.sort_values(["feature", "value"], ascending=[True, False], kind="stable")
    return _first_of_each_feature(peaks, most)


def _first_of_each_feature(peaks, most):
    peaks = peaks.assign(rank=peaks.groupby("feature").cumcount())
    columns = ["feature", "rank", "clip", "row", "frame", "value"]
    return peaks.loc[peaks["rank"] < most, columns].reset_index(drop=True)


def with_context(
    tally: Tally,
    examples: pd.DataFrame,
    words: Sequence[str] | np.ndarray,
    before: int = 8,
    after: int = 4,
    mark: str = "«»",
) -> pd.DataFrame:
    """Examples with the columns word, context (the word marked), from_frame and to_frame.

    words: one string per row of the dump (for text the decoded token, for music a code, a chord...)
    The window keeps `before` and `after` rows of the same clip.
    """
    clip_if_counted = np.where(tally.counted, tally.clip, -1)
    contexts, from_frame, to_frame = [], [], []
    for row in examples["row"].to_numpy():
        start, stop = max(0, row - before), min(len(words), row + after + 1)
        window = np.flatnonzero(clip_if_counted[start:stop] == tally.clip[row]) + start
        left = "".join(words[window[0] : row])
        right = "".join(words[row + 1 : window[-1] + 1])
        contexts.append(left + mark[0] + words[row] + mark[1] + right)
        from_frame.append(tally.frame[window[0]])
        to_frame.append(tally.frame[window[-1]])
    return examples.assign(
        word=np.asarray(words, object)[examples["row"]],
        context=contexts,
        from_frame=from_frame,
        to_frame=to_frame,
    )
