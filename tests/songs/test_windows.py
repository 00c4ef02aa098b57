"""Windows: each holds its line, and nothing that another line sings."""

from itertools import pairwise

import numpy as np
import pytest

from rasen.songs.align.recover import recovered_words
from rasen.songs.align.windows import (
    PAD,
    drop_outliers,
    line_window,
    longest_voiced_stretch,
    sort_and_trim,
)
from rasen.songs.align.words import Word


def words(*starts, length=0.3):
    return [Word("la", start, start + length, 0.7) for start in starts]


def rows(*places):
    return [np.array(row) for row in places]


def at(row, transcribed, others=(), segments=(), extra=(), seconds=100):
    taken = np.zeros(len(transcribed), dtype=bool)
    taken[[*others, *extra, *(place for place in row if place >= 0)]] = True
    return pytest.approx(line_window(np.array(row), extra, taken, transcribed, segments, seconds))


def test_a_line_gets_its_words_and_a_pad_on_each_side():
    transcribed = words(1, 5, 5.4, 5.8, 9)
    assert at([1, 2, 3], transcribed, others=[0, 4]) == (4.8, 6.3)
    assert at([0], words(0.1), seconds=0.5) == (0, 0.5)  # never beyond the song


def test_a_window_ends_where_a_neighbour_sings():
    transcribed = words(4.6, 5, 5.4, 5.8)
    assert at([1, 2], transcribed, others=[0, 3]) == (4.9, 5.8)
    crowded = words(4.9, 5, 5.4, 5.6)  # overlapping words: the line keeps an edge
    assert at([1, 2], crowded, others=[0, 3]) == (4.95, 5.75)


def test_a_window_has_room_for_words_that_were_not_transcribed():
    transcribed = words(1, 5, 5.4, 9)
    assert at([-1, -1, 1, 2, -1], transcribed, others=[0, 3]) == (3.8, 6.4)
    near = words(4.3, 5, 5.4, 5.9)
    assert at([-1, -1, 1, 2, -1], near, others=[0, 3]) == (4.6, 5.9)
    # a word of no line may be an missing one: it is inside; else it stays outside
    assert at([-1, 1, 2], near, others=[3]) == (4.3, 5.9)
    assert at([1, 2], near, others=[]) == (4.8, 5.9)


def test_recovered_words_belong_to_the_window():
    transcribed = words(4, 5, 5.4, 5.8)
    assert at([1, 2], transcribed, others=[0], extra=[3]) == (4.8, 6.3)


def test_a_first_word_before_the_pause_is_looked_for_behind_it():
    transcribed = words(2, 5, 5.3, 5.6)
    segments = [(0, 2.4), (4.8, 6)]
    assert at([0, 1, 2, 3], transcribed, segments=segments) == (4.6, 6.1)
    # where the voice begins with the second word there is no room for the first: it stays
    assert at([0, 1, 2, 3], transcribed, segments=[(0, 2.4), (4.95, 6)]) == (1.8, 6.1)
    assert at([0, 1, 2, 3], transcribed, segments=[(0, 6)]) == (1.8, 6.1)


def test_words_end_with_the_voice():
    transcribed = [Word("b", 5, 5.5, 1), Word("a", 1, 5, 1), Word("c", 8, 9, 1)]
    transcribed = sort_and_trim(transcribed, [(0.5, 2), (4, 6)])
    assert [word.end for word in transcribed] == [2, 5.5, 9]


def test_words_that_a_long_pause_parts_from_their_line_are_others():
    transcribed = words(1, 20, 20.4, 20.8, 40)
    assert drop_outliers(np.array([0, 1, 2, 3, 4]), transcribed).tolist() == [-1, 1, 2, 3, -1]
    assert drop_outliers(np.array([-1, -1]), transcribed).tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("starts", "places", "expected"),
    [
        # inside a line; before the transcribed word where a lyric word is missing there too
        ((1, 1.4, 1.8), rows([0, 2]), [{1: [1]}]),
        ((1, 1.4, 1.8, 2.2), rows([0, -1, 3]), [{}]),  # two of three: another line
        # between two lines: to the nearer; at the edges of the song too
        ((1, 1.4, 1.8, 5, 5.4), rows([0, 1], [3, 4]), [{2: [2]}, {}]),
        ((1, 1.4, 4.6, 5, 5.4), rows([0, 1], [3, 4]), [{}, {0: [2]}]),
        ((1, 1.4, 3, 5, 5.4), rows([0, 1], [3, 4]), [{}, {}]),  # touches neither
        ((0.6, 1, 1.4, 1.8), rows([1, 2]), [{}]),  # two words more than the line's half
        ((0.6, 1, 1.4), rows([1, 2]), [{0: [0]}]),
        ((1, 1.4, 1.8), rows([0, 1], []), [{2: [2]}, {}]),
        ((1, 1.4), rows([-1, -1]), [{}]),
        ((), rows([-1]), [{}]),
    ],
)
def test_missing_words(starts, places, expected):
    found = recovered_words(places, words(*starts))
    assert found == expected


def test_missing_characters_go_where_the_longer_wait_is_not():
    """Characters end where the next begins: the silence between two lines is in the first's end."""
    starts = [1, 1.3, 1.6, 5, 5.3, 5.6, 7]
    transcribed = [Word("月", a, b, 1) for a, b in pairwise(starts)]
    assert recovered_words(rows([0, 1, 2], [4, 5]), transcribed) == [{}, {0: [3]}]
    assert recovered_words(rows([0, 1], [3, 4]), transcribed[:5]) == [{2: [2]}, {}]


def test_a_gap_with_a_voice_is_a_window():
    segments = [(1.0, 4.0), (6.5, 7.0), (7.5, 9.0), (12.0, 12.4)]
    assert longest_voiced_stretch((4.0, 20.0), segments, 5) == (6.5 - PAD, 9.0 + PAD)
    assert longest_voiced_stretch((3.9, 8.0), segments, 5) == (6.5 - PAD, 8.0)  # cut at the line
    assert (
        longest_voiced_stretch((9.0, 20.0), segments, 5) is None
    )  # .4 s are too short for five words
    assert longest_voiced_stretch((13.0, 20.0), segments, 1) is None
