"""Turn one typed function into a command-line program."""

import argparse
import inspect
import json
import sys
from pathlib import Path
from types import UnionType
from typing import get_args

from rasen.errors import RasenError


def run(function):
    """Call `function` with arguments from the command line, typed by its annotations.

    str, int, float and Path are read as such, bool as true or false, dict and list as JSON.
    A RasenError becomes one plain message and exit code 1; so does a full disk.
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
    arguments = vars(parser.parse_args())
    try:
        function(**arguments)
    except (RasenError, OSError) as error:
        sys.exit(f"Error: {error}")
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's; this module knows no torch
            raise
        cure = "lower `batch` or `songs.longest`"
        sys.exit(f"Error: the GPU has too little memory; {cure} ({error})")


def _reader(annotation):
    """How argparse reads one annotation."""
    if isinstance(annotation, UnionType):  # `Path | None`: the first is what may be typed
        annotation = get_args(annotation)[0]
    if annotation is bool:
        return {"type": _boolean, "metavar": "true|false"}
    if annotation in (dict, list):
        return {"type": json.loads, "metavar": "JSON"}
    if getattr(annotation, "__origin__", None) is list:  # list[Path]
        return {"type": get_args(annotation)[0], "nargs": "*"}
    if annotation in (str, int, float, Path):
        return {"type": annotation}
    raise TypeError(f"no way to read {annotation} from a command line")


def _boolean(text):
    return {"true": True, "false": False}[text.lower()]
