"""Recordings that are the same sound, whatever their format, level or first moments."""

from collections import Counter

import numpy as np

CROWD = 64  # a word that occurs more often says nothing (silence, a steady tone)
VOTES = 8  # words in common at one offset that make two songs worth comparing
SAME = 0.25  # share of differing bits below which two stretches are one sound (chance: 0.5)
COVERED = 0.5  # of the shorter song


def find(prints):
    """{song: the earlier song whose recording it is}. prints: {song: words [frames] uint32}."""
    songs = list(prints)
    found = {}
    for first, second, offset in sorted(_candidates([prints[song] for song in songs])):
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
    """(first, second, offset) of songs that share words: word i of second is word i + offset of
    first."""
    words = np.concatenate([*prints, np.zeros(0, np.uint32)])
    song = np.repeat(np.arange(len(prints)), [len(p) for p in prints])
    place = np.concatenate([*(np.arange(len(p)) for p in prints), np.zeros(0, int)])
    order = np.argsort(words, kind="stable")
    words, song, place = words[order], song[order], place[order]
    starts = np.flatnonzero(np.diff(words, prepend=~words[:1]))
    sizes = np.diff(np.append(starts, len(words)))
    rare = np.repeat(sizes <= CROWD, sizes)
    words, song, place = words[rare], song[rare], place[rare]
    votes = Counter()
    for step in range(1, CROWD):
        pair = (words[step:] == words[:-step]) & (song[step:] != song[:-step])
        if not (words[step:] == words[:-step]).any():
            break
        a, b = song[:-step][pair], song[step:][pair]
        offset = place[:-step][pair] - place[step:][pair]
        keys, counts = np.unique(np.stack([a, b, offset], axis=1), axis=0, return_counts=True)
        votes.update(dict(zip(map(tuple, keys.tolist()), counts.tolist(), strict=True)))
    best = {}
    for (a, b, offset), count in votes.items():
        if count >= VOTES and count > best.get((a, b), (0, 0))[0]:
            best[a, b] = (count, offset)
    return [(a, b, offset) for (a, b), (_, offset) in best.items()]
