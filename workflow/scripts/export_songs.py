"""Export a shard's songs as a tar file in the WebDataset layout, one for each split."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.songs.export import export_shard


def export_songs(songs: Path, shard: Path, folder: Path) -> None:
    """Write folder/{train,valid,test}-{shard}.tar (those that have songs)."""
    folder.mkdir(parents=True, exist_ok=True)  # all of a shard's songs may have been rejected
    index = parquet.read_table(songs)
    for split, rows in index[index["shard"] == shard.stem].groupby("split"):
        export_shard(folder / f"{split}-{shard.stem}.tar", shard, rows)


if __name__ == "__main__":
    command.run(export_songs)
