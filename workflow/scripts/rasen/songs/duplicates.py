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
HALF = np.uint64(32)  # bits
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
    count, longest = len(prints), max(map(len, prints), default=0)
    song, place, after = _shared_words(prints)
    matches = np.bincount(song, weights=after, minlength=count)  # with each song as the first
    rows = np.argsort(song, kind="stable")
    rows = rows[after[rows] > 0]
    # Pair and offset as one integer, so that equal ones are neighbours when sorted: a sum of one
    # number for the first song's word and one for the second's.
    first = (song.astype(np.int64) * count * 2 + 1) * longest + place
    second = song.astype(np.int64) * 2 * longest - place
    bounds = song[rows]
    for songs in _song_ranges(matches):
        some = rows[slice(*np.searchsorted(bounds, songs))]
        repeats = after[some]
        keys = np.repeat(first[some], repeats)
        partner = np.repeat(some + 1 - np.cumsum(repeats) + repeats, repeats)
        partner += np.arange(len(keys))  # the rows after each, in turn
        keys += second[partner]
        yield from _best_offsets(keys, count, longest)


def _shared_words(prints):
    """song, place, after [words]: the words of several songs, once per song, equal ones together
    and in the order of the songs; `after` counts the equal ones that follow.

    A word is represented by its hash, which is another 32 bits (an odd factor loses nothing), and
    the integers of 64 bits that are sorted are hash and row: an argsort takes many times as long.
    """
    counts, shift = _songs_per_word(prints)
    keys = np.empty(len(prints) * SAMPLE, np.uint64)
    place = np.empty(len(keys), np.uint32)
    total, ends = 0, [0]
    for words in prints:
        hashes, places = _sample(words, counts, shift)
        ends.append(total + len(hashes))
        own = slice(total, ends[-1])
        keys[own] = hashes << HALF
        keys[own] |= np.arange(total, ends[-1], dtype=np.uint64)
        place[own] = places
        total = ends[-1]
    keys = keys[:total]
    keys.sort()
    rows = keys.astype(np.uint32)
    keys >>= HALF
    sizes = np.diff(_starts(keys), append=total)
    rows, sizes = rows[np.repeat(sizes > 1, sizes)], sizes[sizes > 1]
    after = np.repeat(np.cumsum(sizes, dtype=np.int32), sizes)
    after -= np.arange(1, len(rows) + 1, dtype=np.int32)
    song = np.repeat(np.arange(len(prints), dtype=np.int32), np.diff(ends))
    return song[rows], place[rows], after


def _sample(words, counts, shift):
    """(hashes, places) of the SAMPLE words of smallest hash that few songs have."""
    own = _hashes(words).astype(np.uint64) << HALF
    own |= np.arange(len(own), dtype=np.uint64)
    for most in (2 * SAMPLE, len(own)):  # a part is mostly enough, and sorted much faster
        some = np.partition(own, most)[:most] if most < len(own) else own
        some.sort()
        hashes = some >> HALF
        first = _starts(hashes)  # of equal ones
        chosen = first[counts[hashes[first] >> shift] <= COMMON][:SAMPLE]
        if len(chosen) == SAMPLE:
            break
    return hashes[chosen], some[chosen].astype(np.uint32)


def _starts(values):
    """Where a new value starts in sorted ones."""
    return np.flatnonzero(np.concatenate([[len(values) > 0], values[1:] != values[:-1]]))


def _hashes(words):
    return words.astype(np.uint32) * np.uint32(2654435761)


def _songs_per_word(prints):
    """(counts, shift): a word of hash h is in at most counts[h >> shift] songs, counted to
    COMMON + 1. Words share a count, but there are about as many counts as words."""
    bits = max(1, sum(map(len, prints)).bit_length() - 1)
    bits = min(bits, 26)  # 64 MB
    counts, shift = np.zeros(1 << bits, np.uint8), 32 - bits
    for words in prints:
        own = _hashes(words) >> np.uint32(shift)
        counts[own] = np.minimum(counts[own], COMMON) + 1  # once, however often the song has it
    return counts, np.uint64(shift)


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
