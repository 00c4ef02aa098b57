"""Scores against hand-made cases, scipy, and samples of known distance; and what they refuse."""

import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import scipy.linalg

from rasen.errors import RasenError
from rasen.scores.agreement import mcc, mos
from rasen.scores.frechet import fad, fad_infinity, fad_interval
from rasen.scores.paper import COLUMNS, PAPER
from rasen.scores.phonemes import edits, per, without_tones
from rasen.scores.sections import dtw_error, ser

# --- phonemes


@pytest.mark.parametrize(
    ("reference", "heard", "expected"),
    [
        ("HH AH0 L OW1", "HH AH0 L OW1", (0, 0, 0)),
        ("HH AH0 L OW1", "", (0, 0, 4)),
        ("", "HH AH0", (0, 2, 0)),
        ("HH AH0 L OW1", "HH EH1 L OW1", (1, 0, 0)),
        ("HH AH0 L OW1", "HH AH0 AH0 L OW1", (0, 1, 0)),
        ("HH AH0 L OW1", "HH L OW1", (0, 0, 1)),
        ("a b c d e", "b c d e a", (0, 1, 1)),
        ("a b", "b a", (2, 0, 0)),  # two ways of two edits: that with more substitutions
        ("k i t t e n", "s i t t i n g", (2, 1, 0)),
    ],
)
def test_edits_of_hand_made_cases(reference, heard, expected):
    assert edits(reference.split(), heard.split()) == expected


def slow_edits(one, two):
    """The fewest edits, cell by cell."""
    row = list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        last, row = row, [i]
        for j, b in enumerate(two, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (a != b)))
    return row[-1]


def test_edits_are_the_fewest(rng):
    for _ in range(200):
        one, two = (list(rng.choice(list("abcd"), rng.integers(0, 15))) for _ in range(2))
        _, insertions, deletions = counts = edits(one, two)
        assert sum(counts) == slow_edits(one, two)
        assert min(counts) >= 0
        assert insertions - deletions == len(two) - len(one)


def test_edits_of_long_songs_are_fast(rng):
    one, two = (list(rng.choice([f"p{i}" for i in range(60)], 2000)) for _ in range(2))
    start = time.process_time()
    edits(one, two)
    assert time.process_time() - start < 2  # a loop over cells takes some


def test_rate_sums_edits_and_lengths_over_songs():
    rate = per([list("abcd"), ["a"]], [list("abcd"), list("bcd")])
    assert rate.value == 3 / 5  # not the mean of 0 and 3
    assert rate.errors.tolist() == [0, 3]
    assert per([["a"]], [list("bcd")]).value == 3  # may pass 1
    assert np.isnan(per([["a"]], [["a"]]).low)  # one song has no interval


def test_interval_covers_the_rate_of_all_songs(rng):
    """Songs with 0 to 40 % wrong phonemes: 95 % intervals of 30 songs hold the expected 20 %."""
    inside = 0
    for trial in range(100):
        songs = [["a"] * 100 for _ in range(30)]
        shares = rng.uniform(0, 0.4, 30)
        heard = [["b" if wrong else "a" for wrong in rng.random(100) < share] for share in shares]
        rate = per(songs, heard, seed=trial, draws=500)
        inside += rate.low <= 0.2 <= rate.high
    assert 85 <= inside <= 100


def test_tones_and_stress_count_or_not():
    reference, heard = ["AH0", "zh", "i05", "ma1", "N"], ["AH1", "zh", "i04", "ma4", "N"]
    assert per([reference], [heard]).value == 3 / 5
    assert per([reference], [heard], tones=False).value == 0
    assert without_tones(["i05", "AH1", "N", "5"]) == ["i0", "AH", "N", "5"]


def test_songs_that_cannot_be_scored_are_named():
    with pytest.raises(RasenError, match="song 1: its reference has no phonemes"):
        per([["a"], []], [["a"], ["b"]])
    with pytest.raises(RasenError, match="2 songs and 1"):
        per([["a"], ["b"]], [["a"]])
    with pytest.raises(RasenError, match="sequence of phonemes"):
        per(["a b"], [["a"]])
    with pytest.raises(RasenError, match="no songs"):
        per([], [])


# --- embeddings


def by_scipy(x, y):
    one, two = np.cov(x.T), np.cov(y.T)
    root = scipy.linalg.sqrtm(one @ two).real
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(one + two - 2 * root)


