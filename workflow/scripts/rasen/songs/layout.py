"""Where the songs' files lie below results/: per batch (ledgers, shards) and per song.

Thousands of paths do not fit on a command line, so jobs over the whole corpus get the number of
batches, and rules and jobs both take the paths from this module.
"""

from pathlib import Path

LEDGER = "batches/{stage}/{batch}.parquet"
SHARD = "shards/{batch}.h5"
SONGS = "songs"  # the folder with one folder per song
STAGES = (  # that a song goes through, each with a ledger per batch
    "measure_recordings",
    "describe_music",
    "separate_stems",
    "align_lyrics",
    "tag_structure",
    "write_phonemes",
    "encode_sketch",
    "encode_latents",
)

# Files of one song, in its folder.
FINGERPRINT = "fingerprint.npy"
ALIGNMENT = "alignment.json"
STRUCTURE = "structure.tsv"
STRUCTURE_JSON = "structure.json"  # the same as All-In-One writes it
PHONEMES = "phonemes.json"
SKETCH = "sketch.npy"
LATENTS = "latents.npy"
MONO = "latents.mono.npy"  # of the mono mix, with `songs.latents.mono`


def batch_name(number: int) -> str:
    """The name of a batch: 00000, 00001, ..."""
    return f"{number:05d}"


def ledgers(results: Path | str, stage: str, batches: int) -> list[Path]:
    """The ledger of every batch at a stage."""
    return [
        Path(results) / LEDGER.format(stage=stage, batch=batch_name(number))
        for number in range(batches)
    ]


def shards(results: Path | str, batches: int) -> list[Path]:
    """The shard of every batch."""
    return [shard_file(results, batch_name(number)) for number in range(batches)]


def shard_file(results: Path | str, batch: str) -> Path:
    """The shard of one batch."""
    return Path(results) / SHARD.format(batch=batch)
