"""List windows of the songs as the clips of a stimulus set."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.songbloom.stimuli import WindowSettings, window_clips


def list_windows(settings: WindowSettings, index: Path, clips: Path) -> None:
    """Write one row per window: its song, where it starts, its labels."""
    parquet.write_table(window_clips(index, settings), clips)


if __name__ == "__main__":
    command.run(list_windows)
