"""Copy recordings, stems and generated songs as MP3, for the explorer."""

from pathlib import Path

from rasen import command
from rasen.explorer.folder import name_of
from rasen.explorer.media import copy_sounds as copy
from rasen.explorer.media import sounds_to_copy
from rasen.io import parquet


def copy_sounds(tables: list[Path], copies: Path) -> None:
    """Write the copies beside the table that says of what each is.

    tables: songs' waveforms and generated songs, of those that there are
    """
    results = copies.parents[1]
    named = {name_of(path, results): path for path in tables}
    parquet.write_table(copy(sounds_to_copy(named), copies.parent), copies)


if __name__ == "__main__":
    command.run(copy_sounds)
