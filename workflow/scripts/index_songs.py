"""The corpus as tables: songs for training, rejected songs, lines and words."""

from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.songs import layout
from rasen.songs.alignment import LINES, WORDS, alignment_tables, read_alignment
from rasen.songs.audio_measures import read_fingerprint
from rasen.songs.index import MEASURES, ORIGINS, IndexSettings, build_tables
from rasen.songs.ledger import check_files
from rasen.songs.shards import shard_contents

TEXTS = [name for names in ORIGINS.values() for name in names]
READ = ["song", "outcome", "reason", "detail", "files", "seconds", *MEASURES, *TEXTS]  # of ledgers
PART = 1000  # songs whose lines and words are in memory at once


def index_songs(
    batches: int, results: Path, settings: IndexSettings, seed: int,
    index: Path, quarantine: Path, lines: Path, words: Path,
) -> None:  # fmt: skip
    """Write the four tables of all batches in `results`."""
    stages = {
        stage: parquet.read_tables(layout.ledgers(results, stage, batches), READ)
        for stage in layout.STAGES
    }
    contents = [
        shard_contents(path).assign(shard=path.stem) for path in layout.shards(results, batches)
    ]
    songs = results / layout.SONGS
    for stage in ("measure_recordings", "align_lyrics"):  # whose files are read below
        check_files(songs, stages[stage], layout.ledgers(results, stage, batches))
    measured = stages["measure_recordings"].query("outcome == 'ok'")["song"]
    prints = {song: read_fingerprint(f"{songs}/{song}/{layout.FINGERPRINT}") for song in measured}
    accepted, rejected = build_tables(
        stages, pd.concat(contents, ignore_index=True), prints, settings, seed
    )
    del prints
    parquet.write_table(accepted, index)
    parquet.write_table(rejected, quarantine)
    with (
        parquet.open_writer(lines, LINES) as of_lines,
        parquet.open_writer(words, WORDS) as of_words,
    ):
        for start in range(0, len(accepted), PART):
            some = accepted["song"][start : start + PART]
            parts = alignment_tables(
                read_alignment(f"{songs}/{song}/{layout.ALIGNMENT}") for song in some
            )
            of_lines.write_table(parts[0])
            of_words.write_table(parts[1])


if __name__ == "__main__":
    command.run(index_songs)