def test_distance_is_that_of_scipy(rng):
    for d, n, m in ((3, 50, 80), (16, 40, 300), (64, 100, 90)):
        x = rng.standard_normal((n, d)) @ rng.standard_normal((d, d))
        y = rng.standard_normal((m, d)) @ rng.standard_normal((d, d)) + 0.3
        assert fad(x, y) == pytest.approx(by_scipy(x, y), rel=1e-6)


def test_nuclear_norm_is_the_same_distance(rng):
    """Of normal distributions in fewer dimensions than rows, seen in more dimensions than rows."""
    x, y = rng.standard_normal((30, 8)), 2 * rng.standard_normal((25, 8)) + 1
    turn = np.linalg.qr(rng.standard_normal((100, 100)))[0][:8]
    assert fad(x @ turn, y @ turn, few=True) == pytest.approx(fad(x, y), rel=1e-6)


@pytest.mark.parametrize(("n", "few"), [(200, False), (20, True)])
def test_no_distance_from_itself(rng, n, few):
    x = 5 + rng.standard_normal((n, 64)) * np.geomspace(1e-3, 1e3, 64)
    assert fad(x, x.copy(), few=few) == 0.0


def test_distance_of_a_shift_is_its_square(rng):
    x = rng.standard_normal((100, 8))
    assert fad(x, x + 3) == pytest.approx(9 * 8)


def test_few_rows_are_refused_unless_asked_for(rng):
    x, y = rng.standard_normal((200, 64)), rng.standard_normal((63, 64))
    with pytest.raises(RasenError, match=r"y: 63 rows of 64 dimensions.*few"):
        fad(x, y)
    assert fad(x, y, few=True) > 0
    with pytest.raises(RasenError, match="nothing can be extrapolated"):
        fad_infinity(x[:100], x[100:])


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (np.ones((5, 2)), np.ones((5, 3)), r"give \[n, d\]"),
        (np.ones(5), np.ones(5), r"give \[n, d\]"),
        (np.full((5, 2), np.nan), np.ones((5, 2)), "not numbers"),
        (np.ones((1, 1)), np.ones((5, 1)), "1 rows"),
    ],
)
def test_wrong_embeddings_are_refused(x, y, why):
    with pytest.raises(RasenError, match=why):
        fad(x, y)


def sets_of_known_distance(rng, n, d=64):
    """Two samples of normal distributions, and their true distance (5.8)."""
    scale = np.linspace(1, 1.5, d)
    mean = np.full(d, 0.0975)
    truth = (mean**2).sum() + ((scale - 1) ** 2).sum()
    x, y = rng.standard_normal((2, n, d))
    return x, y * scale + mean, truth


def test_extrapolation_removes_the_bias(rng):
    """The facts' example: of 64 dimensions and 200 rows the sample says 9.7 where 5.8 is true."""
    plain, extrapolated = [], []
    for seed in range(10):
        x, y, truth = sets_of_known_distance(rng, 200)
        plain.append(fad(x, y))
        extrapolated.append(fad_infinity(x, y, seed))
    assert truth == pytest.approx(5.98, abs=0.2)
    assert np.mean(plain) > truth + 3
    assert np.mean(extrapolated) == pytest.approx(truth, abs=0.8)


