"""Train sparse autoencoders on one layer of a dump."""

import json
from dataclasses import asdict
from pathlib import Path
from shutil import rmtree

from rasen import command
from rasen.device import pick_device
from rasen.io import hdf5
from rasen.sae.saelens_format import remove_others
from rasen.sae.settings import expand, in_shard, with_seeds
from rasen.sae.trainer import train
from rasen.sae.training_memory import require_memory


def train_sae(
    frames: Path, layer: int, settings: dict, seeds: list, outlier: float, seed: int, device: str,
    memory: int, metrics: Path, shard: int, shards: int, previous: Path | None = None,
) -> None:  # fmt: skip
    """Train the grid, or a shard of it; a killed run goes on.

    settings: the grid, trained at the first of `seeds`; its main cell also at the others
    memory:   MB of the job
    metrics:  the table; SAEs are put beside it, or, of a shard, one folder up, where all meet
    previous: metrics of an earlier point, as whose SAEs the new ones start
    """
    with hdf5.open_file(frames) as file:
        attributes = {name: file.attrs[name] for name in ("model", "point", "recipe", "weights")}
        d = file[f"layers/{layer:02d}"].shape[1]
    metadata = {
        "model_name": attributes["model"],
        "hook_name": f"layer {layer}",
        "model": attributes["model"],
        "point": attributes["point"],
        "layer": layer,
        "recipe": json.loads(attributes["recipe"]),
        "weights": attributes["weights"],
    }
    grid = expand(with_seeds(settings, seeds, seed), d)
    require_memory(grid, shards, d, memory)
    folder = metrics.parent
    table = train(
        frames,
        [asdict(setting) for setting in in_shard(grid, shard, shards)],
        seed,
        folder,
        layer,
        metadata=metadata,
        columns={"model": attributes["model"], "point": attributes["point"], "layer": layer},
        device=pick_device(device),
        outlier=outlier,
        start=previous and previous.parent,
    )
    if shards == 1:
        remove_others(folder, table["sae"])
        return
    for name in table.loc[~table["diverged"], "sae"]:
        rmtree(folder.parent / name, ignore_errors=True)
        (folder / name).rename(folder.parent / name)


if __name__ == "__main__":
    command.run(
        train_sae,
        out_of_memory="set a lower `sae.batch` or shorter lists in `sae` (a grid is one job)",
    )
