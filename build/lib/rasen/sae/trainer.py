"""Train many SAEs in one pass over the activations.

    from rasen.sae import train
    table = train("activations.h5", {"k": [8, 32], "lr": [3e-4, 1e-3]}, 0, "saes", layer=6)

Every batch is read and normalised once and given to all SAEs, each with weights and an optimiser
of its own. Data order and first weights depend on the seed alone.
"""

from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from rasen.io import parquet
from rasen.sae import folder as folders
from rasen.sae import metrics, normalise, state
from rasen.sae import settings as grids
from rasen.sae.run import Run
from rasen.sae.source import open_source
from rasen.sae.split import TEST, TRAIN, VALIDATION, some, split
from rasen.sae.stream import Stream
from rasen.seeds import generator

TABLE, OUTLIERS = "metrics.parquet", "outliers.parquet"
WARM_UP, COOL_DOWN = 0.05, 0.2  # of the steps: the learning rate rises, later falls to 0
SAMPLE = 4096  # rows for medians, variances and factors
HELD_OUT = 100_000  # at most so many rows choose the learning rate, and as many test


def train(
    source,
    settings,
    seed,
    folder,
    layer=None,
    groups=None,
    metadata=None,
    device="cpu",
    save_every=1000,
    held_out=HELD_OUT,
    outlier=metrics.OUTLIER,
    columns=None,
):
    """Train one SAE a setting; write a SAELens folder for each and a table of metrics.

    source:     a dump of activations with pool "all" (then `layer` too), or an array
                [rows, d] (then `groups` may say which document or song each row is of)
    settings:   see `rasen.sae.settings`; a dict or a list of dicts, lists in them are grids
    metadata:   what each cfg.json should say: model_name, hook_name, model, point, layer, recipe
    save_every: steps between states on disk, from which an interrupted run goes on
    held_out:   at most so many rows choose the learning rate, and as many others test
    outlier:    rows longer than so many medians are outliers
    columns:    {name: value} for every row of the table, such as model, point and layer

    Returns the table (also folder/metrics.parquet), a row an SAE; `best` marks the learning rate
    with the least validation loss among SAEs that differ in that alone. folder/outliers.parquet
    names the outliers of the test rows.
    """
    with open_source(source, layer, groups) as data:
        settings = grids.expand(settings)
        grids.check(settings, data.d)
        names = grids.names(settings, data.d)
        parts = split(data.groups, seed)
        steps = grids.steps(settings[0], int((parts == TRAIN).sum()))
        batch = settings[0]["batch"]
        grids.warn_of_few_rows(settings, data.d, steps * batch)

        stream = Stream(data, parts == TRAIN, seed, batch)
        sample = _rows(_sample(stream, seed), device)
        runs = [Run(setting, sample, seed, steps * batch) for setting in settings]
        begun_with = {
            "settings": settings,
            "seed": seed,
            "shape": [data.rows, data.d],
            "activations": data.provenance,
        }
        _fit(runs, stream, steps, folder, begun_with, save_every, device)

        chosen_on, tested_on = (
            some(parts, data.groups, part, held_out, seed) for part in (VALIDATION, TEST)
        )
        validation, test = _rows(data.take(chosen_on), device), data.take(tested_on)
        summary, huge = metrics.describe_norms(metrics.row_norms(test), tested_on, data, outlier)
        table = []
        for run, name in zip(runs, names, strict=True):
            sae, loss = run.finish(validation, metadata)
            folders.save(sae, Path(folder) / name)
            about = (
                dict(columns or {})
                | {"sae": name, "n": sae.n, "d": sae.d, "seed": seed}
                | run.setting
            )
            about |= {"steps": steps, "dead_after": run.dead_after}
            found = metrics.evaluate(sae, test, outlier) | {"dead_in_training": run.dead_share()}
            table.append(about | found | summary | {"validation_loss": loss})
    # a kind has k or l1; the other is missing
    table = _mark_best(pd.DataFrame(table).astype({"k": "Int64", "l1": "float64"}))
    parquet.write_table(huge, Path(folder) / OUTLIERS)
    parquet.write_table(table, Path(folder) / TABLE)
    state.remove(folder)
    return table


def _fit(runs, stream, steps, folder, begun_with, save_every, device):
    """All batches that are left, each given to all runs."""
    done = state.restore(folder, runs, stream, begun_with)
    for step in tqdm(range(done, steps), f"{len(runs)} SAEs", steps, initial=done, disable=None):
        x = _rows(stream.next(), device)
        normalised = {}
        for run in runs:
            kind = run.setting["normalise"]
            if kind not in normalised:
                normalised[kind] = normalise.apply(kind, x, run.rms)
            run.step(normalised[kind], rate(step, steps))
        if (step + 1) % save_every == 0 and step + 1 < steps:
            state.save(folder, runs, stream, step + 1, begun_with)


def rate(step, steps):
    """Factor of the learning rate: rises over the first 5 %, falls to 0 over the last 20 %."""
    return min(1.0, (step + 1) / (WARM_UP * steps), (steps - step) / (COOL_DOWN * steps))


def _sample(stream, seed):
    """Rows of the reservoir as it is first filled: of at least 8 blocks from all over the file."""
    stream.fill()
    order = generator(seed, "sae", "sample").permutation(stream.filled)
    return stream.values[order[:SAMPLE]]


def _rows(rows, device):
    """Stored rows as float32 on the device."""
    return torch.from_numpy(rows).to(device).float()


def _mark_best(table):
    """`best`: the least validation loss among SAEs that differ in the learning rate alone."""
    alike = table.groupby(["kind", "n", "k", "l1", "normalise"], dropna=False)
    table["best"] = table.index.isin(alike["validation_loss"].idxmin())
    return table
