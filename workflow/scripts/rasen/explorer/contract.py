"""The contract of data for the page (workflow/explorer/contract.json), checked here and there."""

import json
from math import prod
from pathlib import Path
from typing import Any

from rasen.errors import RasenError
from rasen.explorer.part import Part

KINDS: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "number": (int, float),
    "list": list,
    "object": dict,
    "flag": bool,
}


def read_contract(page: Path) -> dict[str, Any]:
    """{name of data: {about, columns: {name: {type, shape, about}}, values: {name: type}}}."""
    return json.loads((page / "contract.json").read_text(encoding="utf-8"))


def columns_of(contract: dict[str, Any], name: str) -> list[str]:
    """The columns that data of this name must have."""
    return list(contract[name].get("columns", {}))


def check_part(contract: dict[str, Any], part: Part) -> None:
    """Raise with everything in which a part differs from the contract."""
    if part.name not in contract:
        raise RasenError(f"{part.name}: not in contract.json of the explorer; describe it there")
    wanted = contract[part.name]
    problems = _differing(wanted.get("columns", {}), part.columns, "column")
    problems += _differing(wanted.get("values", {}), part.values, "value")
    for name, column in wanted.get("columns", {}).items():
        shape = column.get("shape", ["rows"])
        lacking = [axis for axis in shape if axis not in part.sizes]
        if lacking:
            problems.append(f"{name}: no size of {', '.join(lacking)}")
        elif name in part.columns:
            given, asked = part.columns[name].size, prod(part.sizes[axis] for axis in shape)
            if given != asked:
                problems.append(f"{name}: {given} values, not {asked} ({' x '.join(shape)})")
    for name, kind in wanted.get("values", {}).items():
        if name in part.values and not isinstance(part.values[name], KINDS[kind]):
            problems.append(f"{name}: {type(part.values[name]).__name__}, not a {kind}")
    if problems:
        raise RasenError(f"{part.name} {dict(part.of)}: not as in contract.json: {problems}")


def _differing(wanted, given, what):
    """Names that are lacking, or that the contract does not have."""
    lacking = [f"{name}: {what} is lacking" for name in wanted if name not in given]
    return lacking + [f"{name}: {what} is unknown" for name in given if name not in wanted]
