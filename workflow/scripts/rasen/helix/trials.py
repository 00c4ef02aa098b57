"""The published protocol, for comparison: nine parameters, 1000 trials of Optuna's TPE, 3 seeds.

`fit` reaches a higher Helicality in a ten-thousandth of the time: see benchmarks/helix.py. Optuna
is imported when it is used.
"""

from collections.abc import Sequence

import numpy as np

from rasen.helix.fitting import LITERATURE, Omega, omega_range


def bounds(keys: int) -> dict[str, tuple[float, float]]:
    """Bounds of the parameters but omega: {name: (low, high)}.

    ASSUME: the authors' bounds are not published. These hold every helix of standardised
    components with periods from 4 to 12, both chiralities (the sign of omega) included: height of
    unit variance rises by sqrt(12) / keys per key.
    """
    rise = 3.6 / keys
    return {
        "h_pitch": (-rise, rise),
        "h_0": (-2.0, 2.0),
        "r_0": (0.0, 2.0),
        "r_slope": (-rise / 2, rise / 2),
        "t_0": (0.0, 12.0),
        "turn_1": (0.0, 2 * np.pi),
        "turn_2": (0.0, np.pi),
        "turn_3": (0.0, 2 * np.pi),
    }


def best_of_trials(
    x: np.ndarray, omega: Omega = LITERATURE, count: int = 1000, seeds: Sequence[int] = (0, 1, 2)
) -> np.ndarray:
    """Best Helicality that TPE finds for x (keys, 3), one per seed: (seeds,)."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    x = np.asarray(x, dtype=np.float64)
    low, high = omega_range(omega)
    limits_of = bounds(len(x))

    def objective(trial):
        parameters = {
            name: trial.suggest_float(name, *limits) for name, limits in limits_of.items()
        }
        # [-high, -low] and [low, high] joined at zero
        signed = trial.suggest_float("omega", low - high, high - low)
        parameters["omega"] = signed + low if signed >= 0 else signed - low
        return np.mean(((x - curve(len(x), **parameters)) ** 2).sum(axis=1))

    best = []
    for seed in seeds:
        sampler = optuna.samplers.TPESampler(seed=seed)
        study = optuna.create_study(direction="minimize", sampler=sampler)
        study.optimize(objective, n_trials=count)
        best.append(1 / study.best_value)
    return np.array(best)


def curve(
    keys: int, h_pitch: float, h_0: float, r_0: float, r_slope: float, t_0: float, turn_1: float,
    turn_2: float, turn_3: float, omega: float,
) -> np.ndarray:  # fmt: skip
    """Eq. (1) as it is printed: (keys, 3). The three turns are Euler angles of (c, u, v)."""
    t = np.arange(keys)
    height, radius, angle = h_pitch * t + h_0, r_slope * t + r_0, omega * (t - t_0)
    about_z, about_y, about_new_z = (
        np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        for a in (turn_1, turn_2, turn_3)
    )
    about_y = about_y[np.ix_([0, 2, 1], [0, 2, 1])]
    u, v, c = (about_z @ about_y @ about_new_z).T
    return (
        height[:, None] * c
        + (radius * np.cos(angle))[:, None] * u
        + (radius * np.sin(angle))[:, None] * v
    )
