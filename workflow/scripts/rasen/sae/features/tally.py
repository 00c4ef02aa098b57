"""Which rows activate each feature: counts, maxima, examples with their context.

One pass over the codes keeps every activation, sorted by feature: 8 bytes each (row and value),
so a million rows with k = 32 are 256 MB, and twice that while they are sorted.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csc_array, csr_array

from rasen.errors import RasenError
from rasen.io import hdf5
from rasen.sae.activation_source import open_activations as open_source
from rasen.sae.sparse_codes import codes

SHARE, MOST = 0.7, 50  # of the seed: above 0.7 of the maximum, the first 50 sequences


class Tally(NamedTuple):
    """All activations of one SAE on one dump."""

    values: csc_array  # [rows, features], float32, rows ascending within a feature
    clip: np.ndarray  # [rows], which clip a row is of
    frame: np.ndarray  # [rows], and which of its frames
    counted: np.ndarray  # [rows], False for rows left out (BOS): they have no activations


def of_dump(sae, source, layer=None, groups=None, skip=0):
    """The Tally of an SAE on a dump (path, layer) or an array (see rasen.sae.coding).

    skip: frames left out at the start of every clip (1 where a BOS token stands there)
    """
    with open_source(source, layer, groups) as data:
        clip = data.groups
        frame = data.frames if data.frames is not None else _frames(clip)
    return count(codes(sae, source, layer, groups), sae.n, clip, frame, skip)


def count(parts, features, clip, frame, skip=0):
    """The Tally of an iterable of (slice of rows, indices [rows, k], values [rows, k])."""
    clip, frame = np.asarray(clip), np.asarray(frame)
    if (np.diff(clip) < 0).any():
        raise RasenError("clips: the rows of a dump must be in the order of its clips; sort them")
    counted = frame >= skip
    columns, values, lengths = [], [], []
    for rows, indices, amounts in parts:
        if rows.stop > len(clip):
            break
        fires = (amounts > 0) & counted[rows, None]
        columns.append(indices[fires].astype(np.int32))
        values.append(amounts[fires].astype(np.float32))
        lengths.append(fires.sum(1))
    ends = np.concatenate([[0], *lengths]).cumsum()
    if len(ends) != len(clip) + 1:
        raise RasenError(f"codes: they are of other rows than the {len(clip)} of the dump")
    shape = (len(clip), features)
    by_row = csr_array((np.concatenate(values), np.concatenate(columns), ends), shape)
    return Tally(by_row.tocsc(), clip.astype(np.int32), frame.astype(np.int32), counted)


def _frames(clip):
    return np.arange(len(clip)) - np.searchsorted(clip, clip)


def write_tally(path, tally, **attributes):
    """Store a tally, whole or not at all."""
    with hdf5.create(path, features=tally.values.shape[1], **attributes) as writer:
        parts = {
            "entries/value": tally.values.data,
            "entries/row": tally.values.indices.astype(np.uint32),
            "features/start": tally.values.indptr.astype(np.int64),
            "rows/clip": tally.clip,
            "rows/frame": tally.frame,
            "rows/counted": tally.counted,
        }
        for name, values in parts.items():
            writer.dataset(name, None, (), values.dtype).append(values)


def read_tally(path):
    """The tally that `write` stored."""
    with hdf5.open_file(path) as file:
        clip, frame, counted = (file[f"rows/{name}"][:] for name in ("clip", "frame", "counted"))
        entries = (file[f"entries/{name}"][:] for name in ("value", "row"))
        shape = (len(clip), int(file.attrs["features"]))
        values = csc_array((*entries, file["features/start"][:]), shape)
    return Tally(values, clip, frame, counted)


def table(tally, share=SHARE):
    """One row a feature, dead ones too.

    rows, clips          where it fires at all
    rate, clip_rate      the same as shares
    maximum, mean        of its activations (mean over the rows where it fires)
    row, clip, frame     of the maximum (-1 for a dead feature)
    strong_clips         clips with an activation above `share` of the maximum
    """
    n = tally.values.shape[1]
    tops = peaks(tally)
    rows = np.diff(tally.values.indptr)
    maximum = tally.values.max(axis=0).toarray().ravel()
    strong = tops[tops["value"] > share * maximum[tops["feature"]].astype(float)]
    best = tops[tops["value"] == maximum[tops["feature"]]].drop_duplicates("feature")
    best = best.set_index("feature").reindex(range(n), fill_value=-1)
    clips = np.bincount(tops["feature"], minlength=n)
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


def peaks(tally, values=None):
    """The strongest row (the first of equals) of every feature in every clip where it fires.

    values: to rank by, one an activation, instead of the activations
    Returns a table feature, clip, row, frame, value, by feature, then in the order of the clips.
    """
    matrix = tally.values
    feature = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
    clip = tally.clip[matrix.indices]
    values = matrix.data if values is None else values
    new = np.ones(len(clip), bool)
    new[1:] = (feature[1:] != feature[:-1]) | (clip[1:] != clip[:-1])
    starts = np.flatnonzero(new)
    highest = np.maximum.reduceat(values, starts) if len(starts) else values
    run = np.cumsum(new) - 1
    at = np.flatnonzero(values == highest[run])
    at = at[np.diff(run[at], prepend=-1) > 0]
    row = matrix.indices[at]
    return pd.DataFrame(
        {
            "feature": feature[at],
            "clip": clip[at],
            "row": row,
            "frame": tally.frame[row],
            "value": matrix.data[at].astype(float),
        }
    )


def examples(tally, share=SHARE, most=MOST, tenths=False):
    """The seed's rule: the first `most` clips with an activation above `share` of the maximum.

    One example is a clip, told by its strongest row. tenths: activations are rounded up to tenths
    of the greatest one shown before the strongest row (then the first of equals) is looked for,
    as the files of Inaba et al. have it.
    Returns a table feature, rank, clip, row, frame, value, in the order of the clips.
    """
    tops = peaks(tally)
    maximum = tally.values.max(axis=0).toarray().ravel().astype(float)
    found = tops[tops["value"] > share * maximum[tops["feature"]]]
    found = _ranked(found, most)
    if tenths and len(found):
        shown = np.ones(tally.values.shape[1])
        greatest = found.groupby("feature")["value"].max()
        shown[greatest.index] = greatest
        feature = np.repeat(np.arange(len(shown)), np.diff(tally.values.indptr))
        rounded = np.ceil(tally.values.data * 10.0 / shown[feature])
        again = peaks(tally, rounded).set_index(["feature", "clip"])
        keys = pd.MultiIndex.from_frame(found[["feature", "clip"]])
        for name in ("row", "frame", "value"):
            found[name] = again.loc[keys, name].to_numpy()
    return found


def top(tally, most=10):
    """The `most` clips with the strongest activations of each feature, the strongest first."""
    tops = peaks(tally).sort_values(["feature", "value"], ascending=[True, False], kind="stable")
    return _ranked(tops, most)


def _ranked(found, most):
    found = found.assign(rank=found.groupby("feature").cumcount())
    columns = ["feature", "rank", "clip", "row", "frame", "value"]
    return found.loc[found["rank"] < most, columns].reset_index(drop=True)


def in_context(tally, found, words, before=8, after=4, mark="«»"):
    """Examples with the columns word, context (the word marked), from_frame and to_frame.

    words: one string a row of the dump (for text the decoded token, for music a code, a chord...)
    The window keeps `before` and `after` rows of the same clip.
    """
    counted = np.where(tally.counted, tally.clip, -1)
    texts, first, last = [], [], []
    for row in found["row"].to_numpy():
        start, stop = max(0, row - before), min(len(words), row + after + 1)
        near = np.flatnonzero(counted[start:stop] == tally.clip[row]) + start
        left = "".join(words[near[0] : row])
        right = "".join(words[row + 1 : near[-1] + 1])
        texts.append(left + mark[0] + words[row] + mark[1] + right)
        first.append(tally.frame[near[0]])
        last.append(tally.frame[near[-1]])
    about = {"context": texts, "from_frame": first, "to_frame": last}
    return found.assign(word=np.asarray(words, object)[found["row"]], **about)
