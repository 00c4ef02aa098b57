"""The rows of a benchmark: what was measured, beside its target or the reason why it was not.

Rows are printed as they come and, where a file is named, appended to it as JSON lines, so that
those of a process that was stopped are not lost.
"""

import gc
import json
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch


@dataclass(frozen=True)
class Row:
    """One figure. measured: None where there is none; then `note` says why."""

    what: str
    measured: float | None
    unit: str = ""
    target: float | None = None
    at_most: bool = False  # the target is the greatest value, not the least
    note: str = ""

    @property
    def wanted(self) -> str:
        """The target in words."""
        return "" if self.target is None else f"{'<=' if self.at_most else '>='} {self.target:.2f}"

    @property
    def missed(self) -> bool:
        """Whether there is a target that the figure does not meet."""
        if self.target is None or self.measured is None:
            return False
        return self.measured > self.target if self.at_most else self.measured < self.target

    @property
    def figure(self) -> str:
        """The figure with its unit."""
        if self.measured is None:
            return "-"
        size = abs(self.measured)
        digits = 0 if size >= 1000 or size == int(size) else 3 if size < 10 else 1
        small = 0 < size < 1e-3
        number = f"{self.measured:.1e}" if small else f"{self.measured:,.{digits}f}"
        return f"{number} {self.unit}".rstrip()


class Rows:
    """Collects rows. file: where they are appended as JSON lines."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        print(f"{'what':62} {'measured':>16} {'target':>9}", flush=True)

    def add(self, what: str, measured: float | None, unit: str = "", **more: Any) -> None:
        """Print a row; more: the other fields of Row."""
        row = Row(what, measured, unit, **more)
        end = "  MISSED" if row.missed else f"  {row.note}" if row.note else ""
        print(f"{row.what:62} {row.figure:>16} {row.wanted:>9}{end}", flush=True)
        if self.file:
            with open(self.file, "a") as file:
                file.write(json.dumps(asdict(row)) + "\n")

    @contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Record a failure inside as a row with its reason, and go on."""
        try:
            yield
        except Exception as error:
            self.add(what, None, note=reason(error))
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def reason(error: Exception) -> str:
    """Why there is no figure, in one line."""
    if isinstance(error, ModuleNotFoundError):
        return f"not installed: {error.name}"
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return f"out of memory: {_first_line(error)}"
    return f"failed: {type(error).__name__}: {_first_line(error)}"


def _first_line(error):
    return (str(error).splitlines() or ["no message"])[0][:200]


def read_rows(file: Path) -> list[Row]:
    """The rows of a file; none where it does not exist."""
    return [Row(**json.loads(line)) for line in file.open()] if file.exists() else []


def markdown(rows: Iterable[Row]) -> str:
    """A table of rows."""
    lines = ["| what | measured | target | note |", "|---|---|---|---|"]
    for row in rows:
        wanted = row.wanted + (", missed" if row.missed else "")
        note = row.note.replace("|", "/")
        lines.append(f"| {row.what} | {row.figure} | {wanted} | {note} |")
    return "\n".join(lines) + "\n"


def seconds(function: Callable[[], Any]) -> float:
    """Wall time of one call, until a GPU has finished too."""
    start = time.perf_counter()
    function()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def in_turn(repeats: int, *functions: Callable[[], Any]) -> list[float]:
    """Median seconds of each function, all called in turn after one round that does not count."""
    rounds = [[seconds(function) for function in functions] for _ in range(repeats + 1)]
    return [median(times) for times in zip(*rounds[1:], strict=True)]


def waits(function: Callable[[], Any]) -> float:
    """How often the processor waits for the GPU in a call; NaN without one."""
    if not torch.cuda.is_initialized():
        return math.nan
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            function()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchronizing" in str(warning.message) for warning in caught)


def add_waits(rows: Rows, what: str, function: Callable[[], Any]) -> None:
    """A row of `waits`, which only a GPU can tell."""
    count = waits(function)
    known = count == count
    rows.add(what, count if known else None, note="" if known else "only a GPU can tell")


def add_peak(rows: Rows, what: str, function: Callable[[], Any]) -> None:
    """A row of the greatest memory of the GPU in a call, which only a GPU can tell."""
    if not torch.cuda.is_initialized():
        rows.add(what, None, note="only a GPU can tell")
        return
    torch.cuda.reset_peak_memory_stats()
    function()
    torch.cuda.synchronize()
    rows.add(what, torch.cuda.max_memory_allocated() / 1e9, "GB")


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Matrix products and convolutions of float32 in TF32, or none of them."""
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = cuda.allow_tf32, cudnn.allow_tf32
    cuda.allow_tf32 = cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32 = before


def fingerprint(tensors: Iterable[torch.Tensor]) -> list[int]:
    """A sum of the bits of each float32 tensor: where two of them differ, some bit does."""
    flat = (tensor.detach().contiguous().view(torch.int32).flatten() for tensor in tensors)
    return [int(bits.sum(dtype=torch.int64)) for bits in flat]
