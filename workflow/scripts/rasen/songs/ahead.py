"""Songs are read ahead of the network: the next ones are decoded while it runs."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

SONGS_AHEAD = 2  # decoded songs that wait: 200 MB each for a song of four minutes in stereo

Item = TypeVar("Item")
Value = TypeVar("Value")


def read_ahead(read: Callable[[Item], Value], items: Iterable[Item]) -> Iterator[Value | Exception]:
    """read(item) of each item in order, computed in a thread; an Exception where it raised one.

    Decoding and resampling leave Python's lock, so one thread beside the network's is enough.
    """
    waiting: deque[Future[Value]] = deque()
    with ThreadPoolExecutor(1, "read ahead") as pool:
        for item in items:
            waiting.append(pool.submit(read, item))
            if len(waiting) > SONGS_AHEAD:
                yield _outcome(waiting.popleft())
        while waiting:
            yield _outcome(waiting.popleft())


def _outcome(future):
    error = future.exception()
    return error if error is not None else future.result()
