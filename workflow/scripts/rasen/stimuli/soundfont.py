"""Notes from a SoundFont (.sf2) that the user points to."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np

from rasen.errors import RasenError
from rasen.stimuli.synth import Stroke

FADE = 0.1  # seconds after which silenced voices have decayed
_ONE_AT_A_TIME = Lock()  # a synthesiser has one state, and stimuli are encoded in several threads


def play(
    path: str, program: int, strokes: Sequence[Stroke], rate: int, drums: bool = False
) -> np.ndarray:
    """Strokes of a General MIDI program one after another [time], mono float32.

    Each stroke is released when the next begins; the sound ends with the last one.
    drums: the program is a drum kit, of which every pitch is another drum
    """
    with _ONE_AT_A_TIME:
        synth, font = _synth(path, rate)
        try:
            synth.program_select(0, font, 0, program, drums)
        except RuntimeError:
            lacking = "drum kit" if drums else f"program {program} in bank 0"
            raise RasenError(f"{path}: has no {lacking}; leave it out") from None
        synth.sounds_off()
        synth.generate(round(FADE * rate))  # the notes of an earlier clip decay
        sounds = []
        for stroke in strokes:
            for pitch in stroke.pitches:
                synth.noteon(0, pitch, stroke.velocity)
            stereo = np.frombuffer(synth.generate(round(stroke.seconds * rate)), dtype=np.float32)
            sounds.append(stereo.reshape(-1, 2).mean(axis=1))
            for pitch in stroke.pitches:
                synth.noteoff(0, pitch)
        return np.concatenate(sounds)


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
