"""What was found and what was run, for the page's first view."""

import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from rasen.explorer.contract import columns_of
from rasen.explorer.findings import findings
from rasen.explorer.part import Part, table_part
from rasen.explorer.subjects import absent_subjects
from rasen.io.parquet import read_table

PACKAGES = ("snakemake", "torch", "transformers", "numpy", "scipy", "pandas")
TIMES = {"s": "seconds", "max_rss": "memory"}  # columns of Snakemake's benchmarks


def parts(
    tables: Mapping[str, Path],
    contract: dict[str, Any],
    config: dict[str, Any],
    benchmarks: Iterable[Path],
) -> Iterator[Part]:
    """The overview, the config, and the jobs' times where there are any.

    benchmarks: files RULE.tsv or RULE/...tsv below results/benchmarks
    """
    yield Part(
        "overview",
        values={
            "models": [_model(name, config["models"][name]) for name in _ordered(config, tables)],
            "seeds": _seeds(config),
            "versions": _versions(),
            "findings": findings(tables),
            "absent": absent_subjects(tables),
        },
    )
    texts = {
        key: yaml.safe_dump({key: part}, sort_keys=False, allow_unicode=True)
        for key, part in config.items()
    }
    yield Part("config", values={"texts": texts})
    if times := [_times(path) for path in benchmarks]:
        yield _jobs(pd.concat(times), contract)


def _ordered(config, tables):
    """Names of models as tables have them: the config as it is kept has lost their order."""
    placed = read_table(tables["points"])["model"].tolist() if "points" in tables else []
    known = dict.fromkeys(name for name in placed if name in config["models"])
    return list(known | dict.fromkeys(config["models"]))


def _model(name, model):
    """What a reader wants to know of a model."""
    weights = model.get("weights")
    return {"name": name, "family": model["family"], "weights": str(weights or "")}


def _seeds(config):
    """[{"what", "seed"}] of everything that is drawn."""
    seeds = [{"what": "everything that is drawn", "seed": str(config["seed"])}]
    for name, model in config["models"].items():
        controls = model.get("controls") or {}
        seeds += [
            {"what": f"another start of {name}: {control}", "seed": str(entry["seed"])}
            for control, entry in controls.items()
            if "seed" in entry
        ]
    return seeds


def _versions():
    found = [{"what": "Python", "version": platform.python_version()}]
    for name in PACKAGES:
        try:
            found.append({"what": name, "version": version(name)})
        except PackageNotFoundError:
            continue
    return found


def _times(path):
    """One row per attempt of a job: rule, seconds, memory."""
    place = path.parts
    rule = Path(place[place.index("benchmarks") + 1]).stem
    table = pd.read_csv(path, sep="\t", usecols=list(TIMES), na_values="-").rename(columns=TIMES)
    return table.assign(rule=rule)


def _jobs(times, contract):
    groups = times.groupby("rule")["seconds"]
    jobs = pd.DataFrame(
        {
            "jobs": groups.size(),
            "seconds": groups.sum(),
            "longest": groups.max(),
            "memory": times.groupby("rule")["memory"].max(),
        }
    ).reset_index()
    jobs = jobs.sort_values("seconds", ascending=False)
    return table_part("jobs", jobs, columns_of(contract, "jobs"))
