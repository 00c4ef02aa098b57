"""Put the songs of a batch that passed every stage into one file."""

from pathlib import Path

from rasen import command
from rasen.songs import ledger as ledgers
from rasen.songs import shards


def write_shard(ledger: list[Path], songs: Path, shard: Path, code: str) -> None:
    """Write the shard. ledger: those of all stages, the recordings' first."""
    shards.write_shard(shard, ledgers.passed(songs, *ledger), songs, code=code)


if __name__ == "__main__":
    command.run(write_shard)
