"""The word of every tallied row, each spelling kept once: 4 bytes a row."""

from array import array
from collections.abc import Iterable, Sequence

import numpy as np


class Words:
    """Words [rows], read like a sequence of strings.

    spellings: [distinct], which strings occur;  which: [rows], the spelling of each row
    """

    def __init__(self, lists: Iterable[Sequence[str]]) -> None:
        """lists: the words of the rows, in pieces (one list per clip, or a single one)."""
        number: dict[str, int] = {}
        which = array("i")
        for words in lists:
            which.extend(number.setdefault(str(word), len(number)) for word in words)
        self.spellings = np.array([*number, ""], object)[:-1]
        self.which = np.frombuffer(which, np.int32) if which else np.zeros(0, np.int32)

    def __len__(self) -> int:
        return len(self.which)

    def __getitem__(self, row: int) -> str:
        return self.spellings[self.which[row]]
