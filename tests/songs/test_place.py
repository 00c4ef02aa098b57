"""Lines placed in what an aligner hears: exactly the best places, and how surprising they are."""

from itertools import combinations, pairwise, product

import numpy as np
import pytest

from rasen.songs.align.place import (
    SILENCE,
    WORST,
    Evidence,
    place_lines,
    surprise,
    weigh_evidence,
)
from rasen.songs.align.voice import voiced_frames
from rasen.songs.align.words import SAMPLE_RATE

RATE = 50  # frames per second


def evidence(ratio):
    ratio = np.array(ratio, dtype=float)
    return Evidence(ratio, np.ones(len(ratio), dtype=bool), {})


def best_of_all(ratio, lines):
    """The greatest evidence of all ways to sing some of `lines` in order, tried one by one."""

    def line_score(line, first, last):
        """Best sum over frames [first, last); each letter holds one frame or more."""
        best = -np.inf
        for cuts in combinations(range(first + 1, last), 2 * len(line) - 2):
            edges = [first, *cuts, last]  # letter, blank, letter, ... each at least one frame
            best = max(best, _sum(ratio, line, edges))
        if len(line) > 1 and all(a != b for a, b in pairwise(line)):
            for cuts in combinations(range(first + 1, last), len(line) - 1):
                edges = [first, *(edge for cut in cuts for edge in (cut, cut)), last]
                best = max(best, _sum(ratio, line, edges))
        return best

    frames, best = len(ratio), 0.0
    spans = [None, *((a, b) for a in range(frames) for b in range(a + 1, frames))]
    for chosen in product(spans, repeat=len(lines)):
        placed = [(line, span) for line, span in zip(lines, chosen, strict=True) if span]
        if all(b[1][0] > a[1][1] for a, b in pairwise(placed)):
            best = max(best, sum(line_score(line, *span) for line, span in placed))
    return best


def _sum(ratio, line, edges):
    """Letters between edges 0-1, 2-3, ...; blanks between the others."""
    pairs = list(pairwise(edges))
    columns = [line[n // 2] if n % 2 == 0 else 0 for n in range(len(pairs))]
    return sum(ratio[a:b, c].sum() for (a, b), c in zip(pairs, columns, strict=True))


def test_the_best_places_of_all(rng):
    """Against every possible way, where lines have two letters and no blank is skipped halfway."""
    from rasen.songs.align.place import _best_path, _states

    for _ in range(20):
        ratio = rng.normal(0, 2, (7, 4))
        lines = [[1, 2], [3, 3]] if rng.random() < 0.5 else [[1], [2, 1]]
        scores, path = _best_path(ratio, _states(lines)[0][None])
        assert scores[0] == pytest.approx(best_of_all(ratio, lines))
        heard = np.concatenate([ratio, np.zeros((len(ratio), 1))], axis=1)
        columns = _states(lines)[0][path]  # the path that is traced back is the one that was scored
        assert heard[np.arange(len(ratio)), columns].sum() == pytest.approx(scores[0])


def song(*sung, frames=400):
    """Evidence of letters 1.. at (frame, letter), and the opposite of it elsewhere."""
    ratio = np.full((frames, 8), -3.0)
    ratio[:, 0] = 0
    for frame, letter in sung:
        ratio[frame, [0, letter]] = -1, 4
    return evidence(ratio)


def line(start, *letters, step=5):
    return [(start + step * n, letter) for n, letter in enumerate(letters)]


FIRST, SECOND, THIRD = [1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1], [2, 4, 6, 1, 3, 5]


def test_lines_in_order_one_of_them_not_sung():
    heard = song(*line(50, *FIRST), *line(200, *THIRD))
    places = place_lines(heard, [FIRST, SECOND, THIRD])
    assert places[0] == (50 / RATE, 76 / RATE)
    assert places[1] is None
    assert places[2] == (200 / RATE, 226 / RATE)
    assert place_lines(heard, []) == []


def test_a_window_holds_a_line():
    heard = song(*line(50, *FIRST), *line(200, *FIRST))
    assert place_lines(heard, [FIRST])[0] in ((1.0, 76 / RATE), (4.0, 226 / RATE))
    assert place_lines(heard, [FIRST], [(0.0, 2.0)]) == [(1.0, 76 / RATE)]
    assert place_lines(heard, [FIRST], [(3.0, 8.0)]) == [(4.0, 226 / RATE)]
    assert place_lines(heard, [FIRST], [(2.0, 3.0)]) == [None]
    assert place_lines(heard, [FIRST], [(7.0, 8.0)]) == [None]


def test_what_is_sung_surprises_and_other_text_does_not(rng):
    noise = rng.normal(-1.5, 1.5, (400, 8))
    ratio = song(*line(50, *FIRST, *SECOND)).ratio + noise - noise.mean()
    heard = evidence(ratio)
    pool = [*FIRST, *THIRD, 7, 7]
    sung = surprise(heard, [*FIRST, *SECOND], (0.0, 8.0), pool, [], rng)
    assert sung > 4
    others = [
        surprise(heard, list(rng.permutation([*FIRST, *THIRD])), (0.0, 8.0), pool, [], rng)
        for _ in range(30)
    ]
    assert np.mean(others) < 2
    assert sung > max(others)


def test_evidence_is_what_is_heard_more_than_usually():
    """A letter that the aligner always half hears is no evidence; silence holds no line."""
    chances = np.full((100, 4), 0.01)
    chances[:, 0], chances[:, 3] = 0.68, 0.3
    chances[50] = 0.05, 0.9, 0.01, 0.04
    voiced = np.arange(100) < 60
    found = weigh_evidence(np.log(chances), voiced, 0, [3, 1, 1])
    assert found.columns == {0: 0, 1: 1, 3: 2}
    usual = chances[:60].mean(axis=0) + 1e-3
    assert found.ratio[50, 1] == pytest.approx(np.log(0.9 / usual[1]))
    assert abs(found.ratio[:50, 2]).max() < 0.05
    assert (found.ratio[60:, 0] == SILENCE).all()
    assert found.ratio[60:].max() <= 0
    assert found.ratio.min() >= WORST
    silent = weigh_evidence(np.log(chances), np.zeros(100, dtype=bool), 0, [1])
    assert place_lines(silent, [[1, 1]]) == [None]


def test_voice_by_energy(rng):
    vocals = rng.normal(0, 0.003, 10 * SAMPLE_RATE).astype(np.float32)  # what a separation leaves
    for start, end in ((2, 4), (4.5, 6), (8, 9)):
        vocals[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)] *= 30
    voiced = voiced_frames(vocals)
    assert len(voiced) == 500
    edges = np.flatnonzero(np.diff(voiced.astype(int))) / RATE
    assert np.abs(edges - [2, 4, 4.5, 6, 8, 9]).max() < 0.17
    assert not voiced_frames(np.zeros(SAMPLE_RATE, dtype=np.float32)).any()
    assert voiced_frames(np.zeros(100, dtype=np.float32)).size == 0
