"""The activation of a feature over the time of a clip, small enough to be drawn for thousands."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rasen.sae.features.tally import Tally

if TYPE_CHECKING:
    from rasen.sae.features.words import Words

VALUES = 256  # of a clip at most: a screen shows no more beside each other
BEFORE, TOKENS = 40, 64  # of a text those around the strongest: so many before it, so many in all
FULL = 255


def with_activation(
    tally: Tally, listed: pd.DataFrame, maximum: np.ndarray, words: "Words | None" = None
) -> pd.DataFrame:
    """Pairs of a feature and a clip with the columns first_frame, frames_each and activation.

    listed: a table feature, clip, frame (of the strongest row) of clips that are tallied
    maximum: [features], of each feature's activations
    words: of the tallied rows, where the model reads text; then the column tokens too
    activation: bytes, from 0 to 255 (the maximum; 0 only where the feature does not fire); each is
    the greatest of frames_each frames, the first begins at first_frame
    """
    place = np.searchsorted(tally.clips.number, listed["clip"])
    rows = tally.clips.rows[place]
    if words is None:
        first, most = np.zeros(len(listed), np.int64), VALUES
        each = np.maximum(1, -(-rows // VALUES))
    else:
        strongest = listed["frame"].to_numpy() - tally.skip
        first, most = np.clip(strongest - BEFORE, 0, np.maximum(rows - TOKENS, 0)), TOKENS
        each = np.ones(len(listed), np.int64)
    count = np.minimum(-(-(rows - first) // each), most)
    ends = np.cumsum(count)
    begins = ends - count
    values = np.zeros(int(count.sum()), np.uint8)
    feature = listed["feature"].to_numpy()
    for start, stop in tally.spans():
        inside = np.flatnonzero((place >= start) & (place < stop))
        pair, frame, value = _activations(tally, (start, stop), feature, place, inside)
        bins = (frame - first[pair]) // each[pair]
        shown = (bins >= 0) & (bins < count[pair])
        pair, bins = pair[shown], bins[shown]
        level = np.ceil(value[shown] / maximum[feature[pair]] * FULL)
        np.maximum.at(values, begins[pair] + bins, np.clip(level, 1, FULL).astype(np.uint8))
    raw = values.tobytes()
    table = listed.assign(
        first_frame=first + tally.skip,
        frames_each=each,
        activation=[raw[begin:end] for begin, end in zip(begins, ends, strict=True)],
    )
    if words is None:
        return table
    row = np.cumsum(tally.clips.rows) - tally.clips.rows  # the first of each clip
    each_row = np.arange(len(values)) + np.repeat(row[place] + first - begins, count)
    spelled = np.split(words.spellings[words.which[each_row]], ends[:-1])
    return table.assign(tokens=spelled[: len(listed)])


def _activations(tally, span, feature, place, inside):
    """(pair, frame in its clip, value) of all activations of the pairs `inside` some clips."""
    part = tally.part(*span)
    clips = span[1] - span[0]
    of_row = np.repeat(np.arange(clips), tally.clips.rows[span[0] : span[1]])
    matrix = part.values
    column = np.repeat(np.arange(matrix.shape[1]), np.diff(matrix.indptr))
    keys = column * clips + of_row[matrix.indices]  # ascending, as rows are within a column
    wanted = feature[inside] * clips + place[inside] - span[0]
    left, right = (np.searchsorted(keys, wanted, side) for side in ("left", "right"))
    length = right - left
    entry = np.arange(length.sum()) + np.repeat(left - (np.cumsum(length) - length), length)
    frame = part.frame[matrix.indices[entry]] - tally.skip
    return np.repeat(inside, length), frame, matrix.data[entry]
