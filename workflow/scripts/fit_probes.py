"""Fit probes to every layer of a model at a point."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.io.json_dataclass import from_dict
from rasen.measure.notes import codec_token_shares
from rasen.measure.spectra import read_spectra
from rasen.measure.tasks import DumpedLayers, TaskSettings, read_rows, targets
from rasen.probes.draws import write_draws
from rasen.probes.probing import probe
from rasen.probes.settings import ProbeSettings


def fit_probes(
    activations: Path,
    inputs: Path,
    tasks: dict,
    settings: dict,
    seed: int,
    rows: Path,
    draws: Path,
    spectra: Path | None = None,
):
    """Write one row per layer, baseline, task, split and metric; and the resampled values."""
