"""What training the upper layers of a network adds, beside ridge probes on the same test folds.

How a network is trained is not known here: whoever calls gives a function that fits and predicts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from rasen.probes.checks import check
from rasen.probes.folds import Plan
from rasen.probes.probing import outcomes_of, scored, weights_of, works_of
from rasen.probes.scoring import Prediction
from rasen.probes.settings import ProbeSettings
from rasen.probes.table import FROZEN, NETWORK, frozen_table
from rasen.probes.tasks import Target, Task

# (layers up to this one stand still, target, plan) -> predictions of the outer folds of the plan
Finetune = Callable[[int, Target, Plan], list[Prediction]]
KIND = "finetune"


def frozen_rows(
    finetune: Finetune, frozen: Sequence[int], layers: Mapping[int, np.ndarray],
    tasks: Mapping[str, Task], groups: np.ndarray, settings: ProbeSettings, folds: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Rows of `probing.probe` of kind "finetune": what is read after training the layers above one.

    frozen: layers up to which the network stands still
    layers: {layer: features [rows, d]} of the untouched network, for the ridge beside it
    folds: how many of the test folds are run. Groups are in the folds in which `probe` has them
    """
    settings = replace(settings, kind="ridge", random=False, permutations=0)
    check(layers, {}, tasks, np.asarray(groups), settings)
    works = [
        replace(work, plan=replace(work.plan, outer=work.plan.outer[:folds]))
        for work in works_of(tasks, groups, settings, seed)
    ]
    weights = weights_of(works, settings, seed)
    outcomes = [
        scored(target, work.plan, finetune(layer, target, work.plan), weights, KIND, FROZEN, layer)
        for work in works
        for target in work.targets
        for layer in frozen
    ]
    sources = [(NETWORK, layer, layers) for layer in layers]
    ridge = outcomes_of(sources, len(groups), works, weights, settings, seed)
    return frozen_table(outcomes, ridge, list(layers))
