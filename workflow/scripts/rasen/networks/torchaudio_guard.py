"""Importing torchaudio, and packages whose `__init__` imports too much, on any machine.

The torchaudio of the package index is linked with CUDA: beside a CPU build of torch its libraries
do not load and `import torchaudio` fails, and with it transformers, diffusers, muq and whisperx,
which import it. Without its libraries torchaudio still does all that is used here (mel
spectrograms, resampling). So call `import_torchaudio()` before importing any of them.
"""

import importlib.util
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path


def import_torchaudio() -> types.ModuleType:
    """The module torchaudio; without its compiled libraries where these do not load."""
    try:
        import torchaudio

        return torchaudio
    except OSError:  # CUDA libraries that this machine does not have
        pass
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]
    # torchaudio loads its libraries through `_load_lib` alone and goes on without them when that
    # returns False. The module that defines it is imported first, with this answer.
    root = Path(str(_package_spec("torchaudio").origin)).parent
    spec = importlib.util.spec_from_file_location(
        "torchaudio._extension.utils", root / "_extension" / "utils.py"
    )
    assert spec is not None and spec.loader is not None  # noqa: PT018 (a file is given)
    utils = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = utils
    spec.loader.exec_module(utils)
    utils._load_lib = lambda library: False  # type: ignore[attr-defined]  # of torchaudio's module
    import torchaudio

    return torchaudio


def import_without_init(name: str) -> types.ModuleType:
    """Make `name` a package whose submodules can be imported though its `__init__` never runs.

    A package that was imported before stays as it is.
    """
    if name in sys.modules:
        return sys.modules[name]
    spec = _package_spec(name)
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations or ())
    package.__spec__ = spec
    sys.modules[name] = package
    return package


def _package_spec(name: str) -> ModuleSpec:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"no package named {name!r} is installed", name=name)
    return spec
