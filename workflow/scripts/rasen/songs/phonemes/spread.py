"""Phonemes of stretches of text, assigned to the words, or characters, of the text."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

Item = TypeVar("Item")


class Span(NamedTuple):
    """The tokens of text[start:end]."""

    start: int
    end: int
    tokens: list[str]


def split_evenly(items: Sequence[Item], count: int) -> list[list[Item]]:
    """items [n] in order, in `count` neighbouring parts as equal as possible: [[...], ...]."""
    edges = [round(i * len(items) / count) for i in range(count + 1)]
    return [list(items[a:b]) for a, b in pairwise(edges)]


def assign_to_units(
    spans: Iterable[tuple[int, int, Sequence[Any]]], places: Sequence[tuple[int, int]]
) -> list[list[Any]]:
    """The tokens of each unit: [[...], ...].

    spans: `Span`s over the characters of a line;  places: [(start, end)] of its units there
    A span that covers several units is split evenly over their characters.
    """
    owner = {i: unit for unit, (start, end) in enumerate(places) for i in range(start, end)}
    tokens: list[list[Any]] = [[] for _ in places]
    for start, end, items in spans:
        units = [owner[i] for i in range(start, end) if i in owner]
        if not units:  # letters that the alignment has no time for
            continue
        for unit, own in zip(units, split_evenly(items, len(units)), strict=True):
            tokens[unit] += own
    return tokens
