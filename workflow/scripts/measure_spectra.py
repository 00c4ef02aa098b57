"""Measure spectra of clips, without a network."""

from functools import partial
from pathlib import Path

from rasen import command, stimuli
from rasen.io import parquet
from rasen.measure.notes import RATE
from rasen.measure.spectra import write_spectra


def measure_spectra(clips: Path, frames: int, spectra: Path):
    """Write the time-mean spectra of every clip, and those of `frames` parts of a second."""
    sound = partial(stimuli.render_sound, rate=RATE)
    write_spectra(spectra, parquet.read_table(clips), sound, frames)


if __name__ == "__main__":
    command.run(measure_spectra)
