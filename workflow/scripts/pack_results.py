"""Pack tables, figures, report, config and records into one archive."""

from pathlib import Path

from rasen import command
from rasen.study.archive import pack_archive


def pack_results(archive: Path, settings: dict, also: list[Path], version: str):
    """Write the archive; `also` are the config files and sheets that the results came from."""
    pack_archive(archive, settings, also, version)


if __name__ == "__main__":
    command.run(pack_results)
