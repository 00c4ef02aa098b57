"""A network over the windows of many sounds: batches are filled across sounds."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

Window = tuple[int, int, int]  # start, and the first and last frame that are kept


@dataclass
class _Pending:
    """A sound whose windows are not all computed, or an error in its place."""

    values: np.ndarray | Exception
    left: int


def over_windows(
    network: Callable[[torch.Tensor], torch.Tensor], sounds: Iterable[np.ndarray | Exception],
    windows_of: Callable[[int], tuple[list[Window], int]], hop: int, width: int, batch: int,
) -> Iterator[np.ndarray | Exception]:  # fmt: skip
    """The frames [T, width] float32 of each sound [..., time], in order; an error stays as it is.

    network: windows [batch, ..., time] -> frames [batch, size, width]
    windows_of: T -> the windows of a sound and their size;  hop: samples per frame
    batch: windows at once. Only windows of one size are put together; it changes rounding alone.
    """
    pending: list[_Pending] = []
    queue: list[tuple[torch.Tensor, _Pending, Window]] = []

    def run(some):
        frames = network(torch.stack([cut for cut, _, _ in some]))
        for values, (_, owner, (start, first, last)) in zip(frames, some, strict=True):
            owner.values[first:last] = values[first - start : last - start]
            owner.left -= 1

    for sound in sounds:
        if isinstance(sound, Exception):
            pending.append(_Pending(sound, 0))
        else:
            whole = torch.as_tensor(np.asarray(sound, dtype=np.float32))
            total = whole.shape[-1] // hop
            rows, size = windows_of(total)
            if queue and queue[0][0].shape[-1] != size * hop:
                run(queue)
                queue = []
            owner = _Pending(np.empty((total, width), dtype=np.float32), len(rows))
            pending.append(owner)
            for row in rows:
                queue.append((whole[..., row[0] * hop : (row[0] + size) * hop], owner, row))
                if len(queue) == batch:
                    run(queue)
                    queue = []
        while pending and not pending[0].left:
            yield pending.pop(0).values
    if queue:
        run(queue)
    for owner in pending:
        yield owner.values
