"""Put the songs of a batch that passed every stage into one file."""

from pathlib import Path

from rasen import command
from rasen.songs import ledger as ledgers
from rasen.songs import shards


def write_shard(ledger: list[Path], songs: Path, mono: bool, shard: Path, code: str) -> None:
    """Write the shard, with the latents of the mono mixes or without.

    ledger: those of all stages, the recordings' first
    """
    shards.write_shard(shard, ledgers.passed(songs, *ledger), songs, mono, code=code)


if __name__ == "__main__":
    command.run(write_shard)
