"""Four of SynTheory's concepts: intervals, scales, chords and progressions (arXiv:2410.00872).

Each clip lasts 4 s, at 120 beats per minute. Its label is in a column of its own, what else differs
between clips in others: `root` (a pitch class), `instrument`, and direction or inversion.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from rasen.seeds import generator
from rasen.stimuli import instruments
from rasen.stimuli.notes import PITCH_CLASSES
from rasen.stimuli.synth import Stroke

SECONDS = 4
SMALL_INSTRUMENTS = 8  # at most, of a small set
MIDDLE_C = 60
DIATONIC = (0, 2, 4, 5, 7, 9, 11)  # semitones above the root
MODES = ("ionian", "dorian", "phrygian", "lydian", "mixolydian", "aeolian", "locrian")
TRIADS = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "diminished": (0, 3, 6),
    "augmented": (0, 4, 8),
}
PROGRESSIONS = (  # SynTheory's 19, by degrees of the mode
    "ionian-1-4-5-1", "ionian-1-4-6-5", "ionian-1-5-6-4", "ionian-1-6-4-5", "ionian-2-5-1-6",
    "ionian-4-1-5-6", "ionian-4-5-3-6", "ionian-5-4-1-5", "ionian-5-6-4-1", "ionian-6-4-1-5",
    "aeolian-1-2-5-1", "aeolian-1-3-4-1", "aeolian-1-4-5-1", "aeolian-1-6-3-7", "aeolian-1-6-7-1",
    "aeolian-1-6-7-3", "aeolian-1-7-6-4", "aeolian-4-7-1-1", "aeolian-7-6-7-1",
)  # fmt: skip
ROOTS = range(12)

Pitches = tuple[int, ...]


@dataclass(frozen=True)
class ConceptSettings:
    """A set of one concept.

    size: "full": every root and direction or inversion with every instrument; "small": a fixed part
        of it with as many clips of each label and instrument, for up to eight instruments
    instruments, soundfont: as those of notes
    """

    size: Literal["full", "small"] = "full"
    instruments: Literal["all"] | Sequence[str | int] = "all"
    soundfont: str | None = None

    def __post_init__(self) -> None:
        instruments.written_out(self.instruments, self.soundfont)


class Concept(NamedTuple):
    """A concept.

    label, labels: its column and what may stand there
    others: {column: values} of what else is varied, roots first; every combination occurs
    few: how many combinations a small set has for each label and instrument
    strokes: the MIDI pitches of a row that sound together, one stroke after another
    """

    label: str
    labels: Sequence[Any]
    others: Mapping[str, Sequence[Any]]
    few: int
    strokes: Callable[[Any], list[Pitches]]


def interval_strokes(row: Any) -> list[Pitches]:
    """Two notes, four times in turn, or eight times at once; the lower one is the root."""
    low, high = MIDDLE_C + row.root, MIDDLE_C + row.root + row.interval
    if row.direction == "unison":
        return [(low, high)] * 8
    pair: list[Pitches] = [(low,), (high,)]
    return (pair if row.direction == "up" else pair[::-1]) * 4


def scale_strokes(row: Any) -> list[Pitches]:
    """Eight notes, from the root to its octave or back."""
    above = [*mode(row.scale), 12]
    notes: list[Pitches] = [(tonic(row.root) + step,) for step in above]
    return notes if row.direction == "up" else notes[::-1]


def chord_strokes(row: Any) -> list[Pitches]:
    """A triad four times; its inversions put the lowest one or two notes an octave higher.

    SynTheory's augmented triads on F#, G and G# lie an octave above its other triads there. These
    do not, since the register would give them away.
    """
    raised = [12] * row.inversion + [0] * (3 - row.inversion)
    notes = [
        tonic(row.root) + step + up for step, up in zip(TRIADS[row.chord], raised, strict=True)
    ]
    return [tuple(sorted(notes))] * 4


def progression_strokes(row: Any) -> list[Pitches]:
    """Four triads of a mode, all within an octave above its root, as SynTheory voices them."""
    name, *degrees = row.progression.split("-")
    steps = mode(name)
    return [
        tuple(sorted(tonic(row.root) + steps[(int(degree) - 1 + third) % 7] for third in (0, 2, 4)))
        for degree in degrees
    ]


def mode(name: str) -> list[int]:
    """Semitones of a mode's seven notes above its root: the white keys from its degree on."""
    first = MODES.index(name)
    return [(DIATONIC[(first + i) % 7] - DIATONIC[first]) % 12 for i in range(7)]


def tonic(root: int) -> int:
    """The MIDI pitch of a root: from F# below middle C to F above it."""
    return MIDDLE_C + root - 12 * (root > 5)


UP_DOWN = ("up", "down")
CONCEPTS = {
    "intervals": Concept(
        "interval",
        range(1, 13),
        {"root": ROOTS, "direction": (*UP_DOWN, "unison")},
        4,
        interval_strokes,
    ),
    "scales": Concept("scale", MODES, {"root": ROOTS, "direction": UP_DOWN}, 6, scale_strokes),
    "chords": Concept(
        "chord", tuple(TRIADS), {"root": ROOTS, "inversion": range(3)}, 9, chord_strokes
    ),
    "progressions": Concept("progression", PROGRESSIONS, {"root": ROOTS}, 3, progression_strokes),
}


def concept_clips(kind: str, settings: ConceptSettings) -> pd.DataFrame:
    """One row per label, combination of what else is varied, and instrument."""
    concept = CONCEPTS[kind]
    combinations = list(product(*concept.others.values()))
    played = instruments.written_out(settings.instruments, settings.soundfont)
    few = len(combinations)
    if settings.size == "small":
        few = concept.few
        played = played[:: -(-len(played) // SMALL_INSTRUMENTS)]
    orders = {
        label: _in_turn(generator(0, "concept", label).permutation(len(ROOTS)), combinations)
        for label in concept.labels
    }
    rows = []
    for place, instrument in enumerate(played):
        for label in concept.labels:
            for number in range(few):  # instruments go on where the one before them stopped
                chosen = orders[label][(place * few + number) % len(combinations)]
                others = dict(zip(concept.others, chosen, strict=True))
                rest = [str(value) for name, value in others.items() if name != "root"]
                names = [str(instrument), str(label), PITCH_CLASSES[others["root"]], *rest]
                rows.append(
                    {"clip": "-".join(names), "kind": kind, "instrument": str(instrument),
                     concept.label: label, **others, "soundfont": settings.soundfont or ""}
                )  # fmt: skip
    return pd.DataFrame(rows)


def _in_turn(roots, combinations):
    """The combinations in an order of which any part has all roots, and all directions or
    inversions, about equally often."""
    kinds = len(combinations) // len(roots)
    return [
        combinations[roots[place % len(roots)] * kinds + (place + place // len(roots)) % kinds]
        for place in range(len(combinations))
    ]


def concept_sound(row: Any, rate: int) -> np.ndarray:
    """The sound of one row of `concept_clips`, its peak at 1 [time]."""
    strokes = CONCEPTS[row.kind].strokes(row)
    played = [Stroke(pitches, SECONDS / len(strokes)) for pitches in strokes]
    return instruments.play(played, row.instrument, row.soundfont, rate)
