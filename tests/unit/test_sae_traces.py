"""The activation of features over the time of their top clips."""

import time

import numpy as np
import pytest
from test_sae_tally import CLIP, dense, tallied

from rasen.sae.features import tally, traces
from rasen.sae.features.words import Words


def naive(x, clip, row, first, each, count):
    """Levels of one pair by a loop over its frames."""
    rows = np.flatnonzero(clip == row.clip)[first:]
    values = x[rows, row.feature] / x[:, row.feature].max()
    parts = [values[at : at + each] for at in range(0, each * count, each)]
    return [int(np.ceil(np.float32(part.max()) * 255)) for part in parts]


@pytest.mark.parametrize(("values", "part"), [(256, 1 << 21), (8, 1 << 21), (7, 40)])
def test_levels_are_those_of_a_loop(rng, monkeypatch, values, part):
    monkeypatch.setattr(traces, "VALUES", values)
    monkeypatch.setattr(tally, "PART", part)
    x = dense(rng)
    counts = tallied(x)
    table = traces.with_activation(counts, tally.top_clips(counts, 4), x.max(0))
    each = -(-25 // values)
    for row in table.itertuples():
        assert (row.first_frame, row.frames_each) == (0, each)
        assert [*row.activation] == naive(x, CLIP, row, 0, each, -(-25 // each))
    strongest = [row.activation[row.frame // each] for row in table.itertuples()]
    assert [max(levels) for levels in table["activation"]] == strongest
    assert max(map(max, table["activation"])) == 255


def test_a_weak_activation_is_not_nothing():
    x = np.zeros((50, 1), np.float32)
    x[[3, 30], 0] = [1e-4, 100]
    counts = tallied(x, np.arange(50) // 25)
    table = traces.with_activation(counts, tally.top_clips(counts), x.max(0))
    assert sorted(max(levels) for levels in table["activation"]) == [1, 255]


def test_texts_have_the_tokens_around_the_strongest(rng, monkeypatch):
    monkeypatch.setattr(traces, "BEFORE", 3)
    monkeypatch.setattr(traces, "TOKENS", 6)
    x = dense(rng)
    counts = tallied(x, skip=1)  # a token in front of every clip that is not counted
    named = np.array([f"<b>{row}" for row in range(len(x))])
    words = Words([named[np.arange(len(x)) % 25 > 0]])
    table = traces.with_activation(counts, tally.top_clips(counts, 4), x.max(0), words)
    for row in table.itertuples():
        rows = np.flatnonzero(row.clip == CLIP)[row.first_frame :][:6]
        assert list(row.tokens) == list(named[rows])
        assert row.first_frame >= 1
        assert f"<b>{row.row}" in row.tokens
        shown = x[rows, row.feature] / x[1:, row.feature].max()
        assert [*row.activation] == [int(np.ceil(np.float32(value) * 255)) for value in shown]


def test_no_clips_have_no_activation(rng):
    x = dense(rng)
    counts = tallied(x)
    nothing = tally.top_clips(counts).iloc[:0]
    assert traces.with_activation(counts, nothing, x.max(0)).empty
    words = Words([[str(row) for row in range(len(x))]])
    assert traces.with_activation(counts, nothing, x.max(0), words).empty


def test_many_features_take_seconds(rng):
    """30,000 features with ten clips each, two million activations."""
    clips, frames, features, active = 1000, 200, 30_000, 10
    index = rng.integers(0, features, (clips * frames, active))
    values = rng.random((clips * frames, active), dtype=np.float32)
    clip = np.repeat(np.arange(clips), frames)
    counts = tally.tally_codes([(slice(0, len(clip)), index, values)], features, clip)
    listed, maximum = tally.top_clips(counts), tally.feature_table(counts)["maximum"].to_numpy()
    begun = time.process_time()
    table = traces.with_activation(counts, listed, maximum)
    assert len(table) > 290_000
    assert time.process_time() - begun < 20
