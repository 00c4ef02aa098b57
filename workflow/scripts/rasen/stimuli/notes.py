"""Single notes that differ in pitch alone, with SynTheory's settings.

By default each clip is one note played four times for two beats at 120 beats per minute: 4 s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from rasen.stimuli import instruments
from rasen.stimuli.above_zero import require_above_zero
from rasen.stimuli.synth import Stroke

PITCH_CLASSES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]


@dataclass(frozen=True)
class NoteSettings:
    """A set of notes: `keys` semitones upwards from MIDI number `lowest`, for every instrument.

    instruments: "all", or timbres of the built-in synthesiser, or programs of the SoundFont
    soundfont: path of a .sf2 file; None: the built-in synthesiser
    repeats, beats, tempo: strokes per clip, beats per stroke, beats per minute
    """

    lowest: int = 48
    keys: int = 36
    instruments: Literal["all"] | Sequence[str | int] = "all"
    soundfont: str | None = None
    repeats: int = 4
    beats: float = 2
    tempo: float = 120

    def __post_init__(self) -> None:
        require_above_zero(self, "keys", "repeats", "beats", "tempo")
        instruments.written_out(self.instruments, self.soundfont)


def note_clips(settings: NoteSettings) -> pd.DataFrame:
    """One row per key and instrument."""
    rows = []
    for instrument in instruments.written_out(settings.instruments, settings.soundfont):
        for pitch in range(settings.lowest, settings.lowest + settings.keys):
            octave = pitch // 12 - 1
            rows.append(
                {
                    "clip": f"{instrument}-{PITCH_CLASSES[pitch % 12]}{octave}",
                    "kind": "notes",
                    "instrument": str(instrument),
                    "pitch": pitch,
                    "pitch_class": pitch % 12,
                    "octave": octave,
                    "soundfont": settings.soundfont or "",
                    "repeats": settings.repeats,
                    "seconds_each": settings.beats * 60 / settings.tempo,
                }
            )
    return pd.DataFrame(rows)


def note_sound(row: Any, rate: int) -> np.ndarray:
    """The note of one row of `note_clips`, repeated, with its peak at 1 [time]."""
    strokes = [Stroke((row.pitch,), row.seconds_each)] * row.repeats
    return instruments.play(strokes, row.instrument, row.soundfont, rate)
