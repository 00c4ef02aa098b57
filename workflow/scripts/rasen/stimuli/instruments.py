"""Instruments of synthetic stimuli: timbres of the built-in synthesiser, or of a SoundFont."""

from collections.abc import Sequence

import numpy as np

from rasen.errors import RasenError
from rasen.stimuli import soundfont, synth

SYNTHEORY_PROGRAMS = sorted(  # 92: without effects, polyphonic and articulated ones
    set(range(128))
    - set(range(96, 104))
    - set(range(112, 128))
    - {8, 9, 14, 21, 23, 47, 86}
    - {22, 31, 55, 77, 78}
)


def written_out(instruments: str | Sequence[str | int], font: str | None) -> list[str | int]:
    """The instruments, "all" written out; raises on those that do not exist.

    font: path of a SoundFont, whose instruments are program numbers; None: the built-in synthesiser
    """
    if instruments == "all":
        return list(SYNTHEORY_PROGRAMS) if font else list(synth.TIMBRES)
    allowed = range(128) if font else synth.TIMBRES
    unknown = [name for name in instruments if name not in allowed]
    if unknown:
        choices = "General MIDI program numbers 0 to 127" if font else ", ".join(synth.TIMBRES)
        raise RasenError(f"stimuli: instruments {unknown} do not exist; choose from {choices}")
    return list(instruments)


def play(strokes: Sequence[synth.Stroke], instrument: str, font: str, rate: int) -> np.ndarray:
    """Strokes one after another with their peak at 1: mono float32 [time].

    font: path of a SoundFont, or "" for the built-in synthesiser
    """
    if font:
        sound = soundfont.play(font, int(instrument), strokes, rate)
    else:
        sound = synth.play(strokes, synth.TIMBRES[instrument], rate)
    return peak_at_one(sound, instrument)


def peak_at_one(sound: np.ndarray, instrument: str) -> np.ndarray:
    """The sound [time], float32, as loud as it can be."""
    peak = np.abs(sound).max()
    if peak == 0:  # a program may have no sample at a pitch
        raise RasenError(f"is silent: instrument {instrument} has no sound at this pitch")
    return (sound / peak).astype(np.float32)
