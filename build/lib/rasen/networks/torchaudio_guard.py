"""Importing torchaudio, and packages whose `__init__` asks for too much, on any machine.

The torchaudio of the package index is linked with CUDA: beside a CPU build of torch its libraries
do not load and `import torchaudio` dies, and with it transformers, diffusers, muq and whisperx,
which import it. Without its libraries torchaudio still does all that is used here (mel
spectrograms, resampling). So call `import_torchaudio()` before importing any of them.
"""

import importlib.util
import sys
import types
from pathlib import Path


def import_torchaudio():
    """The module torchaudio; without its compiled libraries where these do not load."""
    try:
        import torchaudio

        return torchaudio
    except OSError:  # CUDA libraries that are not here
        pass
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]
    # torchaudio loads its libraries through this one function and goes on without them when it
    # says that there are none. We put the module in place first, with that answer.
    root = Path(importlib.util.find_spec("torchaudio").origin).parent
    spec = importlib.util.spec_from_file_location(
        "torchaudio._extension.utils", root / "_extension" / "utils.py"
    )
    utils = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = utils
    spec.loader.exec_module(utils)
    utils._load_lib = lambda library: False
    import torchaudio

    return torchaudio


def bare_package(name):
    """Make `name` a package whose submodules can be imported though its `__init__` never runs.

    A package that was imported before stays as it is.
    """
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"no package named {name!r} is installed", name=name)
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules[name] = package
    return package
