"""Recordings of every kind, the sheet of songs, and which recordings are the same."""

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import soundfile

from rasen.errors import RasenError
from rasen.songs import audio_measures, corpus, disk, duplicates, recording, sample, stems
from rasen.songs.reasons import SongError
from rasen.stimuli.melodies import melody

RATE = 44100


@pytest.fixture(scope="module")
def music():
    """Half a minute of stereo [2, time]."""
    left, right = (melody(np.random.default_rng(seed), 30, RATE) for seed in (1, 2))
    return np.stack([left, 0.5 * left + 0.5 * right])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.flac", {}),
        ("a.mp3", {}),
        ("a.ogg", {}),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}),
        ("a.aiff", {}),
    ],
)
def test_formats(tmp_path, music, name, options):
    path = tmp_path / name
    sound, rate = (music, RATE) if "opus" not in name else (music[:, : 48000 * 10], 48000)
    soundfile.write(path, sound.T, rate, **options)
    read, found = recording.read_recording(path)
    assert (read.shape[0], found, read.dtype) == (2, rate, np.float32)
    assert abs(read.shape[1] - sound.shape[1]) < 0.1 * rate
    assert recording.header_seconds(path) == pytest.approx(sound.shape[1] / rate, abs=0.1)


def test_mono_and_8_khz_become_what_a_stage_wants(tmp_path, music):
    path = tmp_path / "phone.wav"
    soundfile.write(path, music[0, ::4][: 8000 * 5], 8000)
    sound, rate = recording.read_recording(path)
    stereo = recording.to_stereo(sound, rate, 48000)
    assert stereo.shape == (2, 48000 * 5)
    assert (stereo[0] == stereo[1]).all()
    assert recording.to_mono(sound, rate, 24000).shape == (24000 * 5,)


def refused(path):
    with pytest.raises(SongError) as caught:
        recording.read_recording(path)
    return caught.value.reason


def test_each_bad_recording_has_its_reason(tmp_path, music):
    bad = {
        "unreadable": lambda path: path.write_bytes(b"\xff\xfb\x90no mp3 at all" * 99),
        "silent": lambda path: soundfile.write(path, np.zeros((RATE, 2)), RATE),
        "not_finite": lambda path: soundfile.write(
            path, np.where(np.arange(RATE) == 9, np.nan, 0.1), RATE, "FLOAT"
        ),
        "missing": lambda path: None,
    }
    for reason, make in bad.items():
        path = tmp_path / (reason + (".mp3" if reason == "unreadable" else ".wav"))
        make(path)
        assert refused(path) == reason
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    assert refused(empty) == "unreadable"
    for name in ("cut.flac", "cut.mp3", "cut.wav"):
        path = tmp_path / name
        soundfile.write(path, music.T, RATE)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
        assert refused(path) == "unreadable", name


def test_a_wav_that_was_streamed_has_no_size(tmp_path, music):
    path = tmp_path / "streamed.wav"
    soundfile.write(path, music.T, RATE)
    whole = path.read_bytes()
    for told in (0, 0xFFFFFFFF, 0x7FFFF024):
        path.write_bytes(whole[:4] + told.to_bytes(4, "little") + whole[8:])
        assert recording.read_recording(path)[0].shape == music.shape


def test_a_recording_that_goes_away_later_is_no_songs_fault(tmp_path):
    with pytest.raises(RasenError, match="existed when it was measured and does not now") as caught:
        recording.reread_recording(tmp_path / "gone.wav")
    assert not isinstance(caught.value, SongError)


def test_without_ffmpeg_its_formats_are_told(tmp_path, monkeypatch):
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " * 100)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused(path) == "no_ffmpeg"


def test_level_clipping_and_silence(music):
    sound = np.concatenate([music / np.abs(music).max(), np.zeros_like(music)], axis=1)
    found = audio_measures.measure_sound(sound, RATE)
    assert found["seconds"] == pytest.approx(60)
    assert found["silence"] == pytest.approx(0.5, abs=0.02)
    assert found["clipping"] == 0  # a single sample at full scale is a peak, not clipping
    loud = audio_measures.measure_sound(np.clip(4 * sound, -1, 1), RATE)
    assert loud["clipping"] > 0.05
    held = np.zeros((1, 1000), np.float32)
    held[0, 10:13], held[0, 50:52] = 1, -1
    assert audio_measures.measure_sound(held, 1000)["clipping"] == pytest.approx(0.003)


