"""The recipe of a point: how the weights of a model come about, in a few words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rasen.errors import RasenError
from rasen.study.checkpoints import local_folder, weights_of_checkpoint
from rasen.study.points import one_or_more, parse_point
from rasen.study.registry import FAMILIES, options_of

RULES = ("official", "hf", "zeros", "permuted")
# Codecs run in float32; so does training: a small step would round away in any other format.
ALWAYS_FLOAT32 = ("encode", "gradient", "finetune")
NEEDED = {  # field of a recipe: the kinds of points that cannot do without
    "initial": ("untrained", "linear"),
    "checkpoint": ("step",),
    "corrected": ("gradient",),
}


@dataclass(frozen=True)
class Initialisation:
    """How theta_init is drawn: by which rule, from which seed."""

    rule: str = "official"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise RasenError(f"initial: rule '{self.rule}' is not one of {', '.join(RULES)}")


@dataclass(frozen=True)
class Correction:
    """Steps against the gradient of the loss on the stimulus set `data`, each of size `eta`."""

    data: str
    eta: float = 1.0
    steps: int = 1


@dataclass(frozen=True)
class Recipe:
    """What `rasen.measure.interpolate.load_at_point` needs for a model at a point, and no more.

    weights:     folder of the trained checkpoint
    dtype:       in which the network runs
    initial:     theta_init, of points between it and the trained weights
    checkpoint:  folder of the checkpoint, of a point of a real training run
    corrected:   file with the weights, of a gradient-corrected point
    correction:  how those came about
    statistics:  model inputs on which the statistics of batch norms are estimated anew
    options:     the family's own settings that the stage depends on
    """

    family: str
    weights: str
    point: str = "trained"
    dtype: str = "float32"
    initial: Initialisation | None = None
    checkpoint: str | None = None
    corrected: str | None = None
    correction: Correction | None = None
    statistics: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kind = parse_point(self.point).kind
        lacking = [
            name for name, kinds in NEEDED.items() if kind in kinds and getattr(self, name) is None
        ]
        if lacking:
            raise RasenError(f"recipe of {self.point}: needs `{lacking[0]}`")


def correction_of_point(
    model: Mapping[str, Any], point: str, settings: Mapping[str, Any]
) -> Correction | None:
    """The gradient steps that lead to a point of a model; None of points without.

    settings: `routes.gradient` of the config, whose first eta and steps hold where the point's
    name tells none
    """
    parsed = parse_point(point)
    if parsed.kind != "gradient":
        return None
    return Correction(
        model["gradient"]["data"],
        float(parsed.eta or one_or_more(settings["eta"])[0]),
        parsed.steps or one_or_more(settings["steps"])[0],
    )


def recipe_of_point(
    model: Mapping[str, Any],
    point: str,
    stage: str = "",
    corrected: str | None = None,
    correction: Correction | None = None,
    statistics: str | None = None,
) -> Recipe:
    """The recipe of a model entry of the config at a point, with the options of a stage."""
    parsed = parse_point(point)
    entry = FAMILIES[model["family"]]
    options = {
        name: local_folder(value) if entry.options[name].weight_files else value
        for name, value in options_of(model, stage).items()
    }
    initial = None
    if parsed.kind in ("untrained", "linear"):
        start = model["controls"][parsed.start] if parsed.start else model["initial"]
        initial = Initialisation(**start)
    return Recipe(
        family=model["family"],
        weights=local_folder(model["weights"]),
        point=point,
        dtype="float32" if stage in ALWAYS_FLOAT32 else model["dtype"],
        initial=initial,
        checkpoint=(
            local_folder(weights_of_checkpoint(model, point)) if parsed.kind == "step" else None
        ),
        corrected=corrected,
        correction=correction,
        statistics=statistics,
        options=options,
    )