def test_extrapolation_keeps_songs_whole_and_repeats(rng):
    x, y, _ = sets_of_known_distance(rng, 300, 16)
    songs = (np.arange(300) // 10, np.arange(300) // 10)
    assert fad_infinity(x, y, 1, songs) == fad_infinity(x, y, 1, songs)
    assert fad_infinity(x, y, 1, songs) != fad_infinity(x, y, 2, songs)


def test_interval_holds_the_extrapolated_distance(rng):
    inside, truth = 0, 0.0
    for seed in range(20):
        x, y, truth = sets_of_known_distance(rng, 400, 8)
        songs = (np.arange(400), np.arange(400, 800))
        value, low, high = fad_interval(
            x, y, songs, lambda a, b, own, seed=seed: fad_infinity(a, b, seed, own), seed
        )
        assert low < value < high
        inside += low <= truth <= high
    assert inside >= 17


# --- sections

SONG = [(0, 20, "intro"), (20, 50, "verse"), (50, 80, "chorus"), (80, 110, "verse"),
        (110, 140, "chorus"), (140, 150, "outro")]  # fmt: skip
GOAL = [("intro", 20), ("verse", None), ("chorus", None), ("verse", None), ("chorus", None),
        ("outro", 10)]  # fmt: skip


def test_sections_as_asked_for_have_no_errors():
    rates = ser([SONG], [GOAL])
    assert rates.dtw.value == rates.labels.value == 0


def test_a_missing_instrumental_costs_its_seconds():
    goal = [*GOAL[:3], ("inst", 10), *GOAL[3:]]
    rates = ser([SONG], [goal])
    assert rates.dtw.value == pytest.approx(10 / 150)
    assert rates.labels.value == 1 / 7


def test_a_missing_chorus_costs_a_step_and_a_label():
    """Why both rates are told: 0.07 % and one label of six."""
    song = [(0, 20, "intro"), (20, 80, "verse"), (80, 140, "chorus"), (140, 150, "outro")]
    goal = [GOAL[0], ("verse", None), ("chorus", None), ("bridge", None), ("chorus", None), GOAL[5]]
    rates = ser([song], [goal])
    assert rates.dtw.value == pytest.approx(0.1 / 150)
    assert rates.labels.value == 2 / 6


def test_a_wrong_section_costs_its_seconds():
    song = [*SONG[:4], (110, 140, "inst"), SONG[5]]
    assert ser([song], [GOAL]).dtw.value == pytest.approx(30 / 150, abs=0.002)


def test_equal_neighbours_are_one_label():
    song = [SONG[0], (20, 35, "verse"), (35, 50, "verse"), *SONG[2:]]
    assert ser([song], [GOAL]).labels.value == 0


def slow_dtw(found, target):
    """Least number of wrong cells on a path, cell by cell."""
    cost = np.array([[a != b for b in target] for a in found], int)
    least = np.full((len(found) + 1, len(target) + 1), 10**9)
    least[0, 0] = 0
    for i in range(len(found)):
        for j in range(len(target)):
            before = min(least[i, j], least[i, j + 1], least[i + 1, j])
            least[i + 1, j + 1] = cost[i, j] + before
    return least[-1, -1]


def test_warping_is_the_best(rng):
    for _ in range(100):
        found, target = (rng.choice(list("abc"), rng.integers(1, 12)) for _ in range(2))
        rows = [(i, i + 1, label) for i, label in enumerate(found)]
        error = dtw_error(rows, [(label, 1) for label in target], step=1)
        assert error == slow_dtw(found, target)


def test_sections_without_sense_are_refused():
    with pytest.raises(RasenError, match="song 0: has no target"):
        ser([SONG], [[]])
    with pytest.raises(RasenError, match="from 5 to 5 s"):
        ser([[(5, 5, "verse")]], [GOAL])


# --- prompts and listeners


def test_cosine(rng):
    x = rng.standard_normal((6, 32))
    assert mcc(x, 3 * x).value == pytest.approx(1)
    assert mcc(x, -x).value == pytest.approx(-1)
    rate = mcc(x, np.roll(x, 1, 0))
    assert rate.low <= rate.value <= rate.high
    with pytest.raises(RasenError, match="zero"):
        mcc(x, 0 * x)


def test_ratings_of_one_song_by_many_say_little_of_others(rng):
    """20 ratings of 2 songs: an interval over ratings would be four times narrower."""
    songs = ["a"] * 10 + ["b"] * 10
    ratings = [2.0] * 10 + [4.0] * 10
    rate = mos(ratings, songs)
    assert rate.value == 3
    assert (rate.low, rate.high) == (2, 4)


def test_listeners_are_resampled_too():
    """Two of the four listeners like everything: the songs are equal and yet it varies."""
    table = [(song, rater) for song in "abcdefgh" for rater in "wxyz"]
    ratings = [5.0 if rater in "wx" else 1.0 for _, rater in table]
    songs, raters = zip(*table, strict=True)
    assert mos(ratings, songs).low == 3.0
    assert mos(ratings, songs, raters).low < 2


# --- the package


def test_it_needs_numpy_and_scipy_alone():
    code = (
        "from rasen.scores import per, fad, ser\n"
        "import sys\n"
        "assert per([['a']], [['b']]).value == 1\n"
        "wrong = {'torch', 'pandas', 'whisperx', 'soundfile'} & set(sys.modules)\n"
        "assert not wrong, wrong\n"
    )
    folder = str(pytest.importorskip("rasen").__path__[0]) + "/.."
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder)


def test_rows_of_the_paper():
    table = pd.DataFrame(PAPER).T
    assert set(table) == set(COLUMNS)
    assert len(table) == 10
    assert table.loc["SongBloom-full"].to_dict()["per"] == pytest.approx(0.0675)
    assert table["rtf"].notna().sum() == 5
