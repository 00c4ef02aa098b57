"""What the jobs of a model at a point read: the recipe of its weights and the files that it names.

config: the checked one; wildcards: those of the job, of which `model` is one. A function without
`point` among them means the trained model.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from rasen.io.json_dataclass import to_json
from rasen.study import checkpoints, recipe, targets
from rasen.study.points import linear_point, parse_point

Config = Mapping[str, Any]
Wildcards = Any  # of Snakemake: a name is an attribute, and `get` asks for those that may be absent


def recipe_json(config: Config, stage: str = "") -> Callable[[Wildcards], str]:
    """A function that gives the recipe of {model} at {point}, with the options of a stage."""

    def of_job(wildcards):
        model = config["models"][wildcards.model]
        point = wildcards.get("point")
        if point is None:
            return to_json(recipe.recipe_of_point(model, "trained", stage))
        return to_json(
            recipe.recipe_of_point(
                model,
                point,
                stage,
                corrected(wildcards) or None,
                correction(config, wildcards),
                _statistics(config, wildcards),
            )
        )

    return of_job


def recipe_before_gradient(config: Config, wildcards: Wildcards) -> str:
    """The recipe of the linear point that a gradient point starts from."""
    after = parse_point(wildcards.point)
    before = linear_point(after.position or 0.0, after.start).name
    statistics = _statistics(config, wildcards)
    model = config["models"][wildcards.model]
    return to_json(recipe.recipe_of_point(model, before, "gradient", statistics=statistics))


def correction(config: Config, wildcards: Wildcards) -> recipe.Correction | None:
    """The gradient steps that lead to {point}; None for other points."""
    model = config["models"][wildcards.model]
    return recipe.correction_of_point(model, wildcards.point, config["routes"]["gradient"])


def managed_weights(config: Config, wildcards: Wildcards) -> str | list[str]:
    """The checkpoint's file or folder if a rule makes it; the user's own folders are not inputs."""
    point = wildcards.get("point", "trained")
    name = wildcards.get("checkpoint", checkpoints.checkpoint_of_point(point))
    weights = checkpoints.weights_of_checkpoint(config["models"][wildcards.model], name)
    return checkpoints.made_by_rule(weights) or []


def optional_weights(config: Config, wildcards: Wildcards) -> list[str]:
    """The same for what the model's options name (a codec)."""
    return checkpoints.optional_weights(config["models"][wildcards.model])


def folder_of_certificate(config: Config, path: str) -> str | None:
    """Where the weights of results/weights/MODEL/CHECKPOINT.json are; None of others."""
    _, kind, model, name = PurePosixPath(path).with_suffix("").parts
    if kind != "weights" or model not in config["models"]:
        return None
    weights = checkpoints.weights_of_checkpoint(config["models"][model], name)
    return checkpoints.local_folder(weights)


def certificate(wildcards: Wildcards) -> str:
    """The certificate of the checkpoint that a point is made from."""
    name = checkpoints.checkpoint_of_point(wildcards.point)
    return f"results/weights/{wildcards.model}/{name}.json"


def corrected(wildcards: Wildcards) -> str | list[str]:
    """The corrected weights of a gradient point; [] for other points."""
    if parse_point(wildcards.point).kind == "gradient":
        return f"results/gradient/{wildcards.model}/{wildcards.point}.safetensors"
    return []


def batch_norm_inputs(config: Config, wildcards: Wildcards) -> str | list[str]:
    """The clips on which batch norms of {point} are estimated anew; [] where they are not."""
    return _statistics(config, wildcards) or []


def _statistics(config, wildcards) -> str | None:
    """The same file, or None: those of blended points alone are estimated anew."""
    stimuli = config["models"][wildcards.model]["batch_norm"]
    blended = parse_point(wildcards.point).kind in ("linear", "gradient")
    return f"results/inputs/{wildcards.model}/{stimuli}.h5" if stimuli and blended else None


def saes_of_point_before(
    config: Config, points: pd.DataFrame, wildcards: Wildcards
) -> str | list[str]:
    """The SAEs of the point before, for a warm start; [] for the first."""
    point = targets.point_before(config, points, wildcards.model, wildcards.point)
    if point is None:
        return []
    return f"results/sae/{wildcards.model}/{point}/layer-{wildcards.layer}/metrics.parquet"
