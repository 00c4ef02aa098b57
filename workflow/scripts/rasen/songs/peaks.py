"""The waveform of a recording in a few kilobytes, to be drawn where its sound cannot be read."""

from pathlib import Path
from typing import Any

import numpy as np

from rasen.songs import recording
from rasen.songs.stems import FILES
from rasen.songs.thinned import recompressed

RATE = 20  # columns per second of sound
FULL = 127  # a sample of full scale


def peaks(sound: np.ndarray, rate: int) -> bytes:
    """The least and the greatest sample of each twentieth of a second, as signed bytes in turns.

    sound: [channels, time]; the last column may be of less sound
    """
    time = sound.shape[1]
    edges = np.arange(-(-time * RATE // rate)) * rate // RATE
    least = np.minimum.reduceat(sound.min(axis=0), edges)
    greatest = np.maximum.reduceat(sound.max(axis=0), edges)
    columns = np.stack([np.floor(least * FULL), np.ceil(greatest * FULL)], 1)
    return np.clip(columns, -FULL, FULL).astype(np.int8).tobytes()


def peaks_of_song(audio: Path | str, folder: Path | str) -> dict[str, Any]:
    """{mix, vocals, accompaniment: peaks; vocals_file, accompaniment_file: names in the folder}.

    audio: the recording;  folder: of the song. A stem that is not there has no peaks and no name.
    """
    row: dict[str, Any] = {"mix": peaks(*recording.reread_recording(audio))}
    for names in zip(*FILES.values(), strict=True):
        stem = Path(names[0]).stem
        paths = (Path(folder) / name for name in (*names, recompressed(names[0])))
        file = next((path for path in paths if path.is_file()), None)
        row[stem] = peaks(*recording.read_recording(file)) if file else b""
        row[f"{stem}_file"] = file.name if file else ""
    return row
