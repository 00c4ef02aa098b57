"""Metrics of probes: by hand, and their intervals by brute force."""

import numpy as np
import pytest

from rasen.probes.events import clip_scores, f_measure, metronome, peaks
from rasen.probes.intervals import MOST, interval, resampling, units
from rasen.probes.keys import parse, worth
from rasen.probes.metrics import METRICS


def value(metric, truth, scores, classes=(), unit=None, weights=None):
    unit = np.arange(len(truth)) if unit is None else unit
    weights = np.ones((1, unit.max() + 1)) if weights is None else weights
    one = METRICS[metric]
    return one.value(one.parts(truth, scores, unit, weights, classes)[None])


def answers(codes, count):
    return np.eye(count)[codes]


def test_accuracy_and_macro_f1():
    truth, found = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    names = ("a", "b", "c")
    assert value("accuracy", truth, answers(found, 3), names) == pytest.approx(4 / 6)
    # F1 of a: 2*2/(3+3), of b: 2*2/(3+2), of c: 0
    expected = (4 / 6 + 4 / 5 + 0) / 3
    assert value("macro_f1", truth, answers(found, 3), names) == pytest.approx(expected)
    assert METRICS["accuracy"].chance(truth, names) == 0.5
    assert METRICS["macro_f1"].chance(truth, names) == pytest.approx(1 / 3)


def test_r2():
    truth, found = np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 3, 5])
    assert value("r2", truth, found[:, None]) == pytest.approx(1 - 1 / 5)
    assert value("r2", truth, np.full((4, 1), 2.5)) == pytest.approx(0)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("C major", (0, "major")), ("c:min", (0, "minor")), ("Db", (1, "major")),
        ("Am", (9, "minor")), ("F# minor", (6, "minor")), ("Bb:maj", (10, "major")),
        ("b", (11, "major")), ("Cb major", (11, "major")), ("H major", None),
        ("C dorian", None), ("", None),
    ],
)  # fmt: skip
def test_names_of_keys(name, key):
    assert parse(name) == key


@pytest.mark.parametrize(
    ("truth", "answer", "expected"),
    [
        ("C major", "C major", 1), ("C major", "G major", 0.5), ("C major", "F major", 0),
        ("C major", "A minor", 0.3), ("A minor", "C major", 0.3), ("C major", "C minor", 0.2),
        ("C minor", "C major", 0.2), ("A minor", "E minor", 0.5), ("C major", "E minor", 0),
        ("C minor", "Eb major", 0.3), ("C major", "D major", 0),
    ],
)  # fmt: skip
def test_worth_of_a_wrong_key(truth, answer, expected):
    """The fifth above counts, as mir_eval has it; the fifth below does not."""
    assert worth(parse(truth), parse(answer)) == expected
    names = (truth, answer) if truth != answer else (truth,)
    scores = answers(np.array([len(names) - 1]), len(names))
    assert value("key_score", np.array([0]), scores, names) == expected


def test_ranks_by_hand():
    truth = np.array([[1], [0], [1], [0]], dtype=bool)
    scores = np.array([[0.9], [0.8], [0.7], [0.1]])
    assert value("roc_auc", truth, scores) == pytest.approx(3 / 4)
    assert value("average_precision", truth, scores) == pytest.approx((1 + 2 / 3) / 2)
    tied = np.zeros((4, 1))
    assert value("roc_auc", truth, tied) == pytest.approx(0.5)
    assert value("average_precision", truth, tied) == pytest.approx(0.5)
    assert METRICS["average_precision"].chance(truth, ()) == 0.5


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "r2", "roc_auc", "average_precision"])
def test_a_resample_counts_rows_as_often_as_it_drew_them(metric, rng):
    group = np.repeat(np.arange(12), 5)
    weights = resampling(12, 20, seed=1)[:21]
    if metric in ("roc_auc", "average_precision"):
        truth, scores = rng.random((60, 2)) < 0.4, rng.standard_normal((60, 2)).round(1)
    elif metric == "r2":
        truth, scores = rng.standard_normal(60), rng.standard_normal((60, 1))
    else:
        truth, scores = rng.integers(0, 3, 60), rng.standard_normal((60, 3))
    names = ("a", "b", "c")
    found = value(metric, truth, scores, names, group, weights)
    assert (weights[0] == 1).all()
    for draw in range(len(weights)):
        rows = np.repeat(np.arange(60), weights[draw][group].astype(int))
        assert found[draw] == pytest.approx(value(metric, truth[rows], scores[rows], names)[0])


