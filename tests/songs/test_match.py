"""Matching lyrics to transcribed words: repeats, gaps, mishearings, and nothing at all."""

import time
from difflib import SequenceMatcher

import numpy as np
import pytest

from rasen.songs.align.match import match_words, similarity


def split(text):
    return [line.split() for line in text.split("|")]


def indices(lyrics, transcribed):
    matched = match_words(split(lyrics), transcribed.split())
    return [list(map(int, line)) for line in matched.indices]


def ratios(found):
    """Share of the words of each line that were found."""
    return [same.mean() for same in found.same]


def distance(a, b):
    """Edit distance, the plain way."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a):
        row, above = [i + 1], row
        for j, y in enumerate(b):
            row.append(min(above[j] + (x != y), above[j + 1] + 1, row[j] + 1))
    return row[-1]


def test_similarity_is_one_minus_edit_distance(rng):
    words = ["", "a", "river", "rivver", "silver", "月", "不", "don't", "water"]
    words += ["".join(rng.choice(list("abc"), rng.integers(1, 9))) for _ in range(40)]
    found = similarity(words, words[::-1])
    for i, a in enumerate(words):
        for j, b in enumerate(words[::-1]):
            assert found[i, j] == pytest.approx(1 - distance(a, b) / max(len(a), len(b), 1))


def test_equal_texts_match_word_by_word():
    assert indices("over the river|the morning", "over the river the morning") == [
        [0, 1, 2],
        [3, 4],
    ]


@pytest.mark.parametrize(
    ("lyrics", "transcribed", "expected"),
    [
        # a chorus printed twice and sung once stays together, wherever it goes
        ("a b c|d e f|a b c", "d e f a b c", [[-1] * 3, [0, 1, 2], [3, 4, 5]]),
        ("a b c|d e f|a b c", "a b c d e f", [[0, 1, 2], [3, 4, 5], [-1] * 3]),
        # lines with the same beginning: the one that is sung takes all of its words
        ("a b c d|a b e f", "a b e f", [[-1] * 4, [0, 1, 2, 3]]),
        ("a b c d|a b e f", "a b c d", [[0, 1, 2, 3], [-1] * 4]),
        # words left out and words added, inside a line and between lines
        ("a b c d|e f g", "a b d e x f g", [[0, 1, -1, 2], [3, 5, 6]]),
        ("a b c|d e f", "a b c x y z x d e f", [[0, 1, 2], [7, 8, 9]]),
        # sung in another order: the lines that keep theirs are found, whole
        ("a b c d|e f g h|i j k l", "e f g h a b c d i j k l", None),
        # nothing
        ("a b|c", "", [[-1, -1], [-1]]),
        ("a||b", "a b", [[0], [], [1]]),
    ],
)
def test_repeats_gaps_and_order(lyrics, transcribed, expected):
    found = indices(lyrics, transcribed)
    if expected is not None:
        assert found == expected
        return
    whole = [line for line in found if line[0] >= 0]
    assert len(whole) == 2
    assert all(np.diff(line).tolist() == [1, 1, 1] for line in whole)


def test_no_lyrics():
    assert match_words([], ["a"]).indices[0].tolist() == []


def test_misspelt_and_misheard_words():
    found = match_words(split("over the rivver gold"), ["over", "the", "river", "sealed"])
    assert found.indices[0].tolist() == [0, 1, 2, 3]  # each has its place
    assert found.same[0].tolist() == [True, True, True, False]
    assert ratios(found) == [0.75]


@pytest.mark.parametrize(
    ("lyrics", "transcribed", "expected"),
    [
        ("a b c d e", "a x y z e", [[0, 1, 2, 3, 4]]),  # misheard: each has its place
        ("a b|c", "a x", [[0, 1], [-1]]),  # the end of a line that began, not another line
    ],
)
def test_a_line_is_not_torn_apart_where_words_were_misheard(lyrics, transcribed, expected):
    assert indices(lyrics, transcribed) == expected


def test_a_line_replaced_by_another_is_not_matched():
    found = match_words(
        split("a b c d|e f g h|i j k l"),
        ["a", "b", "c", "d", "w", "x", "y", "z", "i", "j", "k", "l"],
    )
    assert ratios(found) == [1, 0, 1]


def test_it_finds_no_less_than_difflib(rng):
    """Random lyrics with words lost, added and swapped: as many equal words as difflib finds."""
    words = ["".join(rng.choice(list("abcdefghijklmnop"), 9)) for _ in range(60)]
    for _ in range(20):
        lyrics = list(rng.choice(words, 80))
        transcribed = [w for w in lyrics if rng.random() > 0.1]
        for _ in range(8):
            transcribed.insert(rng.integers(len(transcribed)), "quite-another-one")
        lines = [lyrics[i : i + 8] for i in range(0, 80, 8)]
        found = match_words(lines, transcribed)
        theirs = SequenceMatcher(None, lyrics, transcribed, autojunk=False).get_matching_blocks()
        place = np.concatenate(found.indices)
        ours = sum(j >= 0 and lyrics[i] == transcribed[j] for i, j in enumerate(place))
        assert ours >= sum(block.size for block in theirs)
        assert (np.diff(place[place >= 0]) > 0).all()


def test_five_hundred_words_take_no_time(rng):
    letters = list("abcdefghijklmnopqrst")
    words = ["".join(rng.choice(letters, rng.integers(2, 12))) for _ in range(400)]
    lyrics = list(rng.choice(words, 500))
    lines = [lyrics[i : i + 5] for i in range(0, 500, 5)]
    start = time.process_time()
    found = match_words(lines, lyrics)
    seconds = time.process_time() - start
    assert np.mean(ratios(found)) == 1
    assert seconds < 1
