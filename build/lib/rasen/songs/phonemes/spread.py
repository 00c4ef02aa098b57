"""Handing the phonemes of a stretch of text to the words, or characters, that it is made of."""

from itertools import pairwise


def evenly(items, count):
    """items [n] in order, in `count` neighbouring parts as equal as can be: [[...], ...]."""
    edges = [round(i * len(items) / count) for i in range(count + 1)]
    return [list(items[a:b]) for a, b in pairwise(edges)]


def to_units(spans, places):
    """The tokens of each unit: [[...], ...].

    spans: [(start, end, tokens)] over the characters of a line; places: [(start, end)] of its
    units there. A span that lies on several units is spread evenly over their characters.
    """
    owner = {i: unit for unit, (start, end) in enumerate(places) for i in range(start, end)}
    tokens = [[] for _ in places]
    for start, end, items in spans:
        owned = [owner[i] for i in range(start, end) if i in owner]
        if not owned:  # letters that the alignment has no time for
            continue
        for unit, part in zip(owned, evenly(items, len(owned)), strict=True):
            tokens[unit] += part
    return tokens
