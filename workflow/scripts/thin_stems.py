"""Recompress or delete the stems of every song of a batch that no later stage will read."""

import json
from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.songs import ledger as ledgers
from rasen.songs.thin import thin_stems as thin


def thin_stems(
    stem_ledger: Path, structure_ledger: Path, songs: Path, policy: str, ledger: Path
) -> None:
    """Thin the stems of each song that has words and sections; what they took and take, in bytes.

    Rejected songs keep theirs: with better lyrics they will be read again.
    """
    rows = []
    for song in ledgers.passed(songs, stem_ledger, structure_ledger).itertuples(index=False):
        if listed := json.loads(song.files or "{}"):  # an instrumental has none
            rows.append((song.song, sum(listed.values()), thin(songs / song.song, listed, policy)))
    parquet.write_table(pd.DataFrame(rows, columns=["song", "before", "after"]), ledger)


if __name__ == "__main__":
    command.run(thin_stems)