def test_the_same_recording_is_known_again(tmp_path, music):
    sounds = {"first": (music, RATE)}
    for seed in range(3, 8):
        sounds[f"other{seed}"] = (melody(np.random.default_rng(seed), 30, RATE)[None], RATE)
    soundfile.write(tmp_path / "a.mp3", music.T, RATE)
    sounds["mp3"] = recording.read_recording(tmp_path / "a.mp3")
    sounds["phone"] = (recording.to_mono(0.2 * music[:, 3 * RATE + 777 :], RATE, 8000)[None], 8000)
    noise = np.random.default_rng(0).normal(0, 0.01, music.shape).astype(np.float32)
    sounds["noisy"] = (music + noise, RATE)
    sounds["short"] = (music[:, :1000], RATE)
    prints = {name: audio_measures.fingerprint(*sound) for name, sound in sounds.items()}
    assert duplicates.find_duplicates(prints) == dict.fromkeys(("mp3", "phone", "noisy"), "first")


def test_chance_makes_no_duplicates():
    rng = np.random.default_rng(0)
    prints = {i: rng.integers(0, 2**32, 3000, dtype=np.uint32) for i in range(300)}
    prints |= {f"silent{i}": np.zeros(3000, np.uint32) for i in range(80)}
    assert duplicates.find_duplicates(prints) == {}


@pytest.fixture(scope="module")
def tonal():
    """{song: print} of 500 songs of four minutes, pieced together from what melodies hold (so all
    have words of others, many twice), then every 50th again with 5 % of its bits wrong and its
    beginning cut."""
    rng = np.random.default_rng(0)
    pool = [audio_measures.fingerprint(melody(rng, 60, 16000)[None], 16000) for _ in range(8)]
    pool.append(np.zeros(900, np.uint32))  # silence
    prints = {}
    for number in range(500):
        pieces = [
            pool[rng.integers(len(pool))][rng.integers(800) :][: rng.integers(5, 60)]
            for _ in range(150)
        ]
        words = np.concatenate(pieces)[:3700]
        for _ in range(2):
            some = rng.random(len(words)) < 0.33
            words[some] ^= np.uint32(1) << rng.integers(0, 32, some.sum()).astype(np.uint32)
        prints[number] = words
    for number in range(0, 500, 50):
        wrong = rng.random((len(prints[number]), 32)) < 0.05
        noise = np.packbits(wrong, axis=1).view(np.uint32).ravel()
        prints[f"copy of {number}"] = (prints[number] ^ noise)[int(rng.integers(200)) :]
    return prints


COPIES = {f"copy of {number}": number for number in range(0, 500, 50)}


def test_copies_are_found_among_many_songs_in_little_memory_and_time(tonal):
    """Measured: 50 MB, 0.3 s. Ten thousand take some seconds and less than 1 GB."""
    start = time.process_time()
    tracemalloc.start()
    found = duplicates.find_duplicates(tonal)
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == COPIES
    assert memory < 150e6
    assert time.process_time() - start < 5


def test_votes_are_counted_in_parts_as_in_one(tonal, monkeypatch):
    whole = list(duplicates._candidates(list(tonal.values())))
    monkeypatch.setattr(duplicates, "MATCHES", 30000)
    assert list(duplicates._candidates(list(tonal.values()))) == whole
    assert duplicates.find_duplicates(tonal) == COPIES


def test_the_first_and_the_last_song_may_be_alike():
    rng = np.random.default_rng(0)
    prints = {i: rng.integers(0, 2**32, 100, dtype=np.uint32) for i in range(5)}
    prints["none"] = np.zeros(0, np.uint32)
    prints["last"] = prints[0]
    prints["later"] = np.concatenate([prints["none"], prints[3][:9], prints[1]])
    assert duplicates.find_duplicates(prints) == {"last": 0, "later": 1}
    assert duplicates.find_duplicates({}) == {}
    assert duplicates.find_duplicates({"none": prints["none"]}) == {}


