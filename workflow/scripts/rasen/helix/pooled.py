"""Interval, nulls and tests of one layer: of the features' mean over instruments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rasen.helix.bootstrap import bootstrap_pooled
from rasen.helix.fitting import fit_triples
from rasen.helix.folding import PERIOD, divisor_p, folding_margin, folding_p, folding_scores
from rasen.helix.fourier import PERIODS, fourier_scores
from rasen.helix.held_out import held_out_octave, held_out_p
from rasen.helix.nulls import permuted_keys, smooth_path
from rasen.helix.octave import FEWEST_KEYS, margin_p, order_p
from rasen.helix.reduction import centred_and_compressed, gram, reduce
from rasen.helix.settings import HelixSettings
from rasen.helix.transfer import mean_of_others, transferred_r2
from rasen.seeds import generator
from rasen.stats import sequential_p

BLOCK = 250  # draws that are fitted together


@dataclass(frozen=True)
class PooledTests:
    """Columns of the row of pooled features."""

    low: float = np.nan  # bootstrap interval of Helicality over instruments
    high: float = np.nan
    permutation_p: float = np.nan  # of Helicality, against keys in random order
    smooth_50: float = np.nan  # median of the Helicality of smooth paths, and its 95 % quantile
    smooth_95: float = np.nan
    smooth_p: float = np.nan
    order_p: float = np.nan  # neighbouring keys are no closer than in random order
    divisor_p: float = np.nan  # twelve classes say no more than 2, 3, 4 or 6
    margin: float = np.nan  # folding at 12 less that of the best other period, with any trend
    margin_p: float = np.nan  # smooth paths have such a margin
    loudness_p: float = np.nan  # the octave's p-value with the notes' loudness regressed out
    octave_p: float = np.nan  # the largest of folding_p, divisor_p, margin_p, loudness_p
    held_out_octave: float = np.nan
    held_out_p: float = np.nan
    fourier_12: float = np.nan  # held-out R2 of one pair of sine and cosine of 12 keys
    fourier_period: float = np.nan  # the period with the largest such R2
    transfer_r2: float = np.nan  # R2 of one instrument's helix on another's notes


def pooled_tests(
    features: np.ndarray, settings: HelixSettings, loudness: np.ndarray | None, seed: int,
    *names: object,
) -> PooledTests:  # fmt: skip
    """The PooledTests of features [instrument, key, dim].

    loudness: of the notes [instrument, key], to be controlled for
    seed, names: name this layer (model, point, layer), so that no two share random numbers
    """
    omega, radius = settings.omega, settings.radius
    form: dict[str, Any] = {"components": settings.components, "standardise": settings.standardise}
    draw = {
        purpose: generator(seed, "helix", *names, purpose)
        for purpose in ("bootstrap", "permutation", "smooth", "order", "octave", "held out")
    }
    interval = bootstrap_pooled(
        features, omega, radius, **form, draws=settings.bootstrap, seed=draw["bootstrap"]
    ).helicality
    if np.isnan(interval.value):  # no fit; the flags of its row say why
        return PooledTests()
    pooled = centred_and_compressed(features.mean(0))
    products = gram(pooled)

    def helicality(x):
        return fit_triples(x, omega, radius)[0].helicality

    def fitted_p(paths: Callable[[int], np.ndarray]) -> tuple[float, np.ndarray]:
        """A sequential p-value, and the Helicalities that were drawn for it."""
        drawn: list[np.ndarray] = []

        def as_high(count):
            drawn.append(helicality(paths(count)))
            return drawn[-1] >= interval.value

        return sequential_p(as_high, settings.null_draws, block=BLOCK), np.concatenate(drawn)

    scores = reduce(pooled, **form)
    permutation, _ = fitted_p(lambda n: permuted_keys(scores, n, draw["permutation"]))
    path = smooth_path(products)
    smooth, of_paths = fitted_p(lambda n: reduce(path.draw(n, draw["smooth"]), **form))
    octave = octave_tests(products, settings.draws, draw["octave"])
    if loudness is not None and not np.isnan(octave["octave_p"]):
        quiet = gram(without(pooled, loudness.mean(axis=0)))
        octave["loudness_p"] = octave_tests(quiet, settings.draws, draw["octave"])["octave_p"]
        octave["octave_p"] = max(octave["octave_p"], octave["loudness_p"])
    enough = features.shape[1] >= 2 * PERIOD
    fourier = fourier_scores(features)
    best = np.nanargmax(fourier) if np.isfinite(fourier).any() else None
    return PooledTests(
        low=float(interval.low),
        high=float(interval.high),
        permutation_p=permutation,
        smooth_50=float(np.nanquantile(of_paths, 0.5)),
        smooth_95=float(np.nanquantile(of_paths, 0.95)),
        smooth_p=smooth,
        order_p=order_p(products, settings.draws, draw["order"]),
        **octave,
        held_out_octave=held_out_octave(features) if enough else np.nan,
        held_out_p=held_out_p(features, settings.null_draws, draw["held out"])
        if enough
        else np.nan,
        fourier_12=float(fourier[PERIODS.index(PERIOD)]),
        fourier_period=np.nan if best is None else PERIODS[best],
        transfer_r2=mean_of_others(transferred_r2(features, omega, radius)),
    )


def octave_tests(products: np.ndarray, draws: int, rng: np.random.Generator) -> dict[str, float]:
    """divisor_p, margin, margin_p and octave_p of a Gram matrix (keys, keys).

    octave_p is the largest of `folding_p`, `divisor_p` and `margin_p`: each must be small, so it is
    a valid p-value for all together. NaN below 32 keys: nothing can be told.
    """
    folding = folding_scores(products=products, periods=(PERIOD,))[..., 0]
    more = float(divisor_p(products))
    margin = margin_p(products, draws, rng)
    every = [float(folding_p(folding, products)), more, margin]
    return {
        "divisor_p": more,
        "margin": float(folding_margin(products)),
        "margin_p": margin,
        "octave_p": float(np.max(every)) if len(products) >= FEWEST_KEYS else np.nan,
    }


def without(features: np.ndarray, covariate: np.ndarray) -> np.ndarray:
    """Features (keys, dim) with a covariate of the keys regressed out."""
    centred = covariate - covariate.mean()
    norm = np.linalg.norm(centred)
    if not norm > 0:  # every note is equally loud
        return features
    direction = centred / norm
    return features - np.outer(direction, direction @ features)
