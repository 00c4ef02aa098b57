"""Lines of lyrics placed in the vocals by what the aligner hears in every frame; no transcript.

The aligner gives each frame p(letter | sound), and its mean over the voiced frames is p(letter).
The logarithm of their ratio is the evidence of a letter in a frame. Its sum along the letters of a
line says how much more likely it is that this line is sung there than that anything else is, whose
evidence is 0. One dynamic programme over frames and letters finds the best places of all lines, in
their order: between two lines anything may be sung, and a line may be left out.

Whether a line is really sung where it was placed, `surprise` says: letters drawn from the whole
lyrics are placed in the same gap in the same way, and the line must fit much better than they do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rasen.songs.align.words import FRAME, SAMPLE_RATE, Span

LEAST = 1e-3  # added to p(letter): what is rare in a song is no proof by itself
WORST = -10.0  # evidence, at least: one letter that is not heard does not refute a line
SILENCE = -0.5  # evidence of each frame of silence inside a line: lines hold no long pauses
NULLS = 20  # texts that a line is compared with
NEVER = -1e9
BLANK = 0  # column of "no new letter"
ANYTHING = -1  # state between two lines

Letters = Sequence[int]  # columns of the evidence


@dataclass(frozen=True)
class Evidence:
    """What the aligner hears of a song. ratio: [frames, columns];  voiced: bool [frames]

    columns: {class of the aligner: its column}; the blank has column 0
    """

    ratio: np.ndarray
    voiced: np.ndarray
    columns: Mapping[int, int]

    @property
    def rate(self) -> float:
        """Frames per second."""
        return SAMPLE_RATE / FRAME


def weigh_evidence(
    posteriors: np.ndarray, voiced: np.ndarray, blank: int, classes: Sequence[int]
) -> Evidence:
    """The evidence of some classes. posteriors: log p [frames, classes];  voiced: bool [frames]"""
    chosen = [blank, *sorted(set(classes) - {blank})]
    count = min(len(posteriors), len(voiced))
    voiced, heard = voiced[:count], posteriors[:count, chosen].astype(np.float64)
    usual = np.exp(heard[voiced]).mean(axis=0) if voiced.any() else np.ones(len(chosen))
    ratio = np.maximum(heard - np.log(usual + LEAST), WORST)
    ratio[:, BLANK] = np.minimum(ratio[:, BLANK], 0)  # no letter for long is no proof of a line
    ratio[~voiced] = np.minimum(ratio[~voiced], 0)
    ratio[~voiced, BLANK] = SILENCE
    return Evidence(ratio, voiced, {number: column for column, number in enumerate(chosen)})


def place_lines(
    evidence: Evidence, lines: Sequence[Letters], windows: Sequence[Span] | None = None
) -> list[Span | None]:
    """(start, end) in seconds of each line, from its first letter to its last; None: not placed.

    windows: seconds between which each line may lie
    """
    columns, line_of = _states(lines)
    frames = len(evidence.ratio)
    limits = np.tile([0, frames], (len(columns), 1))
    if windows is not None:
        inside = line_of >= 0
        allowed = np.rint(np.array(windows).reshape(-1, 2) * evidence.rate).astype(int)
        limits[inside] = allowed[line_of[inside]]
    _, path = _best_path(evidence.ratio, columns[None], limits)
    found = line_of[path]
    places: list[Span | None] = []
    for number in range(len(lines)):
        own = np.flatnonzero(found == number)
        at = (own[0] / evidence.rate, (own[-1] + 1) / evidence.rate) if len(own) else None
        places.append(at)
    return places


def surprise(
    evidence: Evidence,
    line: Letters,
    gap: Span,
    pool: Letters,
    borders: Sequence[int],
    rng: np.random.Generator,
) -> float:
    """By how many standard deviations a line fits a gap better than text drawn from `pool`.

    borders: columns that keep their places (between words)
    """
    first, last = (round(edge * evidence.rate) for edge in gap)
    fixed = np.isin(line, borders)
    letters = np.array(pool)[~np.isin(pool, borders)]
    texts = np.tile(line, (NULLS + 1, 1))
    for text in texts[1:]:
        text[~fixed] = rng.choice(letters, int((~fixed).sum()))
    rows = np.stack([_states([text])[0] for text in texts])
    scores, _ = _best_path(evidence.ratio[first:last], rows)
    real, null = scores[0], scores[1:]
    return float((real - null.mean()) / max(null.std(ddof=1), 1.0))


def _states(lines):
    """Columns of the states [states] (ANYTHING before, between and after the lines), and the line
    of each state (-1: none). Between two letters of a line there may be a blank."""
    columns, line_of = [ANYTHING], [-1]
    for number, line in enumerate(lines):
        states = [column for letter in line for column in (letter, BLANK)][:-1]
        columns += [*states, ANYTHING]
        line_of += [number] * len(states) + [-1]
    return np.array(columns), np.array(line_of)


def _best_path(ratio, texts, limits=None):
    """(evidence of the best path of each text [texts], states of the first one's [frames]).

    texts: columns of states [texts, states], with `ANYTHING` at the same places
    limits: first and last frame of each state [states, 2]
    """
    count, width = texts.shape
    between = np.flatnonzero(texts[0] == ANYTHING)
    number = np.arange(len(between))
    # A blank may be left out between two letters that differ.
    leap = np.zeros((count, width), dtype=bool)
    leap[:, 2:] = (
        (texts[:, 2:] > BLANK)
        & (texts[:, 1:-1] == BLANK)
        & (texts[:, :-2] > BLANK)
        & (texts[:, 2:] != texts[:, :-2])
    )
    heard = np.concatenate([ratio, np.zeros((len(ratio), 1))], axis=1)  # -1: anything
    score = np.full((count, width), NEVER)
    score[:, between] = 0
    steps = np.zeros((len(ratio), width), dtype=np.int8)  # states gone on, of the first text
    skips = np.zeros((len(ratio), len(between)), dtype=np.int32)  # lines left out, likewise
    moves = np.full((3, count, width), NEVER)
    for frame, row in enumerate(heard):
        best = np.maximum.accumulate(score[:, between], axis=1)
        skips[frame] = np.maximum.accumulate(np.where(score[0, between] >= best[0], number, 0))
        score[:, between] = best
        moves[0] = score
        moves[1, :, 1:] = score[:, :-1]
        moves[2, :, 2:] = np.where(leap[:, 2:], score[:, :-2], NEVER)
        steps[frame] = moves[:, 0].argmax(axis=0)
        score = moves.max(axis=0) + row[texts]
        if limits is not None:
            score[:, (frame < limits[:, 0]) | (frame >= limits[:, 1])] = NEVER
    path = np.zeros(len(ratio), dtype=int)
    state = between[int(score[0, between].argmax())]
    for frame in range(len(ratio) - 1, -1, -1):
        path[frame] = state
        state -= steps[frame, state]
        if texts[0, state] == ANYTHING:
            state = between[skips[frame, int(np.searchsorted(between, state))]]
    return score[:, between].max(axis=1), path
