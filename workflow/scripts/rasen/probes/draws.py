"""Resampled values that are kept, so that points and models can be compared pair by pair.

All probes of one set of clips resample the same groups in the same draws: the difference of two
values has an interval from the differences of their draws.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from rasen.probes.intervals import interval
from rasen.probes.table import NETWORK, Outcome, selected_outcomes

KEYS = ["features", "layer", "task", "kind", "split", "metric"]


def as_draws(outcomes: Sequence[Outcome], layers: Sequence[Any]) -> tuple[pd.DataFrame, np.ndarray]:
    """(KEYS and number of groups [values], draws [values, draws + 1]) of all layers and of the
    selected one."""
    rows, draws = [], []
    own = [o for o in outcomes if o.features == NETWORK and o.target.row == "probe"]
    for outcome in [*own, *selected_outcomes(outcomes, layers)]:
        groups = len(np.unique(outcome.target.group[outcome.places]))
        for metric in outcome.target.task.scored_by:
            layer = outcome.layer if outcome.features == NETWORK else -1
            rows.append(
                (outcome.features, layer, outcome.target.name, outcome.kind, outcome.split, metric,
                 groups)
            )  # fmt: skip
            draws.append(outcome.draws(metric))
    table = pd.DataFrame(rows, columns=[*KEYS, "groups"])
    return table, np.array(draws, dtype=np.float32).reshape(len(rows), -1)


def differences(
    rows: pd.DataFrame, draws: np.ndarray, other_rows: pd.DataFrame, other: np.ndarray
) -> pd.DataFrame:
    """What is gained from the other values to these, with paired intervals: KEYS, value, low, high.

    Values that only one of the two has are left out.
    """
    place = other_rows[KEYS].assign(theirs=range(len(other_rows)))
    both = rows.assign(ours=range(len(rows))).merge(place, on=KEYS)
    found = [
        interval(draws[row.ours].astype(float) - other[row.theirs].astype(float), row.groups)
        for row in both.itertuples()
    ]
    values = pd.DataFrame(found, columns=["value", "low", "high"], index=both.index)
    return pd.concat([both[[*KEYS, "groups"]], values], axis=1)
