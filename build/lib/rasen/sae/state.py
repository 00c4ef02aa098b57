"""The state of an unfinished run: one file, written whole, from which it goes on bit by bit.

Weights and Adam's moments of every SAE, when each latent last fired, and the reservoir's row
numbers are tensors; the step, the cursor and what the run was begun with stand in the file's
metadata as JSON. All random numbers are drawn by name and step, so they need no state.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from rasen.errors import RasenError
from rasen.io.atomic import whole_file

FILE = "state.safetensors"


def save(folder, runs, stream, step, begun_with):
    """Write the state of `runs` (rasen.sae.run.Run) after `step` steps."""
    place = stream.state()
    tensors = {"numbers": torch.from_numpy(place.pop("numbers"))}
    for at, run in enumerate(runs):
        tensors |= {f"{at}.{name}": tensor for name, tensor in run.state().items()}
    words = {"step": step, "stream": place, "begun_with": begun_with}
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole_file(Path(folder) / FILE) as partial:
        save_file(stored, partial, {"rasen": json.dumps(words)})


def restore(folder, runs, stream, begun_with):
    """Set `runs` and `stream` to where an interrupted run stopped; returns the steps done."""
    path = Path(folder) / FILE
    if not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        words = json.loads(file.metadata()["rasen"])
        _refuse_other(path, words["begun_with"], begun_with)
        for at, run in enumerate(runs):
            run.restore({name: file.get_tensor(f"{at}.{name}") for name in run.state()})
        stream.restore(file.get_tensor("numbers").numpy(), **words["stream"])
    return words["step"]


def _refuse_other(path, before, now):
    now = json.loads(json.dumps(now))
    other = [key for key in now if before.get(key) != now[key]]
    if other:
        raise RasenError(
            f"{path}: this run began with another {', '.join(other)}; delete it to start anew, or "
            "train into another folder"
        )


def remove(folder):
    """Delete the state of a run that has ended, and one that was cut while written."""
    for name in (FILE, FILE + ".partial"):
        (Path(folder) / name).unlink(missing_ok=True)
