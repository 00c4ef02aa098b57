"""Phoneme error rate: edits between the phonemes that were written and those that were heard.

PER = (substitutions + insertions + deletions) / phonemes of the reference, both summed over songs.
Insertions count too, so it may pass 1.
"""

import re
from collections.abc import Sequence

import numpy as np

from rasen.errors import RasenError, raise_all
from rasen.scores.rates import Rate, pooled_rate, require_pairs

DIGIT = re.compile(r"(?<=.)[0-5]\Z")  # tones 1 to 5 of Chinese finals, stress 0 to 2 of vowels


def per(
    references: Sequence[Sequence[str]], heard: Sequence[Sequence[str]], tones: bool = True,
    draws: int = 1000, seed: int = 0,
) -> Rate:  # fmt: skip
    """The phoneme error rate of songs, each a sequence of phonemes.

    tones: whether tones and stress count (AH0 and AH1 differ, ma1 and ma4 too)
    """
    require_pairs(len(references), len(heard), "references and what was heard")
    raise_all(
        f"song {i}: its reference has no phonemes; leave it out"
        for i, reference in enumerate(references)
        if not len(reference)
    )
    if not tones:
        references, heard = ([without_tones(song) for song in part] for part in (references, heard))
    pairs = zip(references, heard, strict=True)
    counts = [sum(edits(reference, other)) for reference, other in pairs]
    lengths = [len(reference) for reference in references]
    return pooled_rate(np.array(counts), np.array(lengths), draws, seed, "per")


def without_tones(phonemes: Sequence[str]) -> list[str]:
    """The phonemes without the digit of a tone or of stress at their end."""
    return [DIGIT.sub("", phoneme) for phoneme in phonemes]


def edits(reference: Sequence[str], other: Sequence[str]) -> tuple[int, int, int]:
    """(substitutions, insertions, deletions) that make `reference` into `other`, the fewest.

    Of equally short ways the one with the most substitutions, so that the three are defined. Exact,
    in rows of numpy: 2000 against 2000 phonemes take 0.1 s.
    """
    if isinstance(reference, str) or isinstance(other, str):
        raise RasenError("a song is a sequence of phonemes; split the string at its spaces")
    n, m = len(reference), len(other)
    codes: dict[str, int] = {}
    one, two = (
        np.array([codes.setdefault(token, len(codes)) for token in tokens], dtype=np.int64)
        for tokens in (reference, other)
    )
    # A substitution costs `unit`, an insertion or deletion one more: the total is least in edits,
    # then in insertions and deletions, and holds the number of both.
    unit = n + m + 1
    steps = (unit + 1) * np.arange(m + 1)
    row = steps.copy()
    for token in one:
        best = row + (unit + 1)  # deleted
        best[1:] = np.minimum(best[1:], row[:-1] + unit * (two != token))
        row = np.minimum.accumulate(best - steps) + steps  # then inserted, any number of times
    total, unpaired = divmod(int(row[-1]), unit)
    deleted = (unpaired + n - m) // 2
    return total - unpaired, unpaired - deleted, deleted
