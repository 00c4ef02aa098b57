"""Settings that other parts of the config tell, written out: codecs of the songs, a run's steps."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rasen.errors import RasenError, raise_all, suggestion
from rasen.study.checkpoints import (
    CODEBOOK,
    RUN_STEPS,
    kept_steps,
    local_folder,
    training_runs,
)
from rasen.study.registry import FAMILIES


def fill_in(config: dict[str, Any], origin: str) -> None:
    """Write out, in place, what models leave to the songs and to training runs.

    config: with its defaults; origin: where it stands, for errors. Sheets are written alike, too:
    `./notes.tsv` is `notes.tsv`, and reruns nothing.
    """
    problems = []
    for entry in (*config["stimuli"].values(), config.get("songs") or {}):
        if entry.get("sheet"):
            entry["sheet"] = os.path.normpath(entry["sheet"])
    for name, model in config["models"].items():
        _codecs_of_the_songs(model, config.get("songs"))
        try:
            _steps_of_a_run(model, config)
        except RasenError as error:
            problems.append(f"{origin}: models.{name}.checkpoints.{error}")
    raise_all(problems)


def _codecs_of_the_songs(model: dict[str, Any], songs: Mapping[str, Any] | None) -> None:
    for option, about in FAMILIES[model["family"]].options.items():
        if songs and about.songs and model[option] is None:
            part, key = about.songs.split(".")
            model[option] = songs[part][key]
            if about.file:  # none is given: it is trained on the songs
                model[option] = model[option] or CODEBOOK


def _steps_of_a_run(model: dict[str, Any], config: Mapping[str, Any]) -> None:
    """`checkpoints: {run: NAME}` as the weights and steps that the run keeps."""
    checkpoints = model["checkpoints"]
    if not checkpoints:
        return
    name = checkpoints.pop("run", None)
    if name is None:
        if missing := [key for key in ("weights", "steps") if not checkpoints.get(key)]:
            raise RasenError(f"{missing[0]}: is missing; give weights and steps, or a run")
        return
    runs = training_runs(config)
    if name not in runs:
        raise RasenError(f"run: no training run '{name}'; {suggestion(name, list(runs))}")
    run, seed = runs[name], runs[name]["train"]["seed"]
    weights, steps = RUN_STEPS.format(run=name), kept_steps(run)
    # step 0 is the model's own theta_init where that is drawn by the rule and seed of the run
    drawn = model["initial"] == {"rule": "official", "seed": seed}
    ended = Path(local_folder(model["weights"])) == Path(weights.format(step=steps[-1]))
    told = {
        "weights": weights,
        "steps": steps,
        "untrained": 0 if drawn and not run["init_from"] else None,
        "trained": steps[-1] if ended else None,
    }
    # results/config.yaml says both, alike
    if more := [key for key in told if checkpoints.get(key) not in (None, told[key])]:
        raise RasenError(f"{more[0]}: the run '{name}' tells it; take it or the run out")
    checkpoints |= told
