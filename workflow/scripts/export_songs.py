"""Export a shard's songs as a tar file in the WebDataset layout, one for each split."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.songs import export


def export_songs(songs: Path, shard: Path, folder: Path):
    """Write folder/{train,valid,test}-{shard}.tar (those that have songs)."""
    folder.mkdir(parents=True, exist_ok=True)  # none of a shard's songs may have stayed
    table = parquet.read_table(songs)
    for split, part in table[table["shard"] == shard.stem].groupby("split"):
        export.to_tar(folder / f"{split}-{shard.stem}.tar", shard, part)


if __name__ == "__main__":
    command.run(export_songs)
