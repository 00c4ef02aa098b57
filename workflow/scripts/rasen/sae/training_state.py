"""The state of an unfinished run: one file, written whole, from which it goes on bit by bit.

Weights and Adam's moments of every SAE, when each latent last fired, and the reservoir's row
numbers are tensors; the step, the position in the source and what the run was started with are
JSON in the file's metadata. All random numbers are drawn by name and step, so they need no state.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from rasen.errors import RasenError
from rasen.io.atomic import whole_file
from rasen.sae.batch_stream import BatchStream, StreamPosition
from rasen.sae.settings import Setting
from rasen.sae.training_run import TrainingRun

FILE = "state.safetensors"


@dataclass(frozen=True)
class RunInputs:
    """What a run was started with; an unfinished run goes on only with the same."""

    settings: Sequence[Setting]
    seed: int
    shape: Sequence[int]  # rows and width of the activations
    activations: Mapping[str, Any]  # provenance of the source
    start: str | None = None  # hash of the run whose SAEs it started as


def save_state(
    folder: Path | str,
    runs: Sequence[TrainingRun],
    stream: BatchStream,
    step: int,
    inputs: RunInputs,
) -> None:
    """Write the state of `runs` after `step` steps."""
    position = stream.position()
    tensors = {"numbers": torch.from_numpy(position.reservoir)}
    for number, run in enumerate(runs):
        tensors |= {f"{number}.{name}": tensor for name, tensor in run.state().items()}
    metadata = {
        "step": step,
        "stream": {"read": position.blocks_read, "drawn": position.batches_drawn},
        "begun_with": asdict(inputs),
    }
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole_file(Path(folder) / FILE) as partial:
        save_file(stored, partial, {"rasen": json.dumps(metadata)})


def restore_state(
    folder: Path | str, runs: Sequence[TrainingRun], stream: BatchStream, inputs: RunInputs
) -> int:
    """Set `runs` and `stream` to where an interrupted run stopped; returns the steps done."""
    path = Path(folder) / FILE
    if not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        metadata = json.loads(file.metadata()["rasen"])
        _refuse_other_inputs(path, metadata["begun_with"], inputs)
        for number, run in enumerate(runs):
            run.restore({name: file.get_tensor(f"{number}.{name}") for name in run.state()})
        counts = metadata["stream"]
        reservoir = file.get_tensor("numbers").numpy()
        stream.restore(StreamPosition(reservoir, counts["read"], counts["drawn"]))
    return metadata["step"]


def _refuse_other_inputs(path, stored, inputs):
    asked = json.loads(json.dumps(asdict(inputs)))
    different = [key for key in asked if stored.get(key) != asked[key]]
    if different:
        raise RasenError(
            f"{path}: this run was started with another {', '.join(different)}; delete it to "
            "start anew, or train into another folder"
        )


def remove_state(folder: Path | str) -> None:
    """Delete the state of a run that has ended, and one that was cut while written."""
    for name in (FILE, FILE + ".partial"):
        (Path(folder) / name).unlink(missing_ok=True)
