"""List the clips of a stimulus set."""

from pathlib import Path

from rasen import command, stimuli
from rasen.io import parquet


def list_stimuli(settings: dict, clips: Path) -> None:
    """Write one row per clip: how it is rendered or where it is read, and its labels."""
    parquet.write_table(stimuli.clips(settings), clips)


if __name__ == "__main__":
    command.run(list_stimuli)
