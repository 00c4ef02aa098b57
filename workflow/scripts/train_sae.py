"""Train sparse autoencoders on one layer of a dump."""

import json
from pathlib import Path
from shutil import rmtree

from rasen import command
from rasen.device import pick_device
from rasen.io import hdf5
from rasen.sae.trainer import train


def train_sae(
    frames: Path, layer: int, settings: dict, outlier: float, seed: int, device: str, metrics: Path
) -> None:
    """Train the grid beside `metrics`; a killed run goes on, SAEs of other settings are removed."""
    with hdf5.open_file(frames) as file:
        attributes = {name: file.attrs[name] for name in ("model", "point", "recipe", "weights")}
    metadata = {
        "model_name": attributes["model"],
        "hook_name": f"layer {layer}",
        "model": attributes["model"],
        "point": attributes["point"],
        "layer": layer,
        "recipe": json.loads(attributes["recipe"]),
        "weights": attributes["weights"],
    }
    folder = metrics.parent
    table = train(
        frames,
        settings,
        seed,
        folder,
        layer,
        metadata=metadata,
        columns={"model": attributes["model"], "point": attributes["point"], "layer": layer},
        device=pick_device(device),
        outlier=outlier,
    )
    for path in folder.iterdir():
        if path.is_dir() and path.name not in set(table["sae"]):
            rmtree(path)


if __name__ == "__main__":
    command.run(
        train_sae,
        out_of_memory="set a lower `sae.batch` or shorter lists in `sae` (a grid is one job)",
    )
