"""The state of an unfinished run: a folder written whole, from which it goes on bit by bit.

Weights, moments of the optimiser and the running average are torch's distributed checkpoint, each
process writing what it holds. Step, position in the data and what the run was begun with stand in a
JSON beside them. Everything random is drawn by name and place, so it needs no state.
"""

import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

from rasen.errors import RasenError, raise_all
from rasen.io.atomic import write_text
from rasen.songbloom.engines import Engine

ABOUT = "about.json"
# torch says so whenever one process saves, which is what is meant
warnings.filterwarnings("ignore", message="torch.distributed is disabled, unavailable")
Average = dict[str, torch.Tensor] | None


def save_state(
    folder: Path,
    engine: Engine,
    optimiser: torch.optim.Optimizer,
    average: Average,
    step: int,
    begun_with: Mapping[str, Any],
) -> None:
    """Write the state after `step` steps; the one before it goes when it is complete."""
    partial, whole = folder / f"step-{step:08d}.partial", folder / f"step-{step:08d}"
    if engine.rank == 0:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    engine.wait()
    dcp.save(_content(engine, optimiser, average), checkpoint_id=partial, no_dist=engine.world == 1)
    engine.wait()
    if engine.rank == 0:
        about = {"step": step, "begun_with": dict(begun_with)}
        write_text(partial / ABOUT, json.dumps(about, indent=1))
        partial.rename(whole)
        for other in folder.glob("step-*"):
            if other != whole:
                shutil.rmtree(other)
    engine.wait()


def restore_state(
    folder: Path,
    engine: Engine,
    optimiser: torch.optim.Optimizer,
    average: Average,
    begun_with: Mapping[str, Any],
) -> int:
    """Set everything to where an interrupted run stopped; returns the steps done (0: none)."""
    found = latest_state(folder)
    if found is None:
        return 0
    path, about = found
    _refuse_others(path, about["begun_with"], begun_with)
    content = _content(engine, optimiser, average)
    dcp.load(content, checkpoint_id=path, no_dist=engine.world == 1)
    set_state_dict(
        engine.network,
        optimiser,
        model_state_dict=content["network"],
        optim_state_dict=content["optimiser"],
    )
    for name, tensor in content.get("average", {}).items():
        average[name].copy_(tensor)  # type: ignore[index]
    return about["step"]


def latest_state(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """(folder, its JSON) of the last complete state; None of a run that has none."""
    states = [path for path in sorted(folder.glob("step-*")) if path.suffix != ".partial"]
    if not states:
        return None
    try:
        return states[-1], json.loads((states[-1] / ABOUT).read_text())
    except (OSError, ValueError) as error:
        raise RasenError(f"{states[-1]}: damaged ({error}); delete it to begin anew") from None


def _content(engine, optimiser, average):
    network, moments = get_state_dict(engine.network, optimiser)
    return {"network": network, "optimiser": moments} | (
        {} if average is None else {"average": average}
    )


def _refuse_others(path, stored, asked):
    asked = json.loads(json.dumps(dict(asked)))
    different = [
        f"{key}: {_short(stored.get(key))} then, {_short(asked.get(key))} now"
        for key in {**stored, **asked}
        if stored.get(key) != asked.get(key)
    ]
    cure = f"give what it was begun with, or delete {path.parent} to begin anew"
    raise_all(different, f"{path}: this run was begun with others; {cure}")


def _short(value):
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
