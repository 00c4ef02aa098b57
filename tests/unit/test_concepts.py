"""SynTheory's concepts: as many clips as published, and each sounds like its label."""

from collections import Counter

import numpy as np
import pytest

from rasen import stimuli
from rasen.errors import RasenError
from rasen.stimuli.clicks import EXTREMES
from rasen.stimuli.percussion import CLICKS
from rasen.stimuli.synth import TIMBRES

RATE = 16000
LABELS = {"intervals": "interval", "scales": "scale", "chords": "chord", "tempos": "tempo",
          "progressions": "progression", "time_signatures": "time_signature"}  # fmt: skip
TONAL = ["intervals", "scales", "chords", "progressions"]


def table(kind, **settings):
    return stimuli.clips({"kind": kind} | settings)


def row_of(kind, **wanted):
    """The row with these labels, played by the flute."""
    clips = table(kind, instruments=["flute"])
    for column, value in wanted.items():
        clips = clips[clips[column] == value]
    (row,) = clips.itertuples(index=False)
    return row


# --- counts and labels


@pytest.mark.parametrize(
    ("kind", "count", "labels"),
    [
        ("intervals", 39744, 12),
        ("scales", 15456, 7),
        ("chords", 13248, 4),
        ("progressions", 20976, 19),
        ("tempos", 4025, 161),
        ("time_signatures", 1200, 8),
    ],
)
def test_full_sets_have_syntheorys_counts(kind, count, labels):
    clips = table(kind, soundfont="any.sf2")  # its 92 programs
    assert len(clips) == count
    assert clips["clip"].is_unique
    assert clips[LABELS[kind]].value_counts().tolist() == [count // labels] * labels
    assert len(table(kind)) == (count // 92 * len(TIMBRES) if kind in TONAL else count)


def test_notes_of_syntheorys_size():
    clips = stimuli.clips({"kind": "notes", "lowest": 0, "keys": 108, "soundfont": "any.sf2"})
    assert len(clips) == 9936
    assert [clips[name].nunique() for name in ("pitch_class", "octave")] == [12, 9]


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("soundfont", [None, "any.sf2"])
def test_small_sets_are_balanced_parts_of_the_full_ones(kind, soundfont):
    full, small = (table(kind, size=size, soundfont=soundfont) for size in ("full", "small"))
    assert len(small) < 500
    assert small.merge(full).equals(small), "its rows are rows of the full set"
    instruments = small["instrument"].nunique()
    assert instruments == (8 if kind in TONAL else len(CLICKS))
    of_both = small.groupby(["instrument", LABELS[kind]]).size()
    assert of_both.nunique() == 1
    assert len(of_both) == instruments * small[LABELS[kind]].nunique()
    if kind in TONAL:  # no root gives a label away
        of_root = small.groupby([LABELS[kind], "root"]).size()
        assert len(of_root) == 12 * small[LABELS[kind]].nunique()
        assert np.ptp(of_root) <= 1


def test_tempos_for_extrapolation():
    clips = table("tempos")
    parts = clips.groupby("extrapolation")["tempo"].agg(["min", "max", "nunique"])
    assert parts.loc["train"].tolist() == [74, 186, 113]
    assert parts.loc["test"].tolist() == [50, 210, 48]
    assert (clips.groupby("tempo")["extrapolation"].nunique() == 1).all()
    share = (clips["extrapolation"] == "train").mean()
    assert share == pytest.approx(1 - 2 * EXTREMES, abs=0.01)


def test_wrong_settings_are_refused():
    with pytest.raises(RasenError, match="kazoo"):
        table("chords", instruments=["kazoo"])
    with pytest.raises(RasenError, match="no field 'instruments'"):
        table("tempos", instruments="all")


# --- what is heard


def heard(sound, count):
    """The `count` strongest pitches of a flute's sound, of which the first partial is the
    strongest."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 17)) ** 2
    hertz = np.fft.rfftfreq(1 << 17, 1 / RATE)
    pitch = 69 + 12 * np.log2(np.maximum(hertz, 1) / 440)
    strength = [spectrum[np.abs(pitch - key) < 0.4].sum() for key in range(48, 84)]
    return sorted(48 + int(key) for key in np.argsort(strength)[::-1][:count])


def heard_strokes(row, strokes, count=1):
    """The pitches of every stroke of a clip."""
    sound = stimuli.render_sound(row, RATE)
    assert sound.dtype == np.float32
    assert len(sound) == 4 * RATE
    assert np.abs(sound).max() == 1
    return [heard(part, count) for part in np.split(sound, strokes)]


@pytest.mark.parametrize("root", [0, 5, 11])
@pytest.mark.parametrize("interval", [1, 4, 7, 11])
def test_intervals_sound_upwards_downwards_and_together(root, interval):
    low, high = 60 + root, 60 + root + interval
    up, down, both = (
        row_of("intervals", interval=interval, root=root, direction=direction)
        for direction in ("up", "down", "unison")
    )
    assert heard_strokes(up, 8) == [[low], [high]] * 4
    assert heard_strokes(down, 8) == [[high], [low]] * 4
    if interval > 1:  # strokes are too short to part two notes so near
        assert heard_strokes(both, 8, 2) == [[low, high]] * 8


@pytest.mark.parametrize(
    ("scale", "root", "first"),
    [("ionian", 0, 60), ("dorian", 2, 62), ("phrygian", 4, 64), ("lydian", 5, 65),
     ("mixolydian", 7, 55), ("aeolian", 9, 57), ("locrian", 11, 59)],
)  # fmt: skip
def test_modes_on_their_degrees_are_the_white_keys(scale, root, first):
    white = [key for key in range(first, first + 13) if key % 12 in (0, 2, 4, 5, 7, 9, 11)]
    up, down = (row_of("scales", scale=scale, root=root, direction=d) for d in ("up", "down"))
    assert heard_strokes(up, 8) == [[key] for key in white]
    assert heard_strokes(down, 8) == [[key] for key in white[::-1]]


@pytest.mark.parametrize(
    ("chord", "root", "inversion", "keys"),
    [
        ("major", 0, 0, [60, 64, 67]),
        ("minor", 9, 1, [60, 64, 69]),
        ("diminished", 11, 0, [59, 62, 65]),
        ("diminished", 2, 2, [68, 74, 77]),
        ("augmented", 6, 0, [54, 58, 62]),
        ("augmented", 0, 1, [64, 68, 72]),
    ],
)
def test_chords_have_their_notes(chord, root, inversion, keys):
    row = row_of("chords", chord=chord, root=root, inversion=inversion)
    assert heard_strokes(row, 4, 3) == [keys] * 4


@pytest.mark.parametrize(
    ("progression", "root", "chords"),
    [
        ("ionian-1-4-5-1", 0, [[60, 64, 67], [60, 65, 69], [62, 67, 71], [60, 64, 67]]),
        ("aeolian-1-6-7-3", 9, [[57, 60, 64], [57, 60, 65], [59, 62, 67], [60, 64, 67]]),
        ("ionian-2-5-1-6", 2, [[64, 67, 71], [64, 69, 73], [62, 66, 69], [62, 66, 71]]),
    ],
)
def test_progressions_have_their_chords(progression, root, chords):
    assert heard_strokes(row_of("progressions", progression=progression, root=root), 4, 3) == chords


# --- metronomes


def onsets(sound):
    """(seconds, peak) of every click: where the loudness of 15 ms exceeds a quarter of its most."""
    window = round(0.015 * RATE)
    ahead = np.lib.stride_tricks.sliding_window_view(np.abs(sound), window).max(axis=1)
    loud = ahead > 0.25
    begins = np.flatnonzero(loud[1:] & ~loud[:-1]) + window
    begins = begins[np.diff(begins, prepend=-RATE) > 0.15 * RATE]  # drums rattle
    begins = begins[(begins > 0.05 * RATE) & (begins < 3.9 * RATE)]  # whole clicks
    return begins / RATE, np.array([np.abs(sound[b - 10 : b + 1000]).max() for b in begins])


@pytest.mark.parametrize("sound", CLICKS)
def test_tempos_are_the_distances_of_clicks(sound):
    clips = table("tempos", size="small")
    for row in clips[clips["instrument"] == sound].itertuples():
        times, _ = onsets(stimuli.render_sound(row, RATE))
        # A crop may leave three clicks; two sounds of one metronome rise at other rates.
        assert 60 / np.diff(times).mean() == pytest.approx(row.tempo, rel=0.01), row.clip


@pytest.mark.parametrize("sound", CLICKS)
def test_time_signatures_are_the_distances_of_accents(sound):
    clips = table("time_signatures")
    chosen = clips[(clips["instrument"] == sound) & (clips["reverb"] == 0)]
    whole = {"2/2": 1.0, "2/4": 0.5, "3/4": 0.5, "3/8": 0.25, "4/4": 0.5, "6/8": 0.25,
             "9/8": 0.25, "12/8": 0.25}  # fmt: skip
    found = Counter()
    for row in chosen.itertuples():
        times, peaks = onsets(stimuli.render_sound(row, RATE))
        assert np.diff(times).mean() == pytest.approx(whole[row.time_signature], rel=0.02)
        bars = np.diff(np.flatnonzero(peaks > 0.8))
        assert set(bars) <= {int(row.time_signature.split("/")[0])}, row.clip
        found[row.time_signature] += len(bars)
    assert set(found) == set(whole)
    assert min(found.values()) > 0


def test_reverberation_fills_the_pauses():
    clips = table("time_signatures", size="small")
    alike = clips[clips["clip"].str.startswith("woodblock_dark-2-2-")]
    levels = []
    for _, rows in alike.groupby("reverb"):
        sounds = [stimuli.render_sound(row, RATE) for row in rows.itertuples()]
        levels.append(np.median(np.abs(np.concatenate(sounds))))
    assert 100 * levels[0] < levels[1] < 0.7 * levels[2]


def test_metronomes_sound_alike_at_all_rates():
    for row in table("time_signatures", size="small").iloc[::37].itertuples():
        slow, fast = (stimuli.render_sound(row, rate) for rate in (24000, 48000))
        loud = [(part.reshape(400, -1) ** 2).mean(axis=1) for part in (slow, fast)]
        assert np.corrcoef(*loud)[0, 1] > 0.99, row.clip


# --- each clip for itself


@pytest.mark.parametrize("kind", LABELS)
def test_a_clip_is_the_same_alone_and_after_others(kind):
    rows = list(table(kind, size="small").iloc[::29].itertuples(index=False))
    first = [stimuli.render_sound(row, RATE) for row in rows]
    again = [stimuli.render_sound(row, RATE) for row in reversed(rows)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert len({sound.tobytes() for sound in first}) == len(rows), "and unlike the others"


def test_crops_are_drawn_by_the_seed_and_the_clip():
    first, again, other = (table("tempos", seed=seed)["offset"] for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.isin(other).any()
    assert first.is_unique
    assert 0 <= first.min() < 0.1 < 15.9 < first.max() <= 16
