"""Train many SAEs in one pass over the activations.

    from rasen.sae import train
    table = train("activations.h5", {"k": [8, 32], "lr": [3e-4, 1e-3]}, 0, "saes", layer=6)

Every batch is read and normalised once and given to all SAEs, each with weights and an optimiser
of its own. Data order and first weights depend on the seed alone; a setting's own `seed` changes
its first weights, and neither the rows nor their order.
"""

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from tqdm import tqdm

from rasen.io import parquet
from rasen.io.hashes import hash_file
from rasen.sae import metrics
from rasen.sae.activation_source import Activations, open_activations
from rasen.sae.batch_stream import BatchStream
from rasen.sae.data_split import TEST, TRAIN, VALIDATION, sample_whole_clips, split_by_clip
from rasen.sae.normalise import normalise_rows
from rasen.sae.saelens_format import load, save
from rasen.sae.settings import Grid, expand, folder_names, warn_of_few_rows
from rasen.sae.training_run import TrainingRun
from rasen.sae.training_state import RunInputs, remove_state, restore_state, save_state
from rasen.seeds import generator

TABLE, OUTLIERS = "metrics.parquet", "outliers.parquet"
WARM_UP, COOL_DOWN = 0.05, 0.2  # of the steps: the learning rate rises, later falls to 0
SETTLED = 500  # steps; a shorter run is still far from its end, so its ramps are shorter too
SAMPLE = 4096  # rows for medians, variances and factors
DIVERGED = 10  # validation loss, where 1 is that of the mean row
ALIKE = ["kind", "n", "k", "l1", "normalise", "seed"]  # SAEs that differ in the learning rate alone
HELD_OUT = 100_000  # at most so many rows choose the learning rate, and as many test


def train(
    source: Activations,
    settings: Grid,
    seed: int,
    folder: Path | str,
    layer: int | str | None = None,
    groups: ArrayLike | None = None,
    metadata: Mapping[str, Any] | None = None,
    device: str = "cpu",
    save_every: int = 1000,
    held_out: int = HELD_OUT,
    outlier: float = metrics.OUTLIER,
    columns: Mapping[str, Any] | None = None,
    start: Path | str | None = None,
) -> pd.DataFrame:
    """Train one SAE per setting; write a SAELens folder for each and a table of metrics.

    source:     a dump of activations with pool "all" (then `layer` too), or an array
                [rows, d] (then `groups` may say which document or song each row is of)
    settings:   values of `rasen.sae.settings.Setting`, as a dict or a list of dicts; lists in
                them are grids
    metadata:   what each cfg.json should say: model_name, hook_name, model, point, layer, recipe
    save_every: steps between states on disk, from which an interrupted run goes on
    held_out:   at most so many rows choose the learning rate, and as many others test
    outlier:    rows longer than so many medians are outliers
    columns:    {name: value} for every row of the table, such as model, point and layer
    start:      the folder of an earlier run of these settings, whose SAEs the new ones start as

    Returns the table (also folder/metrics.parquet), a row per SAE; `best` marks the learning rate
    with the least validation loss among SAEs that differ in that alone. An SAE that diverged has a
    row and no folder. folder/outliers.parquet lists the outliers of the test rows.
    """
    folder = Path(folder)
    with open_activations(source, layer, groups) as activations:
        chosen = expand(settings, activations.d)
        names = folder_names(chosen, activations.d)
        parts = split_by_clip(activations.groups, seed)
        steps = chosen[0].total_steps(int((parts == TRAIN).sum()))
        rows = steps * chosen[0].batch
        warn_of_few_rows(chosen, activations.d, rows)

        stream = BatchStream(activations, parts == TRAIN, seed, chosen[0].batch)
        sample = as_tensor(sample_of_reservoir(stream, seed), device)
        starts = _starts(start, names, device)
        runs = [
            TrainingRun(setting, sample, seed, rows, starts.get(name))
            for setting, name in zip(chosen, names, strict=True)
        ]
        inputs = RunInputs(
            settings=chosen,
            seed=seed,
            shape=[activations.rows, activations.d],
            activations=activations.provenance,
            start=hash_file(Path(start) / TABLE) if start else None,
        )
        _fit(runs, stream, steps, folder, inputs, save_every, device)

        validated_on, tested_on = (
            sample_whole_clips(parts, activations.groups, part, held_out, seed)
            for part in (VALIDATION, TEST)
        )
        validation = as_tensor(activations.take(validated_on), device)
        test = activations.take(tested_on)
        summary, outliers = metrics.describe_norms(
            metrics.row_norms(test), tested_on, activations, outlier
        )
        table_rows = []
        for run, name in zip(runs, names, strict=True):
            sae, loss = run.finish(validation, metadata)
            diverged = not loss < DIVERGED  # or NaN
            if not diverged:
                save(sae, folder / name)
            table_rows.append(
                dict(columns or {})
                | {"sae": name, "n": sae.n, "d": sae.d}
                | asdict(run.setting)
                | {"seed": run.seed, "steps": steps, "dead_after": run.dead_after}
                | metrics.evaluate(sae, test, outlier)
                | {"dead_in_training": run.dead_share()}
                | summary
                | {"validation_loss": loss, "diverged": diverged}
            )
    # a kind has k or l1; the other is missing
    table = mark_best(pd.DataFrame(table_rows).astype({"k": "Int64", "l1": "float64"}))
    parquet.write_table(outliers, folder / OUTLIERS)
    parquet.write_table(table, folder / TABLE)
    remove_state(folder)
    return table


