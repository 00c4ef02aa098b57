"""Rasen: interpolate a music model through weight space and watch its representation form."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_exports(package: str, modules: dict[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package that imports its public names when they are first used.

    modules: {public name: module that has it}, or the module itself where both are called alike.
    So importing one module of a package loads no other, and an edit of one reruns no other's jobs.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(modules[name])
        return module if modules[name] == f"{package}.{name}" else getattr(module, name)

    return get
