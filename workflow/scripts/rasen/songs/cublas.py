"""Whisper on a GPU needs CUDA 12's cuBLAS, also where torch brings CUDA 13's."""

import ctypes
from collections.abc import Callable
from typing import Any

from rasen.errors import RasenError

LIBRARY = "libcublas.so.12"


def check_cublas(device: str, load: Callable[[str], Any] = ctypes.CDLL) -> None:
    """Raise where ctranslate2 would fail on its first song, minutes after the start."""
    if device == "cpu":
        return
    try:
        load(LIBRARY)
    except OSError as error:
        raise RasenError(
            f"ctranslate2 (Whisper) needs {LIBRARY} of CUDA 12 on a GPU, and it cannot be loaded "
            f"({error}): `pip install nvidia-cublas-cu12`, with its folder in LD_LIBRARY_PATH "
            "(config/README.md, Songs), or set songs.device: cpu"
        ) from None