def test_a_sheet_is_read_with_paths_from_its_folder(tmp_path):
    sheet = tmp_path / "songs.tsv"
    sheet.write_text("song\taudio\tlyrics\na\t../x/a.mp3\ta.txt\nb\tb.wav\t\n")
    table = corpus.read_song_sheet(sheet)
    assert list(table) == list(corpus.COLUMNS)
    assert table["audio"].tolist() == [str(tmp_path.parent / "x/a.mp3"), str(tmp_path / "b.wav")]
    assert table["lyrics"].tolist() == [str(tmp_path / "a.txt"), ""]
    assert table["artist"].tolist() == ["a", "b"]  # nobody named: each its own
    parts = corpus.song_batches({"sheet": str(sheet), "batch": 1})
    assert {name: rows["song"].tolist() for name, rows in parts.items()} == {
        "00000": ["a"], "00001": ["b"],
    }  # fmt: skip
    with pytest.raises(RasenError, match=r"songs.sheet: .*none.tsv does not exist; correct"):
        corpus.song_batches({"sheet": str(tmp_path / "none.tsv"), "batch": 1})
    assert corpus.song_batches(None) == {}
    sheet.write_text("song\taudio\tlyrics\na\ta.mp3\tasr\nb\tasr\tx/asr\n")
    table = corpus.read_song_sheet(sheet)
    assert table["lyrics"].tolist() == [corpus.TRANSCRIBE, str(tmp_path / "x/asr")]
    assert table["audio"][1] == str(tmp_path / "asr")


def test_languages_are_normalised(tmp_path):
    sheet = tmp_path / "songs.tsv"
    names = ["EN", "en-US", "English", "zh_CN", "jp", "ja", "", "fr", "Chinese"]
    rows = "".join(f"s{i}\ta.wav\t{name}\n" for i, name in enumerate(names))
    sheet.write_text(f"song\taudio\tlanguage\n{rows}")
    found = corpus.read_song_sheet(sheet)["language"].tolist()
    assert found == ["en", "en", "en", "zh", "ja", "ja", "", "fr", "zh"]
    sheet.write_text("song\taudio\tlanguage\na\ta.wav\tenglisch?\n")
    with pytest.raises(RasenError, match=r"line 2: 'englisch\?' is no language; write en, ja, zh"):
        corpus.read_song_sheet(sheet)


def test_an_accompaniment_alone_is_a_mistake(tmp_path):
    sheet = tmp_path / "songs.tsv"
    sheet.write_text("song\taudio\tvocals\taccompaniment\na\ta.wav\tv.wav\tb.wav\n")
    table = corpus.read_song_sheet(sheet)
    assert table["accompaniment"].tolist() == [str(tmp_path / "b.wav")]
    sheet.write_text("song\taudio\taccompaniment\na\ta.wav\tb.wav\n")
    with pytest.raises(RasenError, match="song 'a' has an accompaniment without vocals"):
        corpus.read_song_sheet(sheet)


