"""Notes from a SoundFont (.sf2) that the user points to."""

from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np

from rasen.errors import RasenError

VELOCITY = 64  # as SynTheory
FADE = 0.1  # seconds after which silenced voices have decayed
_ONE_AT_A_TIME = Lock()  # a synthesiser has one state, and stimuli are encoded in several threads


def repeated_note(
    path: str, program: int, pitch: int, repeats: int, seconds: float, rate: int
) -> np.ndarray:
    """A note of a General MIDI program, struck `repeats` times [time], mono float32.

    Each stroke is released when the next begins; the clip ends with the last one.
    """
    with _ONE_AT_A_TIME:
        synth, font = _synth(path, rate)
        try:
            synth.program_select(0, font, 0, program)
        except RuntimeError:
            raise RasenError(f"{path}: has no program {program} in bank 0; leave it out") from None
        synth.sounds_off()
        synth.generate(round(FADE * rate))  # the notes of an earlier clip decay
        strokes = []
        for _ in range(repeats):
            synth.noteon(0, pitch, VELOCITY)
            stereo = np.frombuffer(synth.generate(round(seconds * rate)), dtype=np.float32)
            strokes.append(stereo.reshape(-1, 2).mean(axis=1))
            synth.noteoff(0, pitch)
        return np.concatenate(strokes)


@cache
def _synth(path, rate):
    """A software synthesiser with the SoundFont loaded."""
    from tinysoundfont import SoundFontException, Synth

    if not Path(path).is_file():
        raise RasenError(f"{path}: no such SoundFont; correct `soundfont` or remove it")
    synth = Synth(samplerate=rate)
    try:
        return synth, synth.sfload(str(path))
    except (SoundFontException, RuntimeError):
        raise RasenError(f"{path}: not a SoundFont that can be read; give a .sf2 file") from None
