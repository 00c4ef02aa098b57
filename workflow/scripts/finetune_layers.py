"""Train the layers of a model above some, at a point, to read tasks."""

from pathlib import Path

import numpy as np
import pandas as pd

from rasen import command
from rasen.device import pick_device
from rasen.io import parquet
from rasen.io.inputs import Inputs
from rasen.io.json_dataclass import from_dict
from rasen.measure.finetune import Finetuning, FreezingSettings
from rasen.measure.interpolate import load_at_point
from rasen.measure.tasks import DumpedLayers, Rows, TaskSettings, targets
from rasen.probes.frozen import frozen_rows
from rasen.probes.settings import ProbeSettings
from rasen.study.recipe import Recipe


def finetune_layers(
    recipe: Recipe,
    inputs: Path,
    activations: Path,
    tasks: dict,
    freezing: FreezingSettings,
    probes: ProbeSettings,
    pool: str,
    seed: int,
    rows: Path,
    model: str,
    device: str,
    gpus: int,
    batch: int,
):
    """Write one row per frozen layer, task, split and metric, with ridge on the same test folds.

    activations: a dump of the same clips at the same point, which ridge reads
    """
    device = pick_device(device, gpus)
    clips = Inputs(inputs)
    named = {name: from_dict(TaskSettings, task) for name, task in tasks.items()}
    prepared = list(targets(named, Rows(clips.clips, np.arange(len(clips)))))
    family, network = load_at_point(recipe, device, gpus)
    tuning = Finetuning(family, network, clips, pool, freezing, device, seed, batch)
    layers = DumpedLayers(activations)
    tables = [
        frozen_rows(tuning.fit, tuning.layers, layers, some, groups, probes, freezing.folds, seed)
        for groups, some in prepared
    ]
    parquet.write_table(pd.concat(tables, ignore_index=True), rows)


if __name__ == "__main__":
    command.run(
        finetune_layers,
        out_of_memory="set a lower `probes.freezing.batch` or more `models.{model}.gpus`",
    )
