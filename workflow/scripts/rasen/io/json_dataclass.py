"""Small frozen dataclasses as JSON: on command lines, in attributes of files, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from rasen.errors import RasenError, raise_all, suggestion

Kind = TypeVar("Kind")


def to_json(value: Any) -> str:
    """A dataclass as one line of JSON, its fields in the order of the alphabet."""
    return json.dumps(asdict(value), sort_keys=True)


def from_json(kind: type[Kind], text: str) -> Kind:
    """The dataclass `kind` that a JSON object stands for."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise RasenError(f"{kind.__name__}: not JSON ({error})") from None
    return from_dict(kind, values)


def from_dict(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """The dataclass `kind` with these fields; dictionaries inside become dataclasses too."""
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    raise_all(
        f"{kind.__name__}: no field '{name}'; {suggestion(name, known)}"
        for name in values
        if name not in known
    )
    arguments = {}
    for name, value in values.items():
        kinds = [hint for hint in (hints[name], *get_args(hints[name])) if is_dataclass(hint)]
        nested = kinds and isinstance(value, Mapping)
        arguments[name] = from_dict(kinds[0], value) if nested else value  # type: ignore[arg-type]
    try:
        return kind(**arguments)
    except TypeError as error:
        raise RasenError(f"{kind.__name__}: {error}") from None