def test_given_stems(tmp_path, music):
    """At any rate, mono or stereo, a little too short: they become as long as the mix."""
    voice, rest = tmp_path / "voice.wav", tmp_path / "rest.flac"
    soundfile.write(voice, 0.4 * music.T, RATE)
    soundfile.write(rest, 0.6 * music.T, RATE)
    vocals, band, rate = stems.given_stems(voice, "", music, RATE)
    assert rate == RATE
    assert np.abs(vocals + band - music).max() < 1e-6
    again = stems.given_stems(voice, rest, music, RATE)[1]
    assert np.abs(again - band).max() < 1e-4
    short = recording.to_mono(music, RATE, 32000)[: -32000 // 5]
    soundfile.write(voice, short, 32000)
    vocals, band, rate = stems.given_stems(voice, "", music, RATE)
    assert rate == 32000
    assert vocals.shape == band.shape == (2, 30 * 32000)
    assert not vocals[:, -32000 // 5 :].any()
    soundfile.write(voice, short[:32000], 32000)
    for path, told in ((voice, "1.0 s long, the mix 30.0 s"), (tmp_path / "x.wav", "no such file")):
        with pytest.raises(SongError, match=told) as caught:
            stems.given_stems(path, "", music, RATE)
        assert caught.value.reason == "stems"


def test_names_of_digits_stay_as_they_are(tmp_path):
    sheet = tmp_path / "songs.tsv"
    sheet.write_text("song\taudio\tartist\n0001\ta.wav\t007\n1.10\tb.wav\t7\n")
    table = corpus.read_song_sheet(sheet)
    assert table["song"].tolist() == ["0001", "1.10"]
    assert table["artist"].tolist() == ["007", "7"]


def test_every_mistake_in_a_sheet_is_told(tmp_path):
    sheet = tmp_path / "songs.tsv"
    sheet.write_text("song\taudio\n../a\tx.wav\nb\t\nC\tx.wav\nc\tx.wav\n")
    with pytest.raises(RasenError) as caught:
        corpus.read_song_sheet(sheet)
    for part in ("'../a': a name may hold", "song 'b' has no audio", "song 'c' occurs twice"):
        assert part in str(caught.value)
    sheet.write_text("song\taudio\tlyrcs\na\tx{1}.wav\tb\n" + "a" * 201 + "\ty.wav\tb\n")
    with pytest.raises(RasenError) as caught:
        corpus.read_song_sheet(sheet)
    for part in (
        "`lyrcs`: did you mean `lyrics`?",
        "'x{1}.wav': a path may hold no",
        "(200)",
    ):
        assert part in str(caught.value)
    sheet.write_text("name\tfile\na\tb\n")
    with pytest.raises(RasenError, match="has no column song, audio"):
        corpus.read_song_sheet(sheet)


def corpus_of(outcomes):
    """The table of recordings: {song: "ok" or the reason why it fell out}, ten minutes each."""
    return pd.DataFrame(
        {
            "song": list(outcomes),
            "audio": [f"{song}.wav" for song in outcomes],
            "seconds": 600.0,
            "outcome": ["ok" if word == "ok" else "out" for word in outcomes.values()],
            "reason": ["" if word == "ok" else word for word in outcomes.values()],
        }
    )


def test_a_codebook_hears_all_of_the_corpus_evenly_and_holds_songs_out():
    songs = corpus_of({f"s{i}": "ok" for i in range(40)} | {"bad": "silent"})
    cuts = sample.sample_windows(songs, frames=25 * 30 * 200, window=30, seed=0)
    assert len(cuts) == 200
    assert not cuts.duplicated(["song", "start"]).any()
    assert set(cuts["song"]) <= set(songs["song"]) - {"bad"}
    assert cuts["song"].nunique() > 35
    apart = cuts.groupby("song")["held_out"].nunique()
    assert (apart == 1).all()
    assert 0.02 < cuts["held_out"].mean() < 0.25
    again = sample.sample_windows(songs, frames=25 * 30 * 200, window=30, seed=0)
    assert again.equals(cuts)
    few = sample.sample_windows(songs, frames=100, window=30, seed=1)  # still both kinds
    assert few["held_out"].nunique() == 2


def test_too_small_a_corpus_says_what_its_recordings_lack():
    songs = corpus_of({"a": "missing", "b": "missing", "c": "ok", "d": "silent"})
    with pytest.raises(RasenError, match=r"of 4 there are 1 \(missing 2, silent 1; "):
        sample.sample_windows(songs, 1000, 30, 0)


def test_limits_of_a_recordings_length():
    limits = recording.RecordingLimits(shortest=10, longest=600)
    limits.check(10)
    limits.check(600)
    for seconds, reason in ((9.99, "too_short"), (601, "too_long")):
        with pytest.raises(SongError) as caught:
            limits.check(seconds)
        assert caught.value.reason == reason
    for shortest, longest in ((600, 10), (0, 10)):
        with pytest.raises(RasenError, match=r"songs\.shortest is .* no song lies between"):
            recording.RecordingLimits(shortest, longest)


def test_the_disk_of_a_corpus_is_told(tmp_path, monkeypatch):
    """200 songs of a minute, every second one there: 3.3 hours."""
    settings = {"separate": {"format": "wav"}, "latents": {"dtype": "float16", "mono": False}}
    soundfile.write(tmp_path / "a.flac", np.zeros(8000 * 60), 8000)
    audio = [str(tmp_path / name) for name in ("a.flac", "none.flac")] * 100
    monkeypatch.setattr(
        disk.shutil, "disk_usage", lambda _: disk.shutil._ntuple_diskusage(0, 0, 9e9)
    )
    line = disk.needed_disk(audio, settings)
    assert line.startswith("songs: 200 recordings, about 3.33 hours, need about 8.63 GB")
    assert "9 GB are free" in line
    assert "TOO LITTLE" not in line
    monkeypatch.setattr(
        disk.shutil, "disk_usage", lambda _: disk.shutil._ntuple_diskusage(0, 0, 8e9)
    )
    assert "TOO LITTLE" in disk.needed_disk(audio, settings)
    assert disk.needed_disk(["none.flac"], settings) == ""
