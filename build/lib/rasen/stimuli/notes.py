"""Single notes that differ in pitch alone, by SynTheory's numbers.

Each clip is one note played four times for two beats at 120 beats a minute: 4 s.
"""

import numpy as np
import pandas as pd

from rasen.errors import RasenError
from rasen.stimuli import soundfont, synth

NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
SYNTHEORY_PROGRAMS = sorted(  # 92: without effects, polyphonic and articulated ones
    set(range(128))
    - set(range(96, 104))
    - set(range(112, 128))
    - {8, 9, 14, 21, 23, 47, 86}
    - {22, 31, 55, 77, 78}
)


def clips(settings):
    """One row a key and instrument: `keys` semitones upwards from MIDI number `lowest`."""
    font = settings.get("soundfont")
    known = SYNTHEORY_PROGRAMS if font else list(synth.TIMBRES)
    instruments = known if settings["instruments"] == "all" else settings["instruments"]
    allowed = range(128) if font else known
    unknown = [name for name in instruments if name not in allowed]
    if unknown:
        what = "General MIDI program numbers 0 to 127" if font else ", ".join(known)
        raise RasenError(f"stimuli: instruments {unknown} do not exist; choose from {what}")
    rows = []
    for instrument in instruments:
        for pitch in range(settings["lowest"], settings["lowest"] + settings["keys"]):
            octave = pitch // 12 - 1
            rows.append(
                {
                    "clip": f"{instrument}-{NAMES[pitch % 12]}{octave}",
                    "kind": "notes",
                    "instrument": str(instrument),
                    "pitch": pitch,
                    "pitch_class": pitch % 12,
                    "octave": octave,
                    "soundfont": font or "",
                    "repeats": settings["repeats"],
                    "seconds_each": settings["beats"] * 60 / settings["tempo"],
                }
            )
    return pd.DataFrame(rows)


def sound(row, rate):
    """The note, repeated, with its peak at 1 [time]."""
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
