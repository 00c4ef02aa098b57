"""Single notes that differ in pitch alone, with SynTheory's settings.

By default each clip is one note played four times for two beats at 120 beats per minute: 4 s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.stimuli import soundfont, synth
from rasen.stimuli.above_zero import require_above_zero

PITCH_CLASSES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
SYNTHEORY_PROGRAMS = sorted(  # 92: without effects, polyphonic and articulated ones
    set(range(128))
    - set(range(96, 104))
    - set(range(112, 128))
    - {8, 9, 14, 21, 23, 47, 86}
    - {22, 31, 55, 77, 78}
)


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
        allowed = range(128) if self.soundfont else synth.TIMBRES
        unknown = [name for name in self.instrument_list if name not in allowed]
        if unknown:
            choices = (
                "General MIDI program numbers 0 to 127"
                if self.soundfont
                else ", ".join(synth.TIMBRES)
            )
            raise RasenError(f"stimuli: instruments {unknown} do not exist; choose from {choices}")

    @property
    def instrument_list(self) -> list[str | int]:
        """The instruments, "all" written out."""
        if self.instruments == "all":
            return list(SYNTHEORY_PROGRAMS) if self.soundfont else list(synth.TIMBRES)
        return list(self.instruments)


def note_clips(settings: NoteSettings) -> pd.DataFrame:
    """One row per key and instrument."""
    rows = []
    for instrument in settings.instrument_list:
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
    seconds = row.seconds_each
    if row.soundfont:
        sound = soundfont.repeated_note(
            row.soundfont, int(row.instrument), row.pitch, row.repeats, seconds, rate
        )
    else:
        sound = np.tile(
            synth.tone(row.pitch, seconds, rate, synth.TIMBRES[row.instrument]), row.repeats
        )
    peak = np.abs(sound).max()
    if peak == 0:  # a program may have no sample at this pitch
        raise RasenError(f"is silent: instrument {row.instrument} has no sound at this pitch")
    return (sound / peak).astype(np.float32)
