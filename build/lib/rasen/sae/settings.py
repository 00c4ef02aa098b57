"""Settings of SAEs: plain dicts, lists in them are grids, faults are told all at once.

expansion   n / d
k           winners a row
kind        topk | batchtopk | matryoshka | relu
lr          learning rate
normalise   none | rms | scalar | standard
l1          weight of |z|_1 (relu)
aux         weight of the loss that revives dead latents
dead_after  rows without firing after which a latent is dead
precision   of the choice of winners: bf16 | fp32 (their values are always exact)
batch, epochs, steps    the same for all SAEs of a run; steps wins over epochs
"""

import warnings
from difflib import get_close_matches
from itertools import product

from rasen.errors import RasenError, raise_all
from rasen.sae.normalise import KINDS as NORMALISATIONS

KINDS = ("topk", "batchtopk", "matryoshka", "relu")
DEFAULTS = {
    "expansion": 16,
    "k": 32,
    "kind": "topk",
    "lr": 1e-3,
    "normalise": "scalar",
    "l1": 0.01,
    "aux": 1 / 32,
    "dead_after": None,  # a tenth of the run's rows, at most 10 million
    "precision": "auto",
    "batch": 4096,
    "epochs": 1,
    "steps": None,
}
NUMBERS = ("expansion", "k", "lr", "l1", "aux", "dead_after", "batch", "epochs", "steps")
RUN = ("batch", "epochs", "steps")
ROWS_A_LATENT = 100  # ASSUME: fewer training rows than this for each latent leave many dead


def expand(settings):
    """A dict or a list of dicts, in which lists stand for grids, as a list of complete dicts."""
    grids = [settings] if isinstance(settings, dict) else list(settings)
    unknown = sorted({key for grid in grids for key in grid} - set(DEFAULTS))
    raise_all(f"sae: {key}: unknown setting{_hint(key)}" for key in unknown)
    found = []
    for grid in grids:
        lists = {key: value if isinstance(value, list) else [value] for key, value in grid.items()}
        for values in product(*lists.values()):
            one = DEFAULTS | dict(zip(lists, values, strict=True))
            unused = "k" if one["kind"] == "relu" else "l1"
            one[unused] = None
            if one not in found:
                found.append(one)
    return found


def _hint(key):
    near = get_close_matches(key, DEFAULTS, 1)
    return f"; did you mean '{near[0]}'?" if near else f"; known are {', '.join(DEFAULTS)}"


def check(settings, d):
    """Refuse settings that cannot be trained on rows of width d."""
    problems = ["sae: no settings given"] if not settings else []
    for one in settings:
        words = [key for key in NUMBERS if not isinstance(one[key], int | float | None)]
        problems += [f"sae: {key}: {one[key]!r} is not a number" for key in words]
        if words:
            continue
        n, k = latents(one, d), one["k"]
        about = f"sae {name(one, d)}"
        for key, known in (
            ("kind", KINDS),
            ("normalise", NORMALISATIONS),
            ("precision", ("auto", "bf16", "fp32")),
        ):
            if one[key] not in known:
                problems.append(f"sae: {key}: {one[key]!r} is not one of {', '.join(known)}")
        if n < 1:
            problems.append(f"{about}: no latents; make expansion larger")
        if k is not None and not 1 <= k <= min(d, n):
            problems.append(f"{about}: k = {k} must lie in 1 to {min(d, n)} (d = {d}, n = {n})")
        for key in ("lr", "batch"):
            if not one[key] > 0:
                problems.append(f"{about}: {key} must be above 0")
    for key in RUN:
        values = {one[key] for one in settings}
        if len(values) > 1:
            problems.append(
                f"sae: {key}: {sorted(values, key=str)} differ; all SAEs of a run see the same rows"
            )
    raise_all(dict.fromkeys(problems))


def latents(setting, d):
    """n, the number of latents."""
    return round(setting["expansion"] * d)


def name(setting, d):
    """The folder of an SAE: topk-n8192-k32-scalar-lr0.001."""
    sparsity = f"l{setting['l1']:g}" if setting["kind"] == "relu" else f"k{setting['k']}"
    parts = [setting["kind"], f"n{latents(setting, d)}", sparsity, setting["normalise"]]
    return "-".join([*parts, f"lr{setting['lr']:g}"])


def names(settings, d):
    """One folder name a setting; those that differ in rare settings alone are refused."""
    found = [name(one, d) for one in settings]
    double = sorted({each for each in found if found.count(each) > 1})
    if double:
        raise RasenError(
            f"sae: {', '.join(double)}: two settings differ in aux, dead_after or precision alone; "
            "train them into folders of their own"
        )
    return found


def steps(setting, rows):
    """Batches of the whole run over `rows` training rows."""
    count = setting["steps"] or int(setting["epochs"] * rows / setting["batch"])
    if count < 1 or setting["batch"] > rows:
        raise RasenError(
            f"sae: batch: {setting['batch']} rows, but only {rows} to train on; make batch smaller"
        )
    return count


def warn_of_few_rows(settings, d, rows):
    """A warning that names the number of rows wanted for the largest SAE."""
    n = max(latents(one, d) for one in settings)
    if rows < ROWS_A_LATENT * n:
        warnings.warn(
            f"sae: {rows} rows for {n} latents will leave many dead; give {ROWS_A_LATENT * n} rows "
            "(more clips or epochs) or a smaller expansion",
            stacklevel=3,
        )


def main_value(grid, key):
    """The value of a grid's key that the main SAE has: the first, where a list gives several."""
    value = grid[key]
    return value[0] if isinstance(value, list) else value


def main_sae(metrics, grid):
    """Name of the SAE whose features are followed: the grid's main values, the best lr.

    metrics: the table of `rasen.sae.train`, one point and layer
    """
    rows = metrics[metrics["best"]]
    keys = ["kind", "expansion", "normalise"]
    if main_value(grid, "kind") != "relu":
        keys.append("k")
    for key in keys:
        rows = rows[rows[key] == main_value(grid, key)]
    return rows["sae"].iloc[0]
