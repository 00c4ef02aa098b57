"""Small copies of sound for the page (`explorer: {media: copy}`), each made once."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from rasen.explorer.songbloom import generated_files
from rasen.explorer.songs import DRAWN, sound_files
from rasen.io.atomic import whole_file
from rasen.io.hashes import short_hash
from rasen.io.parquet import read_table, read_tables
from rasen.songs.reasons import SongError
from rasen.songs.recording import read_recording, to_stereo

RATE = 44100  # Hz
LEVEL = 0.7  # of libsndfile's compression: about 76 kbit/s, stereo


def sounds_to_copy(tables: Mapping[str, Path]) -> list[str]:
    """Recordings and stems of songs that are drawn, and songs that were made; those that are there.

    tables: batches/measure_peaks/{batch}, generated, of those that there are
    """
    found: list[str] = []
    peaks = [path for name, path in tables.items() if name.startswith("batches/measure_peaks/")]
    if peaks:
        waves = read_tables(peaks, ["song", "audio", "vocals_file", "accompaniment_file"])
        waves = waves.set_index("song").iloc[:DRAWN]
        songs = peaks[0].parents[2] / "songs"
        for song, audio in waves["audio"].items():
            found += sound_files(audio, waves, str(song), songs)
    if "generated" in tables:
        table = read_table(tables["generated"])
        found += map(str, generated_files(table, tables["generated"].parents[1]))
    return [file for file in dict.fromkeys(found) if file and Path(file).is_file()]


def copy_sounds(sources: Iterable[str], folder: Path) -> pd.DataFrame:
    """DataFrame [source, file]: each source as an MP3 in `folder`, named by what it was made from.

    A copy that is there is not made again; those of sounds that are no more are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for source in sources:
        state = Path(source).stat()
        name = f"{short_hash(f'{source} {state.st_size} {state.st_mtime_ns} {LEVEL}')}.mp3"
        try:
            if not (folder / name).is_file():
                _write_mp3(folder / name, *read_recording(source))
        except SongError as error:
            print(f"{source}: not copied ({error})")
            continue
        rows.append((source, name))
    table = pd.DataFrame(rows, columns=["source", "file"])
    for old in folder.glob("*.mp3"):
        if old.name not in {*table["file"]}:
            old.unlink()
    return table


def _write_mp3(path, sound, rate):
    stereo = to_stereo(sound, rate, RATE)
    stereo = stereo / max(1.0, float(np.abs(stereo).max()))
    with whole_file(path) as partial:
        soundfile.write(
            partial, stereo.T, RATE, "MPEG_LAYER_III", format="MP3", bitrate_mode="VARIABLE",
            compression_level=LEVEL,
        )  # fmt: skip
