"""Open an archive of `snakemake share` that came from somebody else."""

from pathlib import Path

from rasen import command
from rasen.errors import short
from rasen.study.opening import config_of, paths_outside
from rasen.study.opening import open_archive as unpack


def open_archive(archive: Path, folder: Path):
    """Check and unpack an archive, and say what of this machine its config would use."""
    unpack(archive, folder)
    config = config_of(folder)
    print(f"{folder}: unpacked; checksums, names and configs are in order")
    for path in sorted(set(paths_outside(config))):
        print(f"its config names a file outside of this folder: {short(path)}")
    print(
        "Open the explorer, the report and figures only if you trust who sent them: pages can run "
        "scripts, and so can SVG files."
    )


if __name__ == "__main__":
    command.run(open_archive)
