"""Sketch and latents are in step: whole patches, whatever the song's length."""

from fractions import Fraction
from math import ceil

import numpy as np
import pytest

from rasen.io.audio import resample
from rasen.networks.frames import frame_count, overlapping_windows, pad_to_frames

LENGTHS = [1, 2, 959, 960, 961, 15359, 15360, 15361, 24001, 480_007, 7_199_999, 86_399_983]


@pytest.mark.parametrize("rate", [24000, 48000])
@pytest.mark.parametrize("samples", LENGTHS)
def test_frames_are_whole_patches(samples, rate):
    assert frame_count(samples, rate) == 16 * ceil(Fraction(samples, rate) / Fraction(64, 100))


def test_both_rates_give_the_same_frames():
    for native in range(1, 40_000, 37):  # samples of a recording at 24 kHz, and twice as many
        assert frame_count(native, 24000) == frame_count(2 * native, 48000)


@pytest.mark.parametrize("native", [8000, 11025, 22050, 32000, 44100, 96000])
def test_resampling_keeps_the_frames(native):
    """Of a recording at any rate, sketch and latents get as many frames as its seconds say."""
    patch = native * 16 // 25
    for samples in [*range(1, 50), *(k * patch + d for k in (1, 7, 90) for d in range(-40, 41))]:
        counts = {frame_count(-(-samples * rate // native), rate) for rate in (24000, 48000)}
        assert counts == {frame_count(samples, native)}
    sound = np.zeros(7 * patch + 1, dtype=np.float32)
    for rate in (24000, 48000):  # the resampler does round up, as assumed above
        assert resample(sound, native, rate).shape == (-(-len(sound) * rate // native),)


def test_padding_adds_zeros_at_the_end_alone():
    sound = np.ones((2, 48_001), dtype=np.float32)
    padded = pad_to_frames(sound, 48000)
    assert padded.shape == (2, 32 * 1920)
    assert padded.dtype == np.float32
    assert padded[:, :48_001].all()
    assert not padded[:, 48_001:].any()
    assert pad_to_frames(padded, 48000).shape == padded.shape


def test_no_sound_has_no_frames():
    with pytest.raises(ValueError, match="no frames"):
        frame_count(0, 48000)
    with pytest.raises(ValueError, match="whole number"):
        pad_to_frames(np.ones(100), 44_110)


@pytest.mark.parametrize(("size", "margin"), [(10, 2), (10, 0), (16, 3), (7, 3), (5, 2)])
def test_windows_cover_each_frame_once_away_from_their_edges(size, margin):
    for total in range(1, 120):
        rows = overlapping_windows(total, size, margin)
        kept = [frame for _, first, last in rows for frame in range(first, last)]
        assert kept == list(range(total))
        for start, first, last in rows:
            assert start >= 0
            assert len(rows) == 1 or start + size <= total
            assert first == 0 or first - start >= margin
            assert last == total or start + size - last >= margin


def test_windows_are_as_few_as_margins_allow():
    assert len(overlapping_windows(100, 100, 10)) == 1
    assert len(overlapping_windows(101, 100, 10)) == 2
    assert len(overlapping_windows(1000, 100, 10)) == 13
    with pytest.raises(ValueError, match="keeps none"):
        overlapping_windows(100, 20, 10)
