"""Tempo, key and loudness of a recording: estimates that describe a corpus, by kept libraries."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rasen.io.audio import resample
from rasen.seeds import generator
from rasen.songs.compiling import compiling_alone

RATE = 22050  # of the estimates of tempo and key
BLOCK = 0.4  # seconds, of ITU-R BS.1770: a shorter sound has no loudness
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
PROFILES = {  # how well each note fits a key on C (Krumhansl and Kessler, 1982)
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


def describe_music(sound: np.ndarray, rate: int) -> dict[str, Any]:
    """{tempo (beats per minute), music_key ("A minor"), key_fit (-1 to 1), loudness (LUFS)}.

    sound: [channels, time] at `rate`.  A tempo may be the double or half of what people tap.
    """
    compile_once()
    tempo, chroma = _tempo_and_chroma(resample(sound.mean(axis=0), rate, RATE))
    key, fit = find_key(chroma.mean(axis=1))
    return {
        "tempo": round(tempo, 1),
        "music_key": key,
        "key_fit": round(fit, 3),
        "loudness": loudness(sound, rate),
    }


@cache
def compile_once() -> None:
    """Have librosa's functions compiled, or see that they are: on noise, whatever the songs are."""
    import librosa

    with compiling_alone(Path(librosa.__file__).parent):
        _tempo_and_chroma(generator(0, "noise").standard_normal(2 * RATE, dtype=np.float32))


def _tempo_and_chroma(mono):
    import librosa

    tempo = float(librosa.feature.tempo(y=mono, sr=RATE)[0])
    return tempo, librosa.feature.chroma_stft(y=mono, sr=RATE, n_fft=8192, hop_length=2048)


def find_key(chroma: np.ndarray) -> tuple[str, float]:
    """(key, correlation with its profile) of the mean strength [12] of the notes from C to B."""
    fits = {
        f"{note} {mode}": float(np.corrcoef(np.roll(profile, step), chroma)[0, 1])
        for mode, profile in PROFILES.items()
        for step, note in enumerate(NOTES)
    }
    key = max(fits, key=lambda name: fits[name])
    return key, fits[key]


def loudness(sound: np.ndarray, rate: int) -> float | None:
    """Integrated loudness in LUFS (ITU-R BS.1770) of sound [channels, time], or None: too quiet."""
    import pyloudnorm

    if sound.shape[1] < BLOCK * rate:
        return None
    value = pyloudnorm.Meter(rate).integrated_loudness(sound[:2].T.astype(np.float64))
    return round(float(value), 2) if np.isfinite(value) else None