def test_many_groups_are_resampled_in_units_of_equal_numbers_of_groups(rng):
    group = rng.permutation(np.repeat(np.arange(5000), 2))
    unit = units(group, seed=0)
    assert unit.max() == MOST - 1
    assert len(np.unique(np.stack([group, unit]), axis=1).T) == 5000
    x = rng.standard_normal(5000)[group]
    exact = x[np.argsort(group)].reshape(-1, 2).mean(1).std() / np.sqrt(5000)
    parts = resampling(MOST, 1000, 0) @ np.bincount(unit, x, MOST) / len(x)
    _, low, high = interval(parts, 5000)
    assert (high - low) / 2 / 1.96 == pytest.approx(exact, rel=0.1)
    assert np.isnan(interval(parts, 1)[1])


def test_intervals_cover_as_often_as_they_say(rng):
    """Accuracy over 30 songs whose own rates differ: 95 % intervals over songs hold it."""
    hits, weights = 0, resampling(30, 500, 0)
    for _ in range(200):
        rate = rng.beta(2, 1, 30)
        right = rng.random((30, 10)) < rate[:, None]
        scores = answers(np.where(right.ravel(), 0, 1), 2)
        truth, group = np.zeros(300, dtype=int), np.repeat(np.arange(30), 10)
        _, low, high = interval(value("accuracy", truth, scores, ("a", "b"), group, weights), 30)
        hits += low <= 2 / 3 <= high
    assert 0.89 <= hits / 200 <= 0.99


# --- events


def test_events_are_matched_once_each_within_the_tolerance():
    truth = np.array([1.0, 2.0, 3.0])
    assert f_measure(truth, np.array([1.05, 2.07, 3.2]), 0.07) == pytest.approx(2 / 3)
    assert f_measure(truth, np.array([0.97, 1.0, 1.03]), 0.07) == pytest.approx(1 / 3)
    # the first answer must take the first truth, so that the second has its own
    assert f_measure(np.array([1.0, 1.1]), np.array([1.05, 1.15]), 0.07) == 1
    assert f_measure(truth, np.empty(0), 0.07) == 0
    assert f_measure(np.empty(0), truth, 0.07) == 0


def test_peaks_are_the_highest_nearby_as_many_as_expected():
    time = np.arange(100) / 25
    scores = np.full(100, -1.0)
    scores[[10, 40, 41, 60]] = [0.9, 0.3, 0.6, -0.9]  # two and a half events are expected
    assert peaks(scores, time, 0.07).tolist() == [10 / 25, 41 / 25]
    assert len(peaks(np.ones(100), time, 0.07)) == 0
    scores[80:83] = 1  # a plateau is one event
    assert peaks(scores, time, 0.5).tolist() == [10 / 25, 41 / 25, 60 / 25, 80 / 25]


def test_clips_are_scored_one_by_one_and_their_mean_is_the_score():
    truth = np.zeros(60, dtype=[("event", float), ("clip", int), ("time", float)])
    truth["clip"], truth["time"] = np.repeat([4, 9], 30), np.tile(np.arange(30) / 10, 2)
    truth["event"] = np.nan
    truth["event"][[5, 20, 45]] = [0.5, 2.0, 1.52]  # an exact time between frames
    scores = np.full(60, -1.0)
    scores[[5, 45]] = 1
    clip, found = clip_scores(truth, scores, 0.07)
    assert clip.tolist() == [4, 9]
    assert found.tolist() == [pytest.approx(2 / 3), 1.0]
    unit = (truth["clip"] == 9).astype(int)
    assert value("beat_f", truth, scores[:, None], (), unit) == pytest.approx((2 / 3 + 1) / 2)
    assert 0 <= metronome(truth, 0.07) < 1
    assert metronome(truth, 3.0) > 0.8
