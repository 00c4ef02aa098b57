"""Notes to be heard: each key at its place, also after the MP3 is decoded."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import soundfile
from render_notes import render_notes

from rasen import stimuli
from rasen.io import parquet
from rasen.io.audio import mp3_bytes
from rasen.stimuli.sprites import RATE, SLOT, sprite
from rasen.stimuli.synth import frequency
from rasen.study.shared_files import group_of
from rasen.study.targets import note_sounds

SLOT_SAMPLES = round(SLOT * RATE)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Rows of all timbres of the built-in synthesiser; the third key of the first is missing."""
    folder = tmp_path_factory.mktemp("notes")
    clips = stimuli.clips({"kind": "notes", "lowest": 48, "keys": 36})
    parquet.write_table(clips.drop(index=2), folder / "clips.parquet")
    render_notes(folder / "clips.parquet", folder / "notes.parquet")
    return parquet.read_table(folder / "notes.parquet")


def heard(mp3):
    """Slots [key, time] of a decoded file."""
    sound, rate = soundfile.read(BytesIO(mp3), dtype="float32")
    assert rate == RATE
    assert len(sound) == 36 * SLOT_SAMPLES, "what the encoder adds is taken off again"
    assert np.abs(sound).max() < 1
    return sound


def test_each_key_has_its_pitch(rendered):
    for row in rendered.itertuples():
        keys = heard(row.mp3).reshape(36, -1)
        for pitch, sound in zip(range(row.lowest, row.lowest + row.keys), keys, strict=True):
            if row.instrument == rendered["instrument"][0] and pitch == 50:
                continue
            assert pitch_of(sound, pitch) == pytest.approx(pitch, abs=0.3), row.instrument


def pitch_of(sound, near):
    """The MIDI pitch within 9 semitones of `near` whose six harmonics are loudest."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2**18))
    candidates = near + np.arange(-9, 9.01, 0.05)
    harmonics = frequency(candidates)[:, None] * np.arange(1, 7)
    places = np.round(harmonics / RATE * 2**18).astype(int)
    loud = np.where(places < len(spectrum), spectrum[np.minimum(places, len(spectrum) - 1)], 0)
    return candidates[loud.sum(1).argmax()]


def test_each_key_begins_at_its_place(rendered):
    """Within 5 ms: the envelope of what is decoded beside that of what was encoded."""
    clips = stimuli.clips({"kind": "notes", "lowest": 48, "keys": 36, "repeats": 1})
    for row in rendered.itertuples():
        mine = clips[clips["instrument"] == row.instrument].itertuples()
        given = sprite([stimuli.render_sound(clip, RATE) for clip in mine])
        decoded = heard(row.mp3)
        for key in range(3, 36):  # the third is missing in one
            part = slice(key * SLOT_SAMPLES - 240, key * SLOT_SAMPLES + 1200)
            onsets = [np.argmax(np.abs(each[part]) > 0.2 * np.abs(each[part]).max())
                      for each in (given, decoded)]  # fmt: skip
            assert abs(onsets[0] - onsets[1]) < 0.005 * RATE, (row.instrument, key)


def test_a_missing_key_is_silent_and_the_others_stay_in_place(rendered):
    keys = np.abs(heard(rendered["mp3"][0]).reshape(36, -1)).max(1)
    assert keys[2] < 0.01
    assert np.delete(keys, 2).min() > 0.2
    assert rendered[["lowest", "keys", "seconds", "rate"]].drop_duplicates().values.tolist() == [
        [48, 36, SLOT, RATE]
    ]


@pytest.mark.parametrize("keys", [1, 2, 88])
def test_noise_of_any_length_comes_back_as_long(keys, rng):
    """Also where a constant bit rate would lose what tells the delay."""
    sound = sprite([rng.uniform(-1, 1, 30_000) for _ in range(keys)])
    assert len(sound) == keys * SLOT_SAMPLES
    assert np.abs(sound).max() == pytest.approx(0.8)
    decoded, _ = soundfile.read(BytesIO(mp3_bytes(sound, RATE)))
    assert len(decoded) == len(sound)


def test_what_was_recorded_never_travels():
    kinds = {"mine": {"kind": "audio"}, "notes": {"kind": "notes"}, "other": {"kind": "notes"}}
    models = {"a": {"helix": ["notes", "mine"]}, "b": {"helix": "notes"}, "c": {"helix": None}}
    models["c"]["sae"] = "notes"
    files = note_sounds({"models": models, "stimuli": kinds})
    assert files == ["results/notes/rendered/notes.parquet", "results/notes/recorded/mine.parquet"]
    assert [group_of(file) for file in files] == ["", "recordings"]
    models["c"]["sae"] = "other"
    assert note_sounds({"models": models, "stimuli": kinds})[2:] == [
        "results/notes/rendered/other.parquet"
    ]


def test_names_of_instruments_are_values_and_no_paths(tmp_path, rng):
    """Recorded notes have the names that their sheet gives."""
    for key in range(2):
        soundfile.write(tmp_path / f"{key}.wav", 0.1 * rng.standard_normal(20_000), 16_000)
    (tmp_path / "sheet.tsv").write_text(
        "path\tpitch\tinstrument\n0.wav\t60\t../../escape\n1.wav\t61\t../../escape\n"
    )
    clips = stimuli.clips({"kind": "audio", "sheet": str(tmp_path / "sheet.tsv"), "seconds": 1})
    parquet.write_table(clips, tmp_path / "clips.parquet")
    render_notes(tmp_path / "clips.parquet", tmp_path / "notes.parquet")
    table = pd.read_parquet(tmp_path / "notes.parquet")
    assert table["instrument"].tolist() == ["../../escape"]
    assert len(list(tmp_path.iterdir())) == 5
