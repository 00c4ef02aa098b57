"""The disk that a corpus needs, told before it is processed."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rasen.networks.frames import FRAME_RATE, LATENT_CHANNELS
from rasen.songs.recording import header_seconds

SAMPLE = 50  # recordings whose headers are read
STEMS = {"flac": 250_000, "wav": 2 * 2 * 4 * 44100}  # bytes per second; flac has 24 bits: measured
OTHERS = 600  # bytes per second of fingerprints, words, sections, phonemes: measured
COMPRESSED = 16_000  # bytes per second of a recording whose header says nothing: 128 kbit/s


def needed_disk(audio: Sequence[str], settings: Mapping[str, Any]) -> str:
    """A line on the disk that these recordings will need; nothing where none is there.

    The mean length is that of SAMPLE recordings, evenly over the sheet. settings: `songs` of the
    config
    """
    places = np.unique(np.linspace(0, len(audio) - 1, SAMPLE).round().astype(int))
    present = [path for place in places if (path := audio[place]) and Path(path).is_file()]
    if not present:
        return ""
    seconds = len(audio) * float(np.mean([_seconds(path) for path in present]))
    stems = seconds * STEMS[settings["separate"]["format"]] / 1e9
    width = {"float16": 2, "float32": 4}[settings["latents"]["dtype"]]
    vectors = 2 * LATENT_CHANNELS * width * (2 if settings["latents"]["mono"] else 1)
    latents = seconds * FRAME_RATE * (vectors + 2) / 1e9
    rest = 2 * latents + seconds * OTHERS / 1e9  # in the songs' folders, and in the shards
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    line = (
        f"songs: {len(audio):,} recordings, about {seconds / 3600:,.3g} hours, need about "
        f"{stems + rest:,.3g} GB in results/ (stems {stems:,.3g}, the rest {rest:,.3g}); "
        f"{free:,.3g} GB are free"
    )
    return line + " : TOO LITTLE unless a part is there already" * (free < stems + rest)


def _seconds(path):
    return header_seconds(path) or Path(path).stat().st_size / COMPRESSED
