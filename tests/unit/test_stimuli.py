"""Stimuli: SynTheory's numbers, the user's sheets, and bad audio told by name."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from rasen import stimuli
from rasen.errors import RasenError
from rasen.io import audio, hdf5
from rasen.io.inputs import Inputs
from rasen.measure import encoding
from rasen.measure.encoding import encode_clips
from rasen.stimuli import instruments, synth
from rasen.stimuli import recordings as recordings_module
from rasen.stimuli.recordings import hash_of_sizes

NOTES = {"kind": "notes", "lowest": 48, "keys": 36, "instruments": "all", "soundfont": None,
         "repeats": 4, "beats": 2, "tempo": 120}  # fmt: skip
RATE = 16000


def rows(settings):
    return list(stimuli.clips(settings).itertuples(index=False))


# --- notes


def test_notes_are_syntheorys_by_default():
    table = stimuli.clips(NOTES)
    assert len(table) == 36 * len(synth.TIMBRES)
    assert table["pitch"].unique().tolist() == list(range(48, 84))
    assert table["clip"].is_unique
    assert table.loc[0, ["clip", "pitch_class", "octave"]].tolist()[1:] == [0, 3]
    assert len(stimuli.render_sound(rows(NOTES)[0], RATE)) == 4 * RATE  # 4 x 2 beats at 120


def test_ninety_two_programs():
    assert len(instruments.SYNTHEORY_PROGRAMS) == 92


def test_pitch_is_what_is_heard():
    """The strongest common period of every note is that of its key."""
    for row in rows(NOTES | {"instruments": ["piano"], "keys": 30}):
        sound = stimuli.render_sound(row, RATE)[: RATE // 2]
        spectrum = np.fft.rfft(sound * np.hanning(len(sound)), 1 << 16)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)
        period = RATE / (440 * 2 ** ((row.pitch - 69) / 12))
        lags = np.arange(round(period * 0.6), round(period * 1.7))
        assert abs(lags[correlation[lags].argmax()] / period - 1) < 0.02, row.clip


def test_a_clip_is_the_same_alone_and_after_others():
    table = rows(NOTES | {"instruments": ["violin", "bell"], "keys": 3})
    first = [stimuli.render_sound(row, RATE) for row in table]
    again = [stimuli.render_sound(row, RATE) for row in reversed(table)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert all(sound.dtype == np.float32 and abs(sound).max() <= 1 for sound in first)


def test_unknown_instruments_are_named():
    with pytest.raises(RasenError, match="kazoo"):
        stimuli.clips(NOTES | {"instruments": ["piano", "kazoo"]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (NOTES | {"keys": 0}, "stimuli: keys is 0; give a number above 0"),
        (NOTES | {"tempo": 0, "beats": -1}, r"(?s)beats is -1.*tempo is 0"),
        (NOTES | {"key": 3}, "no field 'key'; did you mean 'keys'"),
        (NOTES | {"soundfont": "a.sf2", "instruments": [128]}, "program numbers 0 to 127"),
        ({"kind": "melodies", "clips": 0}, "clips is 0; give"),
        ({"kind": "audio", "sheet": "a.tsv", "seconds": 0}, "seconds is 0; give"),
        ({"kind": "audio"}, "RecordingSettings: .*'sheet'"),
        ({"kind": "text", "sheet": "a.txt", "seconds": 3}, "TextSettings: no field 'seconds'"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(RasenError, match=message):
        stimuli.clips(settings)


def test_text_has_no_sound():
    with pytest.raises(RasenError, match="is of kind text, which has no sound"):
        stimuli.render_sound(SimpleNamespace(kind="text"), RATE)


def test_melodies_are_seeded_clip_by_clip():
    short = rows({"kind": "melodies", "clips": 2, "seconds": 1, "seed": 5})
    longer = rows({"kind": "melodies", "clips": 4, "seconds": 1, "seed": 5})
    other = rows({"kind": "melodies", "clips": 2, "seconds": 1, "seed": 6})
    assert np.array_equal(
        stimuli.render_sound(short[1], RATE), stimuli.render_sound(longer[1], RATE)
    )
    assert not np.array_equal(
        stimuli.render_sound(short[1], RATE), stimuli.render_sound(other[1], RATE)
    )
    assert not np.array_equal(
        stimuli.render_sound(short[0], RATE), stimuli.render_sound(short[1], RATE)
    )


# --- sheets


@pytest.fixture
def recordings(tmp_path):
    tone = 0.5 * np.sin(np.arange(48000) * 0.05)
    soundfile.write(tmp_path / "stereo 44k.wav", np.stack([tone, -0.5 * tone], 1), 44100)
    soundfile.write(tmp_path / "tone.flac", tone, 16000)
    (tmp_path / "sheet.tsv").write_text(
        "\ufeffpath\tpitch\tinstrument\r\nstereo 44k.wav\t60\tflüte\r\ntone.flac\t61\toboe\r\n",
        encoding="utf-8",
    )
    return tmp_path


def test_sheet_with_byte_order_mark_and_windows_lines(recordings):
    settings = {"kind": "audio", "sheet": str(recordings / "sheet.tsv"), "seconds": 2}
    table = stimuli.clips(settings)
    assert table["pitch"].tolist() == [60, 61]
    assert table["instrument"].tolist() == ["fl\u00fcte", "oboe"]
    first, second = rows(settings)
    assert len(stimuli.render_sound(first, RATE)) == round(48000 / 44100 * RATE)
    assert len(stimuli.render_sound(second, RATE)) == 2 * RATE


def test_a_missing_recording_is_listed_and_left_out_later(recordings):
    sheet = recordings / "sheet.tsv"
    sheet.write_text("path\na.wav\ntone.flac\nb.wav\n")
    settings = {"kind": "audio", "sheet": str(sheet), "seconds": 2}
    first, second, _ = rows(settings)
    with pytest.raises(RasenError, match=r"a.wav: no such file; correct the path, or take its row"):
        stimuli.render_sound(first, RATE)
    stimuli.render_sound(second, RATE)
    sheet.write_text("path\na.wav\nb.wav\n")
    with pytest.raises(RasenError, match=r"none of its files can be opened, such as .*a\.wav"):
        stimuli.clips(settings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs a line of column names"),
        ("path\n", "at least one row"),
        ("file\ntone.flac\n", "no column `path`"),
        ("path\tpitch\ntone.flac\n", "line 2: 1 fields, expected 2"),
        ("path\tkind\ntone.flac\tx\n", "used by Rasen"),
    ],
)
def test_broken_sheets_are_refused(recordings, text, message):
    (recordings / "sheet.tsv").write_text(text)
    with pytest.raises(RasenError, match=message):
        stimuli.clips({"kind": "audio", "sheet": str(recordings / "sheet.tsv"), "seconds": 2})


def test_text_from_lines_and_json_lines(tmp_path):
    (tmp_path / "a.txt").write_text("one\n\n二つ\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"text": "x", "language": "en"}\n{"text": "y"}\n')
    assert stimuli.clips({"kind": "text", "sheet": str(tmp_path / "a.txt")})["text"].tolist() == [
        "one", "二つ",
    ]  # fmt: skip
    assert len(stimuli.clips({"kind": "text", "sheet": str(tmp_path / "a.jsonl")})) == 2


def test_quoted_line_breaks_and_odd_labels_survive(tmp_path):
    (tmp_path / "a.csv").write_text('text,language\n"one\ntwo",en\n')
    table = stimuli.clips({"kind": "text", "sheet": str(tmp_path / "a.csv")})
    assert table["text"].tolist() == ["one\ntwo"]
    line = '{"text": "a\u2028b", "meta": {"set": "x"}}\n\n{"text": "c"}\n'
    (tmp_path / "a.jsonl").write_text(line, encoding="utf-8")
    table = stimuli.clips({"kind": "text", "sheet": str(tmp_path / "a.jsonl")})
    assert table["text"].tolist() == ["a\u2028b", "c"]
    with hdf5.create(tmp_path / "a.h5") as writer:
        writer.table("clips", table)
    with hdf5.open_file(tmp_path / "a.h5") as file:
        assert hdf5.read_table(file, "clips")["meta"][0] == '{"set": "x"}'
    (tmp_path / "b.tsv").write_text("text\ttext\nx\ty\n")
    with pytest.raises(RasenError, match="column names must differ"):
        stimuli.clips({"kind": "text", "sheet": str(tmp_path / "b.tsv")})


def test_a_changed_recording_is_noticed(recordings, tmp_path):
    settings = {"kind": "audio", "sheet": str(recordings / "sheet.tsv"), "seconds": 2}
    clips = tmp_path / "clips.parquet"
    row, before = rows(settings)[1], hash_of_sizes(settings, clips)
    os.utime(recordings / "tone.flac")
    assert hash_of_sizes(settings, clips) == before
    stimuli.render_sound(row, RATE)
    soundfile.write(recordings / "tone.flac", 0.1 * np.ones(20000), 16000)
    assert hash_of_sizes(settings, clips) != before
    with pytest.raises(RasenError, match="has changed since its sheet was read"):
        stimuli.render_sound(row, RATE)


def test_recordings_that_stayed_elsewhere_count_as_listed(recordings, tmp_path):
    """Whoever gets results without the recordings must not redo them."""
    settings = {"kind": "audio", "sheet": str(recordings / "sheet.tsv"), "seconds": 2}
    clips = tmp_path / "clips.parquet"
    stimuli.clips(settings).to_parquet(clips)
    before = hash_of_sizes(settings, clips)
    (recordings / "tone.flac").unlink()
    assert hash_of_sizes(settings, clips) == before
    clips.unlink()
    assert hash_of_sizes(settings, clips) != before


# --- parts of recordings


@pytest.fixture
def ramp(tmp_path):
    """A recording of 10 s at 8 kHz whose level is its time / 10, and a sheet of its parts."""
    soundfile.write(tmp_path / "ramp.wav", np.arange(80000) / 80000, 8000, subtype="FLOAT")

    def settings(*lines, **more):
        header = "path\tclip\tstart\tend\tsong\tsplit\n"
        (tmp_path / "parts.tsv").write_text(header + "".join(f"{line}\n" for line in lines))
        return {"kind": "audio", "sheet": str(tmp_path / "parts.tsv")} | more

    return settings


PARTS = ["ramp.wav\ta\t2\t3.5\ts1\ttrain", "ramp.wav\tb\t8\t10\ts1\ttrain"]


def test_parts_of_one_file_are_clips(ramp, monkeypatch):
    settings = ramp(*PARTS, seconds=1)
    table = stimuli.clips(settings)
    assert table["seconds"].tolist() == [1.5, 2.0], "not the set's"
    assert table["song"].tolist() == ["s1", "s1"], "labels pass through"
    assert table["split"].tolist() == ["train", "train"]
    read = []
    original = soundfile.SoundFile.read
    monkeypatch.setattr(
        soundfile.SoundFile, "read",
        lambda file, frames, **more: read.append(frames) or original(file, frames, **more),
    )  # fmt: skip
    first, second = (stimuli.render_sound(row, 8000) for row in rows(settings))
    np.testing.assert_allclose(first[[0, -1]], [0.2, 0.35], atol=1e-4)
    np.testing.assert_allclose(second[[0, -1]], [0.8, 1.0], atol=1e-4)
    assert read == [12000, 16000], "and no more of the file"


def test_a_file_of_many_parts_is_hashed_once(ramp, monkeypatch):
    settings = ramp(*PARTS)
    hashed, original = [], recordings_module.hashes.hash_if_present
    monkeypatch.setattr(
        recordings_module.hashes, "hash_if_present",
        lambda path: hashed.append(path) or original(path),
    )  # fmt: skip
    for row in rows(settings):
        stimuli.render_sound(row, RATE)
    assert len(hashed) == 2, "when it is listed and when it is read"


def test_a_part_past_the_end_is_left_out(family, ramp, tmp_path):
    lines = [*PARTS, "ramp.wav\tc\t9\t11\ts1\ttrain", "ramp.wav\td\t12\t13\ts1\ttrain",
             "ramp.wav\trounded\t9\t10.005\ts1\ttrain"]  # fmt: skip
    table = stimuli.clips(ramp(*lines))
    left_out = encode_clips(family, table, tmp_path / "i.h5", "cpu")
    assert left_out["clip"].tolist() == ["c", "d"]
    assert "is 10 s long, but the clip is at 9 to 11 s; correct" in left_out["reason"][0]


def test_wrong_parts_are_told_by_their_lines(ramp):
    wrong = ["ramp.wav\tc\t3\t2\ts\ttest", "ramp.wav\td\t-1\t2\ts\ttest",
             "ramp.wav\te\tx\t2\ts\ttest", "ramp.wav\tf\t0\tinf\ts\ttest"]  # fmt: skip
    with pytest.raises(RasenError) as error:
        stimuli.clips(ramp(*PARTS, *wrong))
    assert [line.split(":")[0].strip() for line in str(error.value).splitlines()[1:]] == [
        "line 4", "line 5", "line 6", "line 7",
    ]  # fmt: skip
    with pytest.raises(RasenError, match="leave nothing to `crop`"):
        stimuli.clips(ramp(*PARTS, crop="random"))


def test_start_without_end_is_refused(recordings):
    (recordings / "sheet.tsv").write_text("path\tstart\ntone.flac\t0\n")
    with pytest.raises(RasenError, match="no column `end`; give start and end, or neither"):
        stimuli.clips({"kind": "audio", "sheet": str(recordings / "sheet.tsv")})


def test_parts_count_by_the_size_of_their_file(ramp, tmp_path):
    settings, clips = ramp(*PARTS), tmp_path / "clips.parquet"
    stimuli.clips(settings).to_parquet(clips)
    before = hash_of_sizes(settings, clips)
    (tmp_path / "ramp.wav").unlink()
    assert hash_of_sizes(settings, clips) == before, "the recordings stayed elsewhere"
    soundfile.write(tmp_path / "ramp.wav", np.ones(800), 8000)
    assert hash_of_sizes(settings, clips) != before


# --- bad audio


def test_bad_audio_is_told_by_name_with_the_cure(tmp_path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not audio at all")
    soundfile.write(tmp_path / "no samples.wav", np.zeros(0), 16000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    soundfile.write(tmp_path / "cancelled.wav", np.outer(np.ones(16000), [0.5, -0.5]), 16000)
    soundfile.write(tmp_path / "nan.wav", np.full(16000, np.nan), 16000, subtype="FLOAT")
    for name, reason in {
        "empty.wav": "0 bytes",
        "text.wav": "cannot be read as audio",
        "no samples.wav": "no samples",
        "silent.wav": "silent",
        "cancelled.wav": "silent",
        "nan.wav": "not numbers",
        "absent.wav": "no such file",
    }.items():
        with pytest.raises(RasenError, match=reason) as error:
            audio.read_mono(tmp_path / name, 16000)
        assert str(tmp_path / name) in str(error.value)


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Nine recordings, encoded in parts of two: two cannot be used, one is not there."""
    monkeypatch.setattr(encoding, "PART", 2)
    names = ["good0", "silent", "good1", "short", "good2", "absent", "good3", "good4", "good5"]
    for i, name in enumerate(names):
        sound = np.sin(0.1 * (i + 1) * np.arange(9000 + 320 * i))
        if name in ("silent", "short"):
            sound = np.zeros(16000) if name == "silent" else sound[:100]
        if name != "absent":
            soundfile.write(tmp_path / f"{name}.wav", 0.5 * sound, 16000)
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("clip,path\n" + "".join(f"{name},{name}.wav\n" for name in names))
    return stimuli.clips({"kind": "audio", "sheet": str(sheet), "seconds": 9})


