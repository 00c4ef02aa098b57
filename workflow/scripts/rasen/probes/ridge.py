"""Linear probes in closed form: every task, every lambda and every fold of one layer at once.

Classes and tags are regressed on as -1 and 1, one against the rest; the largest score is the
answer. Lambda is chosen per test fold on its inner folds. The decomposition without folds i and j
serves test fold i (choosing on j) and test fold j (choosing on i): 15 for 5 folds, not 25.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rasen.probes.folds import LeftOut, Plan
from rasen.probes.gram import Decomposed, Features, FoldGrams
from rasen.probes.scoring import InnerScores, Prediction
from rasen.probes.settings import ProbeSettings
from rasen.probes.tasks import Target

MEMORY = 2**25  # scores held at a time


@dataclass(frozen=True)
class Chosen:
    """Ridge without one test fold, at the lambda with the best score on its inner folds."""

    weights: np.ndarray  # [d, 1, columns]
    intercepts: np.ndarray  # [1, columns]
    strength: float
    inner: float


def fit_ridge(
    features: Features, targets: Sequence[Target], plan: Plan, settings: ProbeSettings, seed: int
) -> list[list[Prediction]]:
    """Predictions of each target, of each outer fold of the plan. Nothing here is random."""
    return [
        [
            Prediction(
                predict(features, plan.rows(outer.test), one.weights, one.intercepts)[:, 0],
                one.strength,
                one.inner,
            )
            for outer, one in zip(plan.outer, of_target, strict=True)
        ]
        for of_target in choose_ridge(features, targets, plan, settings)
    ]


def choose_ridge(
    features: Features, targets: Sequence[Target], plan: Plan, settings: ProbeSettings
) -> list[list[Chosen]]:
    """Ridge of each target without each test fold, lambda chosen on the inner folds."""
    lambdas = np.array(settings.lambdas, dtype=np.float32)
    columns = _columns(targets)

    def labels(places):
        return np.hstack([target.labels(places) for target in targets])

    grams = FoldGrams(features, labels, columns[-1].stop, plan)
    inner = [[InnerScores(target) for _ in plan.outer] for target in targets]
    finals: dict[LeftOut, Decomposed] = {}
    for left_out, uses in _uses(plan).items():
        model = grams.decompose(left_out)
        if any(outer.left_out == left_out for outer in plan.outer):
            finals[left_out] = model
        for fold, outers in uses:
            places = plan.rows(fold)
            for several in _few(columns, len(places) * len(lambdas)):
                span = slice(columns[several[0]].start, columns[several[-1]].stop)
                scores = predict(features, places, *model.weights(span, lambdas))
                for k in several:
                    start = columns[k].start - span.start
                    part = scores[:, :, start : start + targets[k].width]
                    for outer in outers:
                        inner[k][outer].add(places, part)
    del grams
    return [
        [
            _chosen(finals[outer.left_out], columns[k], lambdas, scores)
            for outer, scores in zip(plan.outer, inner[k], strict=True)
        ]
        for k in range(len(targets))
    ]


def _chosen(model, columns, lambdas, scores):
    place, score = scores.best()
    return Chosen(*model.weights(columns, lambdas[place : place + 1]), float(lambdas[place]), score)


def predict(
    features: Features, places: np.ndarray, weights: np.ndarray, intercepts: np.ndarray
) -> np.ndarray:
    """Scores [places, lambdas, columns]."""
    flat = weights.reshape(len(weights), -1)
    result = np.empty((len(places), flat.shape[1]), dtype=np.float32)
    for part, block in features.blocks(places):
        np.matmul(block, flat, out=result[part])
    result += intercepts.ravel()
    return result.reshape(-1, *intercepts.shape)


def _uses(plan: Plan) -> dict[LeftOut, list[tuple[int, list[int]]]]:
    """{model: [(inner fold it predicts, outer folds that ask for it)]}, final models too."""
    uses: dict[LeftOut, dict[int, list[int]]] = {}
    for number, outer in enumerate(plan.outer):
        uses.setdefault(outer.left_out, {})
        for left_out, fold in outer.inner:
            uses.setdefault(left_out, {}).setdefault(fold, []).append(number)
    return {left_out: list(folds.items()) for left_out, folds in uses.items()}


def _columns(targets):
    """Where each target's columns stand among all."""
    ends = np.cumsum([target.width for target in targets]).tolist()
    return [slice(end - target.width, end) for end, target in zip(ends, targets, strict=True)]


def _few(columns, scores_per_column) -> Iterator[list[int]]:
    """Runs of targets whose scores fit in the memory set aside; one target at least."""
    run: list[int] = []
    for k in range(len(columns)):
        if run and (columns[k].stop - columns[run[0]].start) * scores_per_column > MEMORY:
            yield run
            run = []
        run.append(k)
    if run:
        yield run
