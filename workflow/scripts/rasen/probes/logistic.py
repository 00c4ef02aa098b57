"""Logistic probes: softmax for classes, one sigmoid per tag, by L-BFGS."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, softmax

from rasen.probes.folds import Plan
from rasen.probes.gram import Features
from rasen.probes.scoring import InnerScores, Prediction
from rasen.probes.settings import ProbeSettings
from rasen.probes.tasks import Target

STEPS = 200  # of L-BFGS for one strength


def fit_logistic(
    features: Features, targets: Sequence[Target], plan: Plan, settings: ProbeSettings, seed: int
) -> list[list[Prediction]]:
    """Predictions of each target, of each outer fold of the plan."""
    result = []
    for target in targets:
        predictions = []
        for outer in plan.outer:
            inner = InnerScores(target)
            for left_out, fold in outer.inner:
                places = plan.rows(fold)
                path = _path(features, target, plan.without(left_out), settings.lambdas)
                scores = [_scores(features, target, places, weights) for weights in path]
                inner.add(places, np.stack(scores, axis=1))
            place, score = inner.best()
            strength = settings.lambdas[place]
            train, test = plan.without(outer.left_out), plan.rows(outer.test)
            weights = _path(features, target, train, [strength])[0]
            predictions.append(
                Prediction(_scores(features, target, test, weights), strength, score)
            )
        result.append(predictions)
    return result


def _path(features, target, train, lambdas):
    """(weights [d + 1, columns]) for every lambda; each starts from the next stronger one.

    Fitted on features standardised on the training rows; returned for those of `Features`.
    """
    mean, unscale = moments(features, train)
    weights = np.zeros((features.dim + 1, target.width))
    options = {"maxiter": STEPS, "ftol": 1e-7, "gtol": 1e-4}  # float32 has no more
    found = []
    for strength in reversed(list(lambdas)):
        data = (features, target, train, mean, unscale, strength)
        solved = minimize(_loss, weights.ravel(), data, "L-BFGS-B", jac=True, options=options)
        weights = solved.x.reshape(weights.shape)
        plain = weights.astype(np.float32)
        plain[:-1] *= unscale[:, None]
        plain[-1] -= mean @ plain[:-1]
        found.append(plain)
    return found[::-1]


def _loss(flat, features, target, train, mean, unscale, strength):
    """Mean cross-entropy with strength / 2 times the weights' squares, and its gradient."""
    weights = flat.reshape(-1, target.width).astype(np.float32)
    value, gradient = 0.0, np.zeros(weights.shape)
    for part, block in features.blocks(train):
        block = (block - mean) * unscale
        z = (block @ weights[:-1] + weights[-1]).astype(np.float64)
        y = target.labels(train[part]) > 0
        if target.task.kind == "classes":
            value -= log_softmax(z, axis=1)[y].sum()
            slope = softmax(z, axis=1) - y
        else:
            value += np.logaddexp(0, np.where(y, -z, z)).sum()
            slope = expit(z) - y
        gradient[:-1] += block.T @ slope.astype(np.float32)
        gradient[-1] += slope.sum(axis=0)
    value, gradient = value / len(train), gradient / len(train)
    value += strength / 2 * (weights[:-1].astype(np.float64) ** 2).sum()
    gradient[:-1] += strength * weights[:-1]
    return value, gradient.ravel()


def _scores(features, target, places, weights):
    result = np.empty((len(places), weights.shape[1]), dtype=np.float32)
    for part, block in features.blocks(places):
        result[part] = block @ weights[:-1] + weights[-1]
    # events are counted from scores between -1 and 1: twice the probability, less one
    return np.tanh(result / 2) if target.task.kind == "frames" else result


def moments(features: Features, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and 1 / standard deviation [d] of some rows; 0 for a feature that is constant there."""
    total, squares = np.zeros(features.dim), np.zeros(features.dim)
    for _, block in features.blocks(places):
        total += block.sum(axis=0, dtype=np.float64)
        squares += np.einsum("nd,nd->d", block, block)
    mean = total / len(places)
    variance = squares / len(places) - mean**2
    usable = variance > 1e-6
    unscale = np.where(usable, 1 / np.sqrt(np.where(usable, variance, 1)), 0)
    return mean.astype(np.float32), unscale.astype(np.float32)
