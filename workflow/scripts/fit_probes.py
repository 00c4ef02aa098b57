"""Fit probes to every layer of a model at a point."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from rasen import command
from rasen.io import hdf5, parquet
from rasen.io.json_dataclass import from_dict
from rasen.measure.notes import codec_token_shares
from rasen.measure.spectra import clip_ends, read_spectra
from rasen.measure.tasks import DumpedLayers, TaskSettings, read_rows, targets
from rasen.probes.draws import as_draws
from rasen.probes.probing import probe_outcomes
from rasen.probes.settings import ProbeSettings
from rasen.probes.table import as_table


def fit_probes(
    clips: Path,
    activations: Path,
    inputs: Path,
    tasks: dict,
    kinds: list[str],
    settings: ProbeSettings,
    seed: int,
    rows: Path,
    draws: Path,
    frames: bool,
    spectra: Path | None = None,
):
    """Write one row per layer, baseline, task, split and metric; and the resampled values."""
    layers = DumpedLayers(activations)
    ends = clip_ends(spectra) if spectra and frames else None
    of_dump = read_rows(activations, parquet.read_table(clips)["clip"].tolist(), ends)
    named = {name: from_dict(TaskSettings, task) for name, task in tasks.items()}
    baselines = {}
    if spectra:
        baselines = read_spectra(spectra, of_dump.clips, of_dump.clip, of_dump.frame)
    if of_dump.time is None and (shares := codec_token_shares(inputs)) is not None:
        baselines["codec tokens"] = shares
    tables, keys, values = [], [], []
    for groups, some in targets(named, of_dump):
        for kind in kinds:
            outcomes = probe_outcomes(
                layers, some, groups, seed=seed, baselines=baselines,
                settings=replace(settings, kind=kind),
            )  # fmt: skip
            tables.append(as_table(outcomes, list(layers)))
            of_kind, drawn = as_draws(outcomes, list(layers))
            keys.append(of_kind)
            values.append(drawn)
    parquet.write_table(pd.concat(tables, ignore_index=True), rows)
    with hdf5.create(draws) as writer:
        writer.table("rows", pd.concat(keys, ignore_index=True))
        writer.array("draws", np.concatenate(values))


if __name__ == "__main__":
    command.run(fit_probes)
