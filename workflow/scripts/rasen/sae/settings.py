"""Settings of SAEs: one frozen `Setting` per SAE, made from dicts in which lists are grids."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import product
from typing import Any

import pandas as pd

from rasen.errors import RasenError, raise_all, suggestion
from rasen.sae.normalise import KINDS as NORMALISATIONS

KINDS = ("topk", "batchtopk", "matryoshka", "relu")
CHOICES = {"kind": KINDS, "normalise": NORMALISATIONS, "precision": ("auto", "bf16", "fp32")}
ABOVE_ZERO = ("expansion", "lr", "dead_after", "epochs")
NOT_NEGATIVE = ("l1", "aux")
WHOLE = ("k", "batch", "steps")  # from 1
NOT_NEGATIVE_WHOLE = ("seed",)
MAY_BE_MISSING = ("dead_after", "steps", "seed")
PER_RUN = ("batch", "epochs", "steps")  # all SAEs of a run see the same batches
ROWS_PER_LATENT = 100  # ASSUME: fewer training rows than this for each latent leave many dead

Grid = Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Setting:
    """How one SAE is built and trained.

    expansion:  n / d, number of latents over width of the activations
    k:          latents per row; None for kind relu, which has no fixed number
    kind:       topk | batchtopk | matryoshka | relu
    lr:         learning rate
    normalise:  none | rms | scalar | standard, of the inputs
    l1:         weight of |z|_1; None for all kinds but relu
    aux:        weight of the loss that revives dead latents
    dead_after: rows without firing after which a latent is dead; None: a tenth of the run's rows,
                at most 10 million
    precision:  of the search for the largest latents: auto (the faster) | bf16 | fp32; their
                values are always exact
    seed:       of the first weights; None: that of the run. Rows and their order are the run's
    batch, epochs, steps: rows per step and length of the run, the same for all SAEs of a run;
                steps, where given, replaces epochs

    The config offers all but dead_after and steps; its seeds are a list (see `with_seeds`).
    """

    expansion: float = 16
    k: int | None = 32
    kind: str = "topk"
    lr: float = 1e-3
    normalise: str = "scalar"
    l1: float | None = 0.01
    aux: float = 1 / 32
    dead_after: float | None = None
    precision: str = "auto"
    seed: int | None = None
    batch: int = 4096
    epochs: float = 1
    steps: int | None = None

    def __post_init__(self) -> None:
        raise_all(_problems(asdict(self)))
        object.__setattr__(self, _unused(self.kind), None)

    def latents(self, d: int) -> int:
        """n, the number of latents on activations of width d."""
        return _latents(self.expansion, d)

    def folder_name(self, d: int) -> str:
        """The folder of the SAE: topk-n8192-k32-scalar-lr0.001."""
        return _folder_name(asdict(self), d)

    def total_steps(self, rows: int) -> int:
        """Number of batches of the whole run over `rows` training rows."""
        count = self.steps or int(self.epochs * rows / self.batch)
        if count < 1 or self.batch > rows:
            raise RasenError(
                f"sae: batch: {self.batch} rows, but only {rows} to train on; make batch smaller"
            )
        return count


FIELDS = [field.name for field in fields(Setting)]


def expand(grid: Grid, d: int | None = None) -> list[Setting]:
    """All settings of one run: a dict, or a list of dicts, in which lists stand for grids.

    The first setting has the first value of every list. Mistakes are listed all at once, also
    those that show only at the width d of the activations, where it is given.
    """
    dicts = [grid] if isinstance(grid, Mapping) else list(grid)
    unknown = sorted({key for values in dicts for key in values} - set(FIELDS))
    raise_all(f"sae: {key}: unknown setting; {suggestion(key, FIELDS)}" for key in unknown)
    combinations = [values for one_dict in dicts for values in _combinations(one_dict)]
    problems = [] if combinations else ["sae: no settings given"]
    for values in combinations:
        problems += _problems(values, d)
    for key in PER_RUN:
        different = {values[key] for values in combinations}
        if len(different) > 1:
            listed = sorted(different, key=str)
            problems.append(f"sae: {key}: {listed} differ; all SAEs of a run see the same rows")
    raise_all(dict.fromkeys(problems))
    return list(dict.fromkeys(Setting(**values) for values in combinations))


def folder_names(settings: Iterable[Setting], d: int) -> list[str]:
    """One folder name per setting; refuses settings that differ in what the name leaves out."""
    names = [setting.folder_name(d) for setting in settings]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise RasenError(
            f"sae: {', '.join(repeated)}: two settings differ in aux, dead_after or precision "
            "alone; train them into folders of their own"
        )
    return names


def warn_of_few_rows(settings: Iterable[Setting], d: int, rows: int) -> None:
    """Warn, with the number of rows wanted, when a run of `rows` rows is short for its latents."""
    n = max(setting.latents(d) for setting in settings)
    if rows < ROWS_PER_LATENT * n:
        warnings.warn(
            f"sae: {rows} rows for {n} latents will leave many dead; give {ROWS_PER_LATENT * n} "
            "rows (more clips or epochs) or a smaller expansion",
            stacklevel=3,
        )


def with_seeds(grid: Mapping[str, Any], seeds: Sequence[int], run_seed: int) -> Grid:
    """The grid at the first of `seeds`, and its main cell with all learning rates at the others.

    run_seed: that of the whole run, so an SAE with this seed is named and trained as without seeds
    """
    first, *others = (None if seed == run_seed else seed for seed in seeds)
    if not others:
        return [{**grid, "seed": first}]
    main = {
        key: value[0] if isinstance(value, list) and key != "lr" else value
        for key, value in grid.items()
    }
    return [{**grid, "seed": first}, {**main, "seed": others}]


def in_shard(settings: Sequence[Setting], number: int, count: int) -> list[Setting]:
    """The settings of one of `count` jobs, among which the latents are spread evenly."""
    if count > len(settings):
        raise RasenError(
            f"sae.shards: {count} jobs for {len(settings)} SAEs; set sae.shards: {len(settings)}"
        )
    shards: list[list[Setting]] = [[] for _ in range(count)]
    for setting in sorted(settings, key=lambda setting: -setting.expansion):
        min(shards, key=lambda shard: sum(s.expansion for s in shard)).append(setting)
    return sorted(shards[number], key=list(settings).index)


def main_setting(grid: Grid) -> Setting:
    """The setting whose SAE is analysed further: the first value of every list of the grid."""
    return expand(grid)[0]


def main_sae(metrics: pd.DataFrame, grid: Grid, seed: int | None = None) -> str:
    """Name of the SAE with the main setting of the grid and the best learning rate.

    metrics: the table of `rasen.sae.train`, of one point and layer
    seed:    of its first weights; None: that of the grid's first setting
    """
    main = main_setting(grid)
    keys = {"kind": main.kind, "expansion": main.expansion, "normalise": main.normalise}
    # the first row is the grid's first setting
    keys["seed"] = metrics["seed"].iloc[0] if seed is None else seed
    if main.kind != "relu":
        keys["k"] = main.k
    rows = metrics
    for key, value in keys.items():
        rows = rows[rows[key] == value]
    if not rows["best"].any():
        rates = ", ".join(f"{rate:g}" for rate in sorted(rows["lr"]))
        raise RasenError(
            f"sae: the main SAE (seed {keys['seed']}) diverged at every learning rate ({rates}); "
            "give smaller ones in sae.lr"
        )
    return rows.loc[rows["best"], "sae"].iloc[0]


# --- dicts of values: not yet known to be sound


def _combinations(grid):
    """Complete dicts of values, one per combination of the lists in a dict."""
    lists = {key: value if isinstance(value, list) else [value] for key, value in grid.items()}
    defaults = {field.name: field.default for field in fields(Setting)}
    for values in product(*lists.values()):
        combination = defaults | dict(zip(lists, values, strict=True))
        combination[_unused(combination["kind"])] = None
        yield combination


def _unused(kind):
    """The field that says nothing about SAEs of a kind."""
    return "k" if kind == "relu" else "l1"


def _problems(values, d=None):
    """What is wrong with a complete dict of values, as lines; d: width of the rows, where known."""
    values = {key: value for key, value in values.items() if key != _unused(values["kind"])}
    problems = []
    for key, known in CHOICES.items():
        if values[key] not in known:
            problems.append(f"sae: {key}: {values[key]!r} is not one of {', '.join(known)}")
    not_numbers = []
    for key, value in values.items():
        if key in CHOICES or (value is None and key in MAY_BE_MISSING):
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(f"sae: {key}: {value!r} is not a number")
            not_numbers.append(key)
        elif key in WHOLE and (not isinstance(value, int) or value < 1):
            problems.append(f"sae: {key} must be a whole number above 0, not {value}")
        elif key in NOT_NEGATIVE_WHOLE and (not isinstance(value, int) or value < 0):
            problems.append(f"sae: {key} must be a whole number from 0, not {value}")
        elif key in ABOVE_ZERO and not value > 0:
            problems.append(f"sae: {key} must be above 0, not {value}")
        elif key in NOT_NEGATIVE and not value >= 0:
            problems.append(f"sae: {key} must be 0 or above, not {value}")
    if d is not None and not not_numbers:
        problems += _problems_at_width(values, d)
    return problems


def _problems_at_width(values, d):
    """What is wrong with numbers on rows of width d."""
    n = _latents(values["expansion"], d)
    setting = f"sae {_folder_name(values, d)}"
    if n < 1:
        yield f"{setting}: no latents; make expansion larger"
    k = values.get("k")
    if k is not None and not 1 <= k <= min(d, n):
        yield f"{setting}: k = {k} must lie in 1 to {min(d, n)} (d = {d}, n = {n})"


def _latents(expansion, d):
    return round(expansion * d)


def _folder_name(values, d):
    sparsity = f"l{values['l1']:g}" if values["kind"] == "relu" else f"k{values['k']}"
    n = _latents(values["expansion"], d)
    seed = [] if values["seed"] is None else [f"seed{values['seed']}"]
    parts = [values["kind"], f"n{n}", sparsity, values["normalise"], f"lr{values['lr']:g}", *seed]
    return "-".join(parts)
