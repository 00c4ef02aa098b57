"""Recordings that are the same sound, whatever their format, level or first moments.

Songs vote for each other with words that both have. So that thousands of songs fit, each votes
with SAMPLE of its rarer words only: those of the smallest hash, which copies choose alike.
"""

from itertools import pairwise

import numpy as np

SAMPLE = 512  # words with which a song votes: all of half a minute, 1 of 7 of four minutes
CROWD = 64  # a word of more songs than this says nothing (silence, a steady tone)
VOTES = 8  # words in common at one offset that make two songs worth comparing
SAME = 0.25  # share of differing bits below which two stretches are one sound (chance: 0.5)
COVERED = 0.5  # of the shorter song
PAIRS = 1 << 24  # votes counted at a time, 8 bytes each


def find(prints):
    """{song: the earlier song whose recording it is}. prints: {song: words [frames] uint32}."""
    songs = list(prints)
    found = {}
    for first, second, offset in _candidates([prints[song] for song in songs]):
        if songs[second] in found or songs[first] in found:
            continue
        a, b = prints[songs[first]], prints[songs[second]]
        start, end = max(0, offset), min(len(a), len(b) + offset)
        if end - start < COVERED * min(len(a), len(b)):
            continue
        differing = np.bitwise_count(a[start:end] ^ b[start - offset : end - offset])
        if differing.mean() < SAME * 32:
            found[songs[second]] = songs[first]
    return found


def _candidates(prints):
    """(first, second, offset) of songs that share words, in order: word i of second is word
    i + offset of first."""
    word, song, place = _voters(prints)
    count, longest = len(prints), max(map(len, prints), default=0)
    votes = np.zeros(count, np.int64)  # with each song as the first of a pair
    for a, _ in _pairs(word):
        votes += np.bincount(song[a], minlength=count)
    for start, stop in _ranges(votes):
        # Pair and offset packed in one integer, so that equal ones lie together when sorted.
        keys, filled = np.empty(votes[start:stop].sum(), np.int64), 0
        for a, b in _pairs(word):
            inside = (song[a] >= start) & (song[a] < stop)
            a, b = a[inside], b[inside]
            key = (song[a] * count + song[b]) * 2 * longest + place[a] - place[b] + longest
            keys[filled : filled + len(key)] = key
            filled += len(key)
        yield from _elected(keys, count, longest)


def _voters(prints):
    """word, song, place [voters], sorted by word and song: words of few songs, once a song."""
    crowded, parts = _crowded(prints), []
    for song, words in enumerate(prints):
        words, places = np.unique(words, return_index=True)
        rare = np.searchsorted(crowded, words, "right") == np.searchsorted(crowded, words, "left")
        words, places = words[rare], places[rare]
        chosen = np.argsort(words * np.uint32(2654435761), kind="stable")[:SAMPLE]
        parts.append((words[chosen], np.full(len(chosen), song), places[chosen]))
    nothing = np.zeros(0, np.uint32), np.zeros(0, int), np.zeros(0, int)
    word, song, place = map(np.concatenate, zip(nothing, *parts, strict=True))
    order = np.argsort(word, kind="stable")
    return word[order], song[order], place[order]


def _crowded(prints):
    """Words of more than CROWD songs, sorted."""
    words = np.concatenate([np.zeros(0, np.uint32), *map(np.unique, prints)])
    words.sort()
    return np.unique(words[CROWD:][words[CROWD:] == words[:-CROWD]])


def _pairs(word):
    """All pairs of voters of one word, in parts: (rows of the first, rows of the second)."""
    for step in range(1, CROWD):
        first = np.flatnonzero(word[step:] == word[:-step])
        yield first, first + step


def _ranges(votes):
    """(start, stop) of songs that have, as the first of a pair, about PAIRS votes together."""
    part = np.cumsum(votes) // PAIRS
    edges = [0, *(np.flatnonzero(np.diff(part)) + 1), len(votes)]
    return list(pairwise(edges))


def _elected(keys, count, longest):
    """(first, second, offset) of each pair with enough votes, at the offset that has most."""
    keys.sort()
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    votes = np.diff(starts, append=len(keys))
    enough = votes >= VOTES
    keys, votes = keys[starts[enough]], votes[enough]
    pairs, offsets = np.divmod(keys, 2 * longest) if longest else (keys, keys)
    order = np.lexsort((offsets, -votes, pairs))
    best = order[np.flatnonzero(np.diff(pairs[order], prepend=-1))]
    for pair, offset in zip(pairs[best].tolist(), offsets[best].tolist(), strict=True):
        yield *divmod(pair, count), offset - longest