def test_bad_clips_are_left_out_with_their_reasons(family, corpus, tmp_path):
    left_out = encode_clips(family, corpus, tmp_path / "i.h5", "cpu")
    assert left_out["clip"].tolist() == ["silent", "short", "absent"]
    for reason, part in zip(
        left_out["reason"], ["is silent", "100 samples at 16000 Hz are less", "no such file"],
        strict=True,
    ):  # fmt: skip
        assert part in reason
    encoded = Inputs(tmp_path / "i.h5")
    assert encoded.clips["clip"].tolist() == [f"good{i}" for i in range(6)]
    assert encoded.lengths.tolist() == [-(-(9000 + 320 * i) // 320) for i in (0, 2, 4, 6, 7, 8)]
    for index, row in enumerate(encoded.clips.itertuples()):
        alone = family.encode(stimuli.render(row, family), "cpu")
        assert np.array_equal(encoded.clip(index)["codes"], alone["codes"])
    assert not (tmp_path / "i.parts").exists()


def test_several_workers_write_the_same_file(family, corpus, tmp_path):
    for workers in (1, 3):
        encode_clips(family, corpus, tmp_path / f"{workers}.h5", "cpu", workers)
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "3.h5").read_bytes()


def test_encoding_goes_on_where_it_was_killed(family, corpus, tmp_path, monkeypatch):
    render, rendered = stimuli.render, []

    def noting(row, family):
        if row.clip == stop:
            raise KeyboardInterrupt
        rendered.append(row.clip)
        return render(row, family)

    monkeypatch.setattr(encoding.stimuli, "render", noting)
    stop = "good4"
    with pytest.raises(KeyboardInterrupt):
        encode_clips(family, corpus, tmp_path / "i.h5", "cpu", code="a")
    assert not (tmp_path / "i.h5").exists()
    stop, before = "", len(rendered)
    assert len(encode_clips(family, corpus, tmp_path / "i.h5", "cpu", code="a")) == 3
    assert rendered[before:] == ["good3", "good4", "good5"], "its part and those after it"
    monkeypatch.setattr(encoding.stimuli, "render", render)
    encode_clips(family, corpus, tmp_path / "whole.h5", "cpu", code="a")
    assert (tmp_path / "i.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()

    stop = "good5"
    monkeypatch.setattr(encoding.stimuli, "render", noting)
    with pytest.raises(KeyboardInterrupt):
        encode_clips(family, corpus, tmp_path / "j.h5", "cpu", code="a")
    stop, before = "", len(rendered)
    encode_clips(family, corpus, tmp_path / "j.h5", "cpu", code="b")
    assert len(rendered) == before + 9, "parts of other code are not used"


def test_nothing_is_written_where_no_clip_can_be_used(family, corpus, tmp_path):
    bad = corpus[corpus["clip"].isin(["silent", "absent", "short"])].reset_index(drop=True)
    with pytest.raises(RasenError, match="2 of 3 clips cannot be used") as error:
        encode_clips(family, bad, tmp_path / "i.h5", "cpu")
    assert "silent.wav: is silent" in str(error.value)
    assert not list(tmp_path.glob("i.*"))


def test_a_recording_that_changed_stops_the_job(family, corpus, tmp_path):
    soundfile.write(tmp_path / "good3.wav", np.ones(9000), 16000)
    with pytest.raises(RasenError, match=r"good3.wav: has changed since its sheet was read"):
        encode_clips(family, corpus, tmp_path / "i.h5", "cpu")


# --- a seeded choice


@pytest.fixture
def many(tmp_path):
    """Settings of a set of 40 recordings of 1.5 s, each louder and louder."""
    for i in range(40):
        soundfile.write(tmp_path / f"{i}.wav", np.linspace(0.1, 0.9, 24000), RATE, subtype="FLOAT")
    (tmp_path / "sheet.tsv").write_text("path\n" + "".join(f"{i}.wav\n" for i in range(40)))
    return {"kind": "audio", "sheet": str(tmp_path / "sheet.tsv"), "seconds": 0.5}


def test_some_recordings_are_drawn_by_the_seed(many, tmp_path):
    chosen = stimuli.clips(many | {"clips": 10})
    assert len(chosen) == 10
    assert chosen["clip"].is_monotonic_increasing, "in the order of the sheet"
    assert chosen.equals(stimuli.clips(many | {"clips": 10}))
    assert set(chosen["clip"]) != set(stimuli.clips(many | {"clips": 10, "seed": 1})["clip"])
    assert set(chosen["clip"]) < set(stimuli.clips(many | {"clips": 11})["clip"])
    with open(tmp_path / "sheet.tsv", "a") as sheet:
        sheet.write("0.wav\n")
    again = set(stimuli.clips(many | {"clips": 10})["clip"])
    assert len(again & set(chosen["clip"])) >= 9, "a line more changes one clip at most"
    with pytest.raises(RasenError, match="lists 41 recordings, not clips: 50"):
        stimuli.clips(many | {"clips": 50})
    with pytest.raises(RasenError, match="clips is 0; give a number above 0"):
        stimuli.clips(many | {"clips": 0})


def test_crops_lie_anywhere_and_are_the_same_again(many):
    plain, random = rows(many), rows(many | {"crop": "random"})
    assert "crop" not in plain[0]._fields
    starts = np.array([stimuli.render_sound(row, RATE)[0] for row in random])
    assert {len(stimuli.render_sound(row, RATE)) for row in random} == {RATE // 2}
    assert stimuli.render_sound(plain[0], RATE)[0] == pytest.approx(0.1)
    # Levels rise from .1 to .9 over three times the length that is read.
    shares = (starts - 0.1) / 0.8 * 1.5
    np.testing.assert_allclose(shares, [row.crop for row in random], atol=1e-4)
    assert shares.min() < 0.1
    assert shares.max() > 0.9
    again = rows(many | {"crop": "random", "clips": 5})
    crops = {row.clip: row.crop for row in random}
    assert all(crops[row.clip] == row.crop for row in again)
    assert rows(many | {"crop": "random", "seed": 1})[0].crop != random[0].crop


def test_resampling_keeps_a_tone():
    time = np.arange(44100) / 44100
    resampled = audio.resample(np.sin(2 * np.pi * 440 * time), 44100, 16000)
    wanted = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    assert np.abs(resampled - wanted)[500:-500].max() < 1e-3


def test_tokens_are_transformers_own(family):
    from transformers import MusicgenForConditionalGeneration

    sound = stimuli.render_sound(rows(NOTES | {"instruments": ["piano"], "keys": 1})[0], RATE)
    model = MusicgenForConditionalGeneration.from_pretrained(family.folder)
    import torch

    theirs = model.audio_encoder.encode(torch.from_numpy(sound)[None, None]).audio_codes
    assert np.array_equal(family.encode(sound, "cpu")["codes"].T, theirs[0, 0].numpy())


def test_a_model_is_not_fed_what_it_cannot_read(family, language):
    text = SimpleNamespace(kind="text", text="x", clip="a")
    note = rows(NOTES)[0]
    with pytest.raises(RasenError, match="reads audio"):
        stimuli.render(text, family)
    with pytest.raises(RasenError, match="reads text"):
        stimuli.render(note, language)


def test_clips_of_fewer_frames_than_codebooks_are_refused(family):
    with pytest.raises(RasenError, match="gives 3 frames, fewer than the 4"):
        family.encode(np.ones(3 * 320, np.float32), "cpu")
