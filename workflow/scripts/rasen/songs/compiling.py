"""One process at a time compiles what numba keeps in files for later processes.

Two that compile at once number these files alike, and from then on every process runs the wrong
machine code: it ends with a segmentation fault.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = ".compiling.lock"


@contextmanager
def compiling_alone(package: Path) -> Iterator[None]:
    """While this lasts, no other process is in it that has the same folder of compiled code."""
    with _lock_file(package) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _lock_file(package):
    """Where numba writes; a folder of this machine's where that is read-only, as numba does."""
    for folder in (os.environ.get("NUMBA_CACHE_DIR") or package, tempfile.gettempdir()):
        try:
            return (Path(folder) / LOCK).open("w")
        except OSError:
            continue
    raise OSError(f"neither {package} nor {tempfile.gettempdir()} can be written")
