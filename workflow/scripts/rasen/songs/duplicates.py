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
MATCHES = 1 << 22  # pairs of equal words counted at a time, some 60 bytes each

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
    after = _equal_rows_after(word)
    matches = np.bincount(song, weights=after, minlength=count)  # with each song as the first
    rows = np.flatnonzero(after)
    rows = rows[np.argsort(song[rows], kind="stable")]
    for songs in _song_ranges(matches):
        start, stop = np.searchsorted(song[rows], songs)
        first, second = _pairs(rows[start:stop], after[rows[start:stop]])
        # Pair and offset as one integer, so that equal ones are neighbours when sorted.
        keys = (song[first] * count + song[second]) * 2 * longest
        keys += place[first] - place[second] + longest
        yield from _best_offsets(keys, count, longest)


def _sampled_words(prints):
    """word, song, place [words], sorted by word and song: the words of few songs, once per song.

    A word is represented by its hash, which is another 32 bits (an odd factor loses nothing).
    """
    common, samples = _common_words(prints), []
    for sequence in prints:
        words, places = _distinct(sequence)
        if len(common):
            nearest = np.searchsorted(common, words).clip(max=len(common) - 1)
            rare = common[nearest] != words
            words, places = words[rare], places[rare]
        samples.append((words[:SAMPLE], places[:SAMPLE]))
    empty = np.zeros(0, np.uint32)
    word = np.concatenate([empty, *(words for words, _ in samples)])
    place = np.concatenate([empty, *(places for _, places in samples)])
    song = np.repeat(np.arange(len(prints)), [len(words) for words, _ in samples])
    rows = np.arange(len(word))
    word, order = _sorted_with(word, rows)
    return word, song[order], place[order].astype(np.int64)


def _distinct(sequence):
    """(hashes of the words, where each is first), sorted by hash."""
    hashes = sequence.astype(np.uint32) * np.uint32(2654435761)
    words, places = _sorted_with(hashes, np.arange(len(hashes)))
    new = np.ones(len(words), bool)
    np.not_equal(words[1:], words[:-1], out=new[1:])
    return words[new], places[new]


def _sorted_with(words, rows):
    """words [n] uint32 sorted, and the rows [n] below 2^32 that belong to them: one sort of
    integers of 64 bits takes a fraction of the time of an argsort."""
    keys = words.astype(np.uint64) << np.uint64(32)
    keys |= rows.astype(np.uint64)
    keys.sort()
    return (keys >> np.uint64(32)).astype(np.uint32), keys.astype(np.uint32)


def _common_words(prints):
    """Words of more than COMMON songs, sorted."""
    words = np.concatenate([np.zeros(0, np.uint32), *(_distinct(each)[0] for each in prints)])
    words.sort()
    return np.unique(words[COMMON:][words[COMMON:] == words[:-COMMON]])


def _equal_rows_after(word):
    """How many rows after each row of `word`, which is sorted, are equal to it."""
    last = np.flatnonzero(np.diff(word, append=word[-1:] + 1)) if len(word) else np.zeros(0, int)
    return np.repeat(last, np.diff(last, prepend=-1)) - np.arange(len(word))


def _pairs(rows, after):
    """All pairs of a row and one of the `after` rows that follow it: (first, second)."""
    first = np.repeat(rows, after)
    following = np.arange(len(first)) - np.repeat(np.cumsum(after) - after, after)
    return first, first + 1 + following


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