def _fit(runs, stream, steps, folder, inputs, save_every, device):
    """All remaining batches, each given to all runs."""
    done = restore_state(folder, runs, stream, inputs)
    for step in tqdm(range(done, steps), f"{len(runs)} SAEs", steps, initial=done, disable=None):
        x = as_tensor(stream.next_batch(), device)
        normalised: dict[str, torch.Tensor] = {}
        for run in runs:
            kind = run.setting.normalise
            if kind not in normalised:
                normalised[kind] = normalise_rows(kind, x, run.rms)
            run.step(normalised[kind], lr_factor(step, steps))
        if (step + 1) % save_every == 0 and step + 1 < steps:
            save_state(folder, runs, stream, step + 1, inputs)


def lr_factor(step: int, steps: int) -> float:
    """Factor of the learning rate: rises over the first 5 %, falls to 0 over the last 20 %.

    Of a run with fewer than SETTLED steps these shares are smaller, in proportion to the steps.
    Measured on planted atoms: 50 steps FVU .27 instead of .29, 400 steps .114 instead of .113.
    """
    ramps = steps * min(1.0, steps / SETTLED)
    return min(1.0, (step + 1) / (WARM_UP * ramps), (steps - step) / (COOL_DOWN * ramps))


def sample_of_reservoir(stream: BatchStream, seed: int) -> np.ndarray:
    """Rows [sample, d] of the reservoir as it is first filled: of at least 8 blocks."""
    stream.fill_reservoir()
    order = generator(seed, "sae", "sample").permutation(stream.filled)
    return stream.values[order[:SAMPLE]]


def as_tensor(rows: np.ndarray, device: str) -> torch.Tensor:
    """Stored rows as float32 on the device."""
    return torch.from_numpy(rows).to(device).float()


def _starts(folder, names, device):
    """{name: SAE} of an earlier run that did not diverge; nothing without one."""
    if folder is None:
        return {}
    table = parquet.read_table(Path(folder) / TABLE)
    diverged = set(table.loc[table["diverged"], "sae"])
    return {name: load(Path(folder) / name, device) for name in names if name not in diverged}


def mark_best(table: pd.DataFrame) -> pd.DataFrame:
    """The table with `best`, the least validation loss among SAEs that differ in the learning rate
    alone, and `best_at_edge`, where that rate is the smallest or the largest that was tried.

    Those that diverged are never the best. Rates at the edge are told in a warning.
    """
    sound = table[~table["diverged"]].sort_values("validation_loss", kind="stable")
    best = table.index.isin(sound.drop_duplicates(ALIKE).index)
    rates = table.groupby(ALIKE, dropna=False)["lr"]
    smallest, largest = rates.transform("min"), rates.transform("max")
    at_edge = best & (smallest < largest) & ((table["lr"] == smallest) | (table["lr"] == largest))
    if at_edge.any():
        chosen = ", ".join(f"{rate:g}" for rate in sorted(set(table.loc[at_edge, "lr"])))
        warnings.warn(
            f"sae: the best learning rate of {at_edge.sum()} of {best.sum()} SAEs lies at the "
            f"edge of the grid ({chosen}); a rate beyond it may be better: add it to sae.lr",
            stacklevel=2,
        )
    if table["diverged"].any():
        names = ", ".join(table.loc[table["diverged"], "sae"])
        warnings.warn(f"sae: {names}: diverged; a smaller lr may help", stacklevel=2)
    return table.assign(best=best, best_at_edge=at_edge)
