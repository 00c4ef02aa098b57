"""A results folder of songs as the stages leave it, with made-up contents: for `index_songs`."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.io import hdf5, parquet
from rasen.songs import layout
from rasen.songs.alignment import write_alignment

FRAMES = 6000  # of a song: four minutes


def write_corpus(
    results: Path, count: int, batch: int = 16, words: int = 3744, lines: int = 2, shared: int = 8
) -> None:
    """Ledgers, shards, fingerprints and alignments of `count` songs, each passed by every stage.

    words: of a fingerprint (3744: four minutes), each in `shared` songs on average
    lines: of the lyrics, six words each
    """
    rng = np.random.default_rng(0)
    pool = rng.integers(0, 2**32, max(1, count * words // shared), dtype=np.uint32)
    names = [f"s{number:06d}" for number in range(count)]
    for name in names:
        home = results / layout.SONGS / name
        home.mkdir(parents=True)
        np.save(home / layout.FINGERPRINT, pool[rng.integers(len(pool), size=words)])
        write_alignment(home / layout.ALIGNMENT, _alignment(name, lines))
    for start in range(0, count, batch):
        _write_batch(results, layout.batch_name(start // batch), names[start : start + batch])


def _write_batch(results, batch, names):
    """The ledgers and the shard of a batch of songs."""
    songs = pd.DataFrame({"song": names})
    files = {"measure_recordings": layout.FINGERPRINT, "align_lyrics": layout.ALIGNMENT}
    measures = {
        "measure_recordings": {"seconds": 240.0, "peak": 0.9, "clipping": 0.0, "silence": 0.1},
        "align_lyrics": {"match_ratio": 0.9, "score": 0.8},
    }
    for stage in layout.STAGES:
        file = files.get(stage)
        homes = [results / layout.SONGS / name for name in names]
        sizes = [{file: (home / file).stat().st_size} if file else {} for home in homes]
        rows = songs.assign(key="", outcome="ok", reason="", detail="", **measures.get(stage, {}))
        rows["files"] = [json.dumps(size) for size in sizes]
        parquet.write_table(rows, results / layout.LEDGER.format(stage=stage, batch=batch))
    table = songs.assign(artist=songs["song"], language="en", seconds=240.0, frames=FRAMES)
    table = table.assign(license="", inventory="rasen-1", vocabulary=399, checksum="")
    with hdf5.create(layout.shard_file(results, batch)) as writer:
        writer.table("songs", table.assign(offset=FRAMES * table.index, phonemes="{}"))


def _alignment(name, lines):
    """Alignment of `lines` lines of six words, four seconds each."""
    word = {"word": "la", "score": 0.8, "source": "lyrics"}
    return {
        "song": name, "language": "en", "seconds": 240.0, "match_ratio": 0.9, "score": 0.8,
        "lines": [
            {
                "line": line, "text": "la la la la la la", "paragraph": 0, "section": None,
                "backing": False, "overlaps": False, "surprise": None,
                "kept": True, "reason": None, "start": 4.0 * line, "end": 4.0 * line + 3,
                "score": 0.8, "match": 1.0,
                "words": [
                    word | {"start": 4 * line + place / 2, "end": 4 * line + place / 2 + 0.4}
                    for place in range(6)
                ],
            }
            for line in range(lines)
        ],
    }  # fmt: skip
