"""What a run was planned with: a job that starts hours later keeps to it, or stops with one line.

The config as it was is kept; nodes of a cluster read it in the place of the file. Code is not kept:
a job that ran edited code would be filed under the code that was planned, and so it stops.
"""

import json
import os
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rasen.errors import RasenError, raise_all
from rasen.io.atomic import write_text
from rasen.io.hashes import hash_if_present, short_hash
from rasen.study.code_hash import ENVS, SCRIPTS, code_hash, pins_hash

VARIABLE = "RASEN_PLAN"
ADVICE = "was edited after this run was planned; what is done stays done, run snakemake again"


@dataclass(frozen=True)
class Code:
    """The code of jobs: a script, the family's module, the environment, and their hash."""

    env: str
    script: str
    modules: list[str]
    hash: str


@dataclass(frozen=True)
class Plan:
    """config: with all defaults; files: hashes of further files that planning reads."""

    config: dict[str, Any]
    files: dict[str, str]
    codes: list[Code]


def code_of(env: str, script: str, *modules: str) -> Code:
    """A script, what it imports, further modules, and the environment's pins, as they are now."""
    hashed = f"{code_hash(script, *modules)}-{pins_hash(env)}"
    return Code(env, script, list(modules), hashed)


def write_plan(
    config: dict[str, Any],
    files: Iterable[Path],
    codes: list[Code],
    begun: float,
    variables: MutableMapping[str, str],
) -> Path:
    """Write a plan as old as its beginning, and tell jobs by a variable where it is."""
    plan = Plan(config, {str(path): hash_if_present(path) for path in files}, codes)
    text = json.dumps(asdict(plan))
    path = Path(".snakemake/plans").resolve() / f"{short_hash(text)}-{os.getpid()}.json"
    write_text(path, text)
    os.utime(path, (begun, begun))  # newer files were edited since
    variables[VARIABLE] = str(path)
    return path


def plan_of_run(variables: Mapping[str, str]) -> Plan | None:
    """The plan of the run that a job belongs to, or None where it was told none."""
    return read_plan(variables[VARIABLE]) if variables.get(VARIABLE) else None


def read_plan(path: Path | str) -> Plan | None:
    """A plan, or None where there is none any more."""
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError:
        return None
    return Plan(told["config"], told["files"], [Code(**code) for code in told["codes"]])


def require_same_files(plan: Plan) -> None:
    """Raise with every file that planning read and that is another one now."""
    raise_all(
        f"{path} {ADVICE}" for path, hashed in plan.files.items() if hash_if_present(path) != hashed
    )


def require_same_code(plan: Plan, path: Path | str, script: str) -> None:
    """Raise if the code of `script` is not that of the plan at `path`; names what was edited."""
    planned = [code for code in plan.codes if code.script == script]
    if all(code_of(code.env, script, *code.modules) == code for code in planned):
        return
    since = Path(path).stat().st_mtime
    files = [*SCRIPTS.rglob("*.py"), *ENVS.glob("*.txt")]
    edited = sorted(file for file in files if file.stat().st_mtime > since)
    names = ", ".join(str(file.relative_to(SCRIPTS.parents[1])) for file in edited[:3])
    raise RasenError(f"{names or script} {ADVICE}")
