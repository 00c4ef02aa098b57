"""Recordings that are the same sound, whatever their format, level or first seconds.

Fingerprints (`audio_measures.fingerprint`) are sequences of words of 32 bits. Two songs are
compared when they share enough words at one offset. To bound time and memory, each song takes part
with SAMPLE of its rarer words only: those of the smallest hash, which are the same in copies.
"""

from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import TypeVar

import numpy as np

SAMPLE = 512  # words that a song takes part with: all of half a minute, 1 of 7 of four minutes
COMMON = 64  # a word in more songs than this is ignored (silence, a steady tone)
SHARED = 8  # words in common at one offset from which two songs are compared
SAME = 0.25  # share of differing bits below which two stretches are one sound (chance: 0.5)
COVERED = 0.5  # of the shorter song
MATCHES = 1 << 24  # pairs of equal words counted at a time, 8 bytes each

Song = TypeVar("Song", bound=Hashable)


def find_duplicates(prints: Mapping[Song, np.ndarray]) -> dict[Song, Song]:
    """{song: the earlier song with the same recording}. prints: {song: words [frames] uint32}."""
    songs = list(prints)
    duplicates: dict[Song, Song] = {}
    for first, second, offset in _candidates([prints[song] for song in songs]):
        if songs[second] in duplicates or songs[first] in duplicates:
            continue
        a, b = prints[songs[first]], prints[songs[second]]
        start, end = max(0, offset), min(len(a), len(b) + offset)
        if end - start < COVERED * min(len(a), len(b)):
            continue
        differing = np.bitwise_count(a[start:end] ^ b[start - offset : end - offset])
        if differing.mean() < SAME * 32:
            duplicates[songs[second]] = songs[first]
    return duplicates


def _candidates(prints):
    """(first, second, offset) of songs that share words, in order: word i of second is word
    i + offset of first."""
    word, song, place = _sampled_words(prints)
    count, longest = len(prints), max(map(len, prints), default=0)
    matches = np.zeros(count, np.int64)  # with each song as the first of a pair
    for a, _ in _equal_pairs(word):
        matches += np.bincount(song[a], minlength=count)
    for start, stop in _song_ranges(matches):
        # Pair and offset as one integer, so that equal ones are neighbours when sorted.
        keys, filled = np.empty(matches[start:stop].sum(), np.int64), 0
        for a, b in _equal_pairs(word):
            inside = (song[a] >= start) & (song[a] < stop)
            a, b = a[inside], b[inside]
            key = (song[a] * count + song[b]) * 2 * longest + place[a] - place[b] + longest
            keys[filled : filled + len(key)] = key
            filled += len(key)
        yield from _best_offsets(keys, count, longest)


def _sampled_words(prints):
    """word, song, place [words], sorted by word and song: the words of few songs, once per song."""
    common, samples = _common_words(prints), []
    for index, sequence in enumerate(prints):
        words, places = np.unique(sequence, return_index=True)
        rare = np.searchsorted(common, words, "right") == np.searchsorted(common, words, "left")
        words, places = words[rare], places[rare]
        chosen = np.argsort(words * np.uint32(2654435761), kind="stable")[:SAMPLE]
        samples.append((words[chosen], np.full(len(chosen), index), places[chosen]))
    empty = np.zeros(0, np.uint32), np.zeros(0, int), np.zeros(0, int)
    word, song, place = map(np.concatenate, zip(empty, *samples, strict=True))
    order = np.argsort(word, kind="stable")
    return word[order], song[order], place[order]


def _common_words(prints):
    """Words of more than COMMON songs, sorted."""
    words = np.concatenate([np.zeros(0, np.uint32), *map(np.unique, prints)])
    words.sort()
    return np.unique(words[COMMON:][words[COMMON:] == words[:-COMMON]])


def _equal_pairs(word):
    """All pairs of equal rows of `word`, in parts: (first rows, second rows)."""
    for step in range(1, COMMON):
        first = np.flatnonzero(word[step:] == word[:-step])
        yield first, first + step


def _song_ranges(matches):
    """(start, stop) of songs that have, as the first of a pair, about MATCHES matches together."""
    group = np.cumsum(matches) // MATCHES
    edges = [0, *(np.flatnonzero(np.diff(group)) + 1), len(matches)]
    return list(pairwise(edges))


def _best_offsets(keys, count, longest):
    """(first, second, offset) of each pair with SHARED matches or more, at the offset with most."""
    keys.sort()
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    matches = np.diff(starts, append=len(keys))
    enough = matches >= SHARED
    keys, matches = keys[starts[enough]], matches[enough]
    pairs, offsets = np.divmod(keys, 2 * longest) if longest else (keys, keys)
    order = np.lexsort((offsets, -matches, pairs))
    best = order[np.flatnonzero(np.diff(pairs[order], prepend=-1))]
    for pair, offset in zip(pairs[best].tolist(), offsets[best].tolist(), strict=True):
        yield *divmod(pair, count), offset - longest
