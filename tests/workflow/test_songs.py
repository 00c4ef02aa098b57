"""The songs through the real workflow: the demo, every kind of bad input, growth of a corpus."""

import io
import json
import resource
import tarfile

import numpy as np
import pandas as pd
import pytest
import soundfile
from described import undescribed
from song_study import FIXTURES, new_study, songs_alone
from study import ROOT

from rasen.io import hdf5, parquet
from rasen.songs import dataset, recording
from rasen.songs.demo import compose
from rasen.songs.reasons import REASONS

HELD_OUT = ROOT / "tests/songs/held_out"
STAGES = {
    "measure_recordings", "separate_stems", "align_lyrics", "tag_structure", "write_phonemes",
    "encode_sketch", "encode_latents", "describe_music", "write_shard",
}  # fmt: skip


def write_sheet(study, rows):
    """Write config/songs.tsv: rows of (song, audio, lyrics, language, artist)."""
    lines = ["song\taudio\tlyrics\tlanguage\tartist", *("\t".join(row) for row in rows)]
    (study.folder / "config/songs.tsv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A batch with two good songs and every kind of bad one, run once: (study, output)."""
    study = new_study(tmp_path_factory.mktemp("songs") / "a corpus")
    audio = study.folder / "audio"
    audio.mkdir()
    _, vocals, band = compose.fixture_song(FIXTURES, "river", 0)
    mix, rate = vocals + band, compose.RATE

    def put(name, sound, rate, **options):
        soundfile.write(audio / name, sound.T, rate, **options)
        return f"../audio/{name}"

    lyrics = {name: f"../resources/songs/lyrics/{name}.txt" for name in ("river", "tsuki", "yue")}
    (study.folder / "config/latin1.txt").write_bytes("caf\xe9".encode("latin-1"))
    river = put("river.flac", mix, rate)
    other = compose.fixture_song(FIXTURES, "river", 5)[
        2
    ]  # another accompaniment: another recording
    whole = (audio / "river.flac").read_bytes()
    (audio / "corrupt.mp3").write_bytes(bytes(range(256)) * 64)
    (audio / "cut.flac").write_bytes(whole[: len(whole) // 3])
    held_out = {}
    for end, seed in (("txt", 7), ("lrc", 8)):
        _, voice, music = compose.fixture_song(HELD_OUT, "lantern", seed)
        held_out[end] = put(f"lantern_{end}.flac", voice + music, rate)
    another = vocals + compose.fixture_song(FIXTURES, "river", 6)[2]
    demo = "../resources/datasets/demo-songs"
    rows = [
        ("river", river, lyrics["river"], "en", "The Fixtures"),
        ("tsuki", f"{demo}/tsuki.flac", lyrics["tsuki"], "", "Tsukimi"),
        ("lantern", held_out["txt"], str(HELD_OUT / "lyrics/lantern.txt"), "en", ""),
        ("lantern_lrc", held_out["lrc"], str(HELD_OUT / "lyrics/lantern.lrc"), "", ""),
        ("heard", put("heard.flac", another[:, :-1], rate), "asr", "en", ""),
        ("no_lyrics", river, "", "en", ""),
        ("lost_lyrics", river, "nowhere.txt", "en", ""),
        ("latin1_lyrics", river, "latin1.txt", "en", ""),
        ("instrumental", put("band.flac", band, rate), lyrics["river"], "en", ""),
        ("second", put("second.wav", mix[:, :rate], rate), lyrics["river"], "en", ""),
        ("hours", put("hours.flac", np.zeros((1, 8000 * 7200), np.int16), 8000), "", "", ""),
        ("corrupt", "../audio/corrupt.mp3", lyrics["river"], "en", ""),
        ("cut", "../audio/cut.flac", lyrics["river"], "en", ""),
        ("missing", "../audio/none.wav", lyrics["river"], "en", ""),
        ("silent", put("silent.wav", np.zeros((2, rate * 20)), rate), lyrics["river"], "en", ""),
        ("zh_lyrics", put("other.flac", vocals + other, rate), lyrics["yue"], "zh", ""),
        ("strange", put("other2.flac", 0.9 * vocals + other, rate), lyrics["yue"], "en", ""),
        ("phone", put("phone.wav", recording.to_mono(mix, rate, 8000)[None], 8000), lyrics["river"],
         "en", ""),
        ("clipped", put("loud.wav", np.clip(9 * (vocals + other), -1, 1), rate), lyrics["river"],
         "en", ""),
        ("copy", put("copy.mp3", 0.7 * mix[:, rate // 3 :], rate), lyrics["river"], "en", ""),
    ]  # fmt: skip
    write_sheet(study, rows)
    return study, study.snakemake("songs")


@pytest.fixture
def quarantine(corpus):
    return parquet.read_table(corpus[0].folder / "results/tables/quarantine.parquet").set_index(
        "song"
    )


def test_good_songs_are_in_the_data(corpus):
    songs = parquet.read_table(corpus[0].folder / "results/tables/songs.parquet").set_index("song")
    assert {"river", "tsuki"} <= set(songs.index)
    assert songs.loc["tsuki", "language"] == "ja"  # the sheet did not say
    assert songs.loc["river", "match_ratio"] > 0.9
    assert (songs["frames"] % 16 == 0).all()
    assert (songs["frames"] / 25 - songs["seconds"]).between(0, 0.64).all()


def test_a_song_that_no_model_knows_passes(corpus):
    """By the config alone, with and without LRC: each word where it is sung."""
    songs = parquet.read_table(corpus[0].folder / "results/tables/songs.parquet").set_index("song")
    words = parquet.read_table(corpus[0].folder / "results/tables/words.parquet")
    truth = json.loads((HELD_OUT / "truth/lantern.json").read_text(encoding="utf-8"))
    true = [word for line in truth["lines"] for word in line["words"]]
    for song, way in (("lantern", "turns"), ("lantern_lrc", "lrc")):
        assert songs.loc[song, ["way", "lyrics", "match_ratio"]].tolist() == [way, "given", 1]
        found = words[words["song"] == song]
        assert found["word"].tolist() == [word["word"] for word in true]
        off = np.abs(found["start"] - [word["start"] for word in true])
        assert off.mean() <= 0.080


def test_a_song_without_lyrics_is_transcribed_and_marked(corpus):
    folder = corpus[0].folder / "results"
    songs = parquet.read_table(folder / "tables/songs.parquet").set_index("song")
    assert songs.loc["heard", ["lyrics", "way"]].tolist() == ["asr", "recognised"]
    assert json.loads((folder / "songs/heard/alignment.json").read_text())["lyrics"] == "asr"
    ledger = parquet.read_table(folder / "batches/align_lyrics/00000.parquet").set_index("song")
    assert ledger.loc["heard", "lyrics"] == "asr"
    words = parquet.read_table(folder / "tables/words.parquet")
    truth = json.loads((FIXTURES / "truth/river.json").read_text(encoding="utf-8"))
    true = [word["word"] for line in truth["lines"] for word in line["words"]]
    assert words[words["song"] == "heard"]["word"].tolist() == true


@pytest.mark.parametrize(
    ("song", "stage", "reasons"),
    [
        ("no_lyrics", "align_lyrics", {"no_lyrics"}),
        ("lost_lyrics", "align_lyrics", {"lyrics_unreadable"}),
        ("latin1_lyrics", "align_lyrics", {"lyrics_unreadable"}),
        ("instrumental", "align_lyrics", {"no_vocals", "lyrics_mismatch"}),
        ("second", "measure_recordings", {"too_short"}),
        ("hours", "measure_recordings", {"too_long"}),
        ("corrupt", "measure_recordings", {"unreadable"}),
        ("cut", "measure_recordings", {"unreadable"}),
        ("missing", "measure_recordings", {"missing"}),
        ("silent", "measure_recordings", {"silent"}),
        ("zh_lyrics", "align_lyrics", {"wrong_language", "lyrics_mismatch", "no_vocals"}),
        ("strange", "align_lyrics", {"lyrics_mismatch", "no_vocals"}),
        ("clipped", "index_songs", {"clipping"}),
        ("copy", "index_songs", {"duplicate"}),
        ("phone", "index_songs", {"duplicate"}),
    ],
)
def test_each_bad_song_has_its_documented_outcome(quarantine, song, stage, reasons):
    row = quarantine.loc[song]
    assert row["stage"] == stage, row["detail"]
    assert row["reason"] in reasons, row["detail"]
    assert row["cure"] == REASONS[row["reason"]][1]
    assert row["detail"]


def test_every_song_is_in_one_of_the_two_tables(corpus, quarantine):
    sheet = (corpus[0].folder / "config/songs.tsv").read_text().splitlines()[1:]
    songs = parquet.read_table(corpus[0].folder / "results/tables/songs.parquet")
    assert {line.split("\t")[0] for line in sheet} == set(songs["song"]) ^ set(quarantine.index)


def test_a_song_has_its_files(corpus):
    home = corpus[0].folder / "results/songs/river"
    expected = {
        "vocals.flac", "accompaniment.flac", "alignment.json", "structure.tsv", "structure.json",
        "phonemes.json", "sketch.npy", "latents.npy", "fingerprint.npy",
    }  # fmt: skip
    assert {p.name for p in home.iterdir() if not p.name.startswith(".")} == expected
    sketch, latents = np.load(home / "sketch.npy"), np.load(home / "latents.npy")
    assert (sketch.shape, latents.shape) == ((len(sketch),), (len(sketch), 128))
    vocals, _rate = soundfile.read(home / "vocals.flac", always_2d=True)
    rest, _ = soundfile.read(home / "accompaniment.flac", always_2d=True)
    mix, _ = soundfile.read(corpus[0].folder / "audio/river.flac", always_2d=True)
    gain = json.loads((home / ".separate_stems.json").read_text())["gain"]
    assert np.abs((vocals + rest) / gain - mix).max() < 1e-6


def test_training_reads_the_windows_with_their_words(corpus):
    index = corpus[0].folder / "results/tables/songs.parquet"
    songs = parquet.read_table(index)
    for split in songs["split"].unique():
        windows = dataset.Windows(index, split, seconds=20)
        for place in range(len(windows)):
            window = windows[place]
            assert len(window["sketch"]) == len(window["mean"]) <= 496
            assert len(window["sketch"]) % 16 == 0
            assert len(window["ids"]) == len(window["tokens"]) > 0
            assert any(token.startswith("[") for token in window["tokens"])


def test_nothing_is_left_to_do_and_nothing_half_written(corpus):
    study, _ = corpus
    assert study.planned("songs") == {}
    assert not list(study.folder.rglob("*.partial"))
    for shard in (study.folder / "results/shards").glob("*.h5"):
        hdf5.verify(shard)
    assert not undescribed(study.folder / "results")


def test_a_filter_reruns_the_index_alone(corpus):
    study, _ = corpus
    back = study.edit(lambda config: config["songs"].update(filters={"match": 0.99}))
    assert study.planned("songs") == {
        "index_songs": 1,
        "plot_songs": 1,
        "write_songs_card": 1,
    }
    back()


def test_a_corpus_shows_where_it_stands(corpus):
    study, output = corpus
    assert "songs: 20 recordings, about" in output  # the disk it needs, told before it starts
    shown = study.snakemake("songs_status")
    row = next(line for line in shown.splitlines() if line.startswith("measure_recordings"))
    assert row.split()[1:5] == ["20", "14", "6", "0"]
    assert "lyrics_unreadable" in shown
    assert (study.folder / "results/figures/songs_status.svg").is_file()


def test_songs_at_once_rerun_nothing(corpus):
    study, _ = corpus
    back = study.edit(
        lambda c: [c["songs"][part].update(batch=3) for part in ("sketch", "latents")]
    )
    assert study.planned("songs") == {}
    back()
    back = study.edit(lambda config: config["songs"]["sketch"].update(precision="bf16"))
    assert "train_codebook" not in study.planned("songs")
    assert "encode_sketch" in study.planned("songs")
    back()


def test_settings_of_a_stage_rerun_what_rests_on_it(corpus):
    study, _ = corpus
    back = study.edit(lambda config: config["songs"]["latents"].update(dtype="float32"))
    last = {"write_shard": 1, "index_songs": 1, "plot_songs": 1, "write_songs_card": 1}
    assert study.planned("songs") == {"encode_latents": 1} | last
    back()
    back = study.edit(lambda config: config["songs"]["latents"].update(mono=True))
    assert study.planned("songs") == {"encode_latents": 1} | last
    back()
    back = study.edit(lambda config: config["songs"]["structure"].update(backend="given"))
    sections = {"tag_structure": 1, "write_phonemes": 1, "gather_sections": 1}
    assert study.planned("songs") == sections | last
    back()


def test_a_corpus_grows_without_doing_anything_twice(corpus):
    """A song more in the batch: only it is worked on; the codebook stays."""
    study, _ = corpus
    sheet = study.folder / "config/songs.tsv"
    before = sheet.read_text()
    demo = "../resources/datasets/demo-songs/broken.flac"
    codebook = (study.folder / "results/sketch/codebook.safetensors").read_bytes()
    vocals = (study.folder / "results/songs/river/vocals.flac").stat().st_mtime_ns
    sheet.write_text(before + f"yue\t{demo}\t../resources/songs/lyrics/yue.txt\tzh\t\n")
    jobs = study.planned("songs")
    assert "train_codebook" not in jobs
    assert set(jobs) - {"gather_recordings"} == STAGES | {
        "index_songs",
        "plot_songs",
        "write_songs_card",
        "gather_sections",
        "measure_peaks",
    }
    output = study.snakemake("songs")
    assert "train_codebook" not in output
    assert (study.folder / "results/sketch/codebook.safetensors").read_bytes() == codebook
    assert (study.folder / "results/songs/river/vocals.flac").stat().st_mtime_ns == vocals
    log = (study.folder / "logs/measure_recordings/00000.log").read_text()
    assert [line.split(":")[0] for line in log.splitlines()] == ["yue"]
    out = parquet.read_table(study.folder / "results/tables/quarantine.parquet").set_index("song")
    assert out.loc["yue", "reason"] == "unreadable"


def test_songs_can_be_exported_for_object_stores(corpus):
    study, _ = corpus
    study.snakemake("results/export/songs/00000")
    names = []
    for path in (study.folder / "results/export/songs/00000").glob("*.tar"):
        with tarfile.open(path) as tar:
            names += tar.getnames()
            sketch = next(name for name in tar.getnames() if name.endswith(".sketch.npy"))
            assert np.load(io.BytesIO(tar.extractfile(sketch).read())).dtype == np.uint16
    assert {"river.json", "tsuki.mean.npy"} <= set(names)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A study without models, whose songs' vocals are given: no Demucs either."""
    study = songs_alone(tmp_path_factory.mktemp("alone") / "songs alone")
    study.snakemake("songs")
    return study


def test_a_study_may_hold_songs_alone_with_vocals_of_its_own(alone):
    songs = parquet.read_table(alone.folder / "results/tables/songs.parquet")
    assert songs[["song", "language", "way"]].values.tolist() == [
        ["river", "en", "recognised"],
        ["band", "", "none"],
    ]
    home = alone.folder / "results/songs/river"
    vocals, rate = soundfile.read(home / "vocals.flac", always_2d=True)
    given, _ = soundfile.read(alone.folder / "audio/voice.wav")
    gain = json.loads((home / ".separate_stems.json").read_text())["gain"]
    assert rate == compose.RATE
    assert np.abs(vocals - gain * given[:, None]).max() < 1e-4
    out = parquet.read_table(alone.folder / "results/tables/quarantine.parquet").set_index("song")
    assert out["reason"].to_dict() == {"bare": "stems", "lost": "stems"}
    assert out.loc["bare", "detail"] == "no vocals are given, and `songs.separate.model` is null"
    assert "none.wav: no such file" in out.loc["lost", "detail"]
    assert alone.planned("songs") == {}


def test_an_instrumental_is_kept_with_flags_alone(alone):
    home = alone.folder / "results/songs/band"
    assert not list(home.glob("vocals.*"))  # nothing was separated
    sections = pd.read_csv(home / "structure.tsv", sep="\t")
    assert set(sections["label"]) == {"inst"}
    windows = dataset.Windows(alone.folder / "results/tables/songs.parquet", seconds=60)
    tokens = {w["song"]: w["tokens"] for w in (windows[i] for i in range(len(windows)))}
    assert tokens["band"] == ["[inst]"] * 48
    assert "[verse]" in tokens["river"]


def test_the_card_tells_hours_licences_sections_weights_and_what_is_not_known(alone):
    card = (alone.folder / "results/tables/songs.md").read_text()
    for line in (
        "2 songs by 2 artists, 0.03 hours. 2 songs were rejected.",
        "| en | 0.01 | 0.01 |",
        "| none (instrumental) | 0.01 | 0.01 |",
        "| not stated | 0.03 |",
        "| given | recognised | 1 | 0.01 |",
        "| none | none | 1 | 0.01 |",
        "| separate_stems | stems | 2 |",
        "- Licences: 2 of 2 songs have none stated.",
        "- 2 songs have no artist, so each counts as an artist of its own.",
        "beats per minute, estimated",
    ):
        assert line in card, card
    assert "| songs.sketch.model | resources/models/demo-muq | " in card
    assert "songs.separate.model" not in card  # there is none


def test_the_example_of_the_readme_is_a_whole_config(tmp_path):
    """Of a study of songs alone: nothing else is needed but the sheet."""
    study = new_study(tmp_path / "example")
    text = (ROOT / "config/README.md").read_text().split("## Songs")[1]
    example = text.split("```yaml")[1].split("```")[0]
    (study.folder / "config/config.yaml").write_text(example)
    jobs = study.planned("songs")
    assert set(jobs) - {"fetch_weights", "make_demo_songs"} >= STAGES | {"index_songs"}
    assert study.planned() == {"write_readme": 1}  # no models: no analyses of models
    (study.folder / "config/config.yaml").write_text("seed: 0\n")
    output = study.snakemake("--dry-run", ok=False)
    assert "models: none; name a model to measure, or a sheet of songs in `songs`" in output


def test_a_given_stem_that_changes_is_read_again(alone):
    path = alone.folder / "audio/voice.wav"
    before = path.read_bytes()
    voice, rate = soundfile.read(path)
    soundfile.write(path, 0.5 * voice, rate)
    assert alone.planned("songs")["separate_stems"] == 1
    path.write_bytes(before)


def test_ten_thousand_songs_are_planned(tmp_path):
    """All stages of all 625 batches in one dry run. Processor time."""
    study = new_study(tmp_path / "large")
    study.edit(lambda config: config["songs"].update(batch=16))
    lyrics = "../resources/songs/lyrics/river.txt"
    write_sheet(study, [(f"s{i}", f"../audio/{i}.mp3", lyrics, "en", "") for i in range(10_000)])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    jobs = study.planned("songs")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert {stage: jobs[stage] for stage in STAGES} == dict.fromkeys(STAGES, 625)
    assert jobs["index_songs"] == jobs["train_codebook"] == 1
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 20


def test_songs_with_times_are_planned_without_whisper(tmp_path):
    """Its weights are fetched when the first batch needs them, and no earlier."""
    study = new_study(tmp_path / "times")
    study.edit(lambda config: config["songs"]["align"].pop("whisper"))
    lrc = [(f"s{i}", f"../audio/{i}.mp3", "river.lrc", "en", "") for i in range(40)]
    write_sheet(study, lrc)
    assert "fetch_weights" not in study.planned("songs")
    write_sheet(study, [*lrc, ("text", "../audio/x.mp3", "river.txt", "en", "")])
    assert study.planned("songs")["fetch_weights"] == 1
    study.edit(lambda config: config["songs"]["align"].update(whisper=None))
    assert "fetch_weights" not in study.planned("songs")


def test_mistakes_are_told_before_any_job(tmp_path):
    study = new_study(tmp_path / "wrong")
    study.edit(lambda config: config["songs"]["separate"].update(model="/nowhere/at/all/x"))
    output = study.snakemake("songs", ok=False)
    assert "songs.separate.model: /nowhere/at/all/x does not exist" in output
    write_sheet(study, [("../out", "x.wav", "", "en", "")])
    output = study.snakemake("songs", ok=False)
    assert "song '../out': a name may hold letters, digits and _ . - only" in output
    assert "Traceback" not in output
    (study.folder / "config/songs.tsv").unlink()
    output = study.snakemake("songs", ok=False)
    assert "songs.sheet: config/songs.tsv does not exist; correct the path" in output
