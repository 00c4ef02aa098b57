"""Where the songs' files lie below results/: batches by number, their ledgers and shards.

Thousands of paths do not fit on a command line, so jobs over the whole corpus are told how many
batches there are, and rules and jobs both ask this module.
"""

from pathlib import Path

LEDGER = "batches/{stage}/{batch}.parquet"
SHARD = "shards/{batch}.h5"
STAGES = (  # that a song goes through, each with a ledger per batch
    "measure_recordings",
    "separate_stems",
    "align_lyrics",
    "tag_structure",
    "write_phonemes",
    "encode_sketch",
    "encode_latents",
)


def batch_name(number: int) -> str:
    """The name of a batch: 00000, 00001, ..."""
    return f"{number:05d}"


def ledgers(results: Path | str, stage: str, batches: int) -> list[Path]:
    """The ledger of every batch at a stage."""
    return _of_batches(results, LEDGER.replace("{stage}", stage), batches)


def shards(results: Path | str, batches: int) -> list[Path]:
    """The shard of every batch."""
    return _of_batches(results, SHARD, batches)


def _of_batches(results, pattern, batches):
    names = map(batch_name, range(batches))
    return [Path(results) / pattern.format(batch=name) for name in names]
