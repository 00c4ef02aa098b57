"""Tables that are requested by name (`snakemake songs`) and are there: what the explorer adds."""

from pathlib import Path

BY_NAME = ("songs", "quarantine", "recordings", "sections", "lines", "words", "training",
           "generated", "scores")  # fmt: skip
WAVEFORMS = "results/batches/measure_peaks/*.parquet"
BATCHES = 500  # at most: a command line holds no more paths, and the page draws 500 songs


def made_tables() -> list[str]:
    """Paths of those that are there now, in a fixed order."""
    tables = [f"results/tables/{name}.parquet" for name in BY_NAME]
    waveforms = sorted(map(str, Path().glob(WAVEFORMS)))[:BATCHES]
    return [path for path in tables if Path(path).is_file()] + waveforms


def sounding_tables() -> list[str]:
    """Those that name sound: waveforms of songs, and songs that were generated."""
    return [path for path in made_tables() if "measure_peaks" in path or "generated" in path]


def changed(paths: list[str]) -> list[str]:
    """When each was written, and its size: another value where a table is another."""
    return [f"{Path(path).stat().st_mtime_ns} {Path(path).stat().st_size}" for path in paths]
