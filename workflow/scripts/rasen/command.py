"""Turn one typed function into a command-line program."""

import argparse
import inspect
import json
import sys
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, get_args

from rasen.errors import RasenError
from rasen.io.json_dataclass import from_json


def run(
    function: Callable[..., None], out_of_memory: str = "take one with more, or device: cpu"
) -> None:
    """Call `function` with arguments from the command line, typed by its annotations.

    str, int, float and Path are read as such, bool as true (1) or false (0), dict, list and
    dataclasses as JSON.
    A RasenError becomes one plain message and exit code 1; so do a full disk and a full GPU.
    out_of_memory: which settings to change then; may name arguments: "models.{model}.batch"
    """
    parser = argparse.ArgumentParser(
        description=inspect.getdoc(function), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        needed = parameter.default is inspect.Parameter.empty
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            required=needed,
            default=None if needed else parameter.default,
            **_reader(parameter.annotation),
        )
    arguments: dict[str, Any] = {}
    try:
        arguments = vars(parser.parse_args())
        function(**arguments)
    except (RasenError, OSError) as error:
        sys.exit(f"Error: {error}")
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's; this module knows no torch
            raise
        cure = out_of_memory.format(**arguments)
        sys.exit(f"Error: the GPU has too little memory; {cure} ({error})")


def _reader(annotation: Any) -> dict[str, Any]:
    """How argparse reads one annotation."""
    if isinstance(annotation, UnionType):  # `Path | None`: the first is what may be typed
        annotation = get_args(annotation)[0]
    if annotation is bool:
        return {"type": _boolean, "metavar": "true|false"}
    if annotation in (dict, list):
        return {"type": json.loads, "metavar": "JSON"}
    if isinstance(annotation, type) and is_dataclass(annotation):
        return {"type": partial(from_json, annotation), "metavar": "JSON"}
    if getattr(annotation, "__origin__", None) is list:  # list[Path]
        return {"type": get_args(annotation)[0], "nargs": "*"}
    if annotation in (str, int, float, Path):
        return {"type": annotation}
    raise TypeError(f"no way to read {annotation} from a command line")


def _boolean(text: str) -> bool:
    return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
