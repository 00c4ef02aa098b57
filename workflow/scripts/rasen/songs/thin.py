"""The stems of a song, which no later stage reads, recompressed or deleted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import soundfile

from rasen.io.atomic import whole_file
from rasen.songs import recording, thinned

RATE = 48000  # Hz: Opus has no 44.1 kHz
LEVEL = 0.7  # of libsndfile's compression: about 160 kbit/s, stereo


def thin_stems(
    folder: Path | str, listed: Mapping[str, int], policy: Literal["opus", "delete"]
) -> int:
    """Thin the stems in a song's folder; how many bytes they take afterwards.

    listed: {file: bytes} as they were separated. What was recompressed can still be deleted, and
    what was deleted stays so. The marker is written between the new files and the end of the old
    ones, so that a job that is killed at any time leaves the song readable, and can go on.
    """
    folder = Path(folder)
    if all(_size(folder / name) == size for name, size in listed.items()):
        files = _recompress(folder, listed) if policy == "opus" else []
        thinned.write_marker(folder, policy, listed, files)
    elif policy == "delete":
        thinned.write_marker(folder, policy, listed, [])
    marker = thinned.read_marker(folder)
    assert marker is not None
    for name in listed:
        (folder / name).unlink(missing_ok=True)
        if thinned.recompressed(name) not in marker["files"]:
            (folder / thinned.recompressed(name)).unlink(missing_ok=True)
    return sum(marker["files"].values())


def _size(path):
    return path.stat().st_size if path.is_file() else -1


def _recompress(folder, names):
    """Write an Opus file of each stem; their names."""
    for name in names:
        sound, rate = recording.read_recording(folder / name)
        sound = recording.to_stereo(sound, rate, RATE)
        with whole_file(folder / thinned.recompressed(name)) as partial:
            soundfile.write(partial, sound.T, RATE, "OPUS", None, "OGG", compression_level=LEVEL)
            if soundfile.info(partial).frames != sound.shape[1]:  # the last page is missing
                raise OSError(f"{partial}: not written completely; is the disk full?")
    return [thinned.recompressed(name) for name in names]
