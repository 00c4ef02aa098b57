"""Features, songs and training runs as data of the page, from tables."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from made_media import (
    HOSTILE,
    POINTS,
    feature_tables,
    song_tables,
    songbloom_tables,
    write_results,
)
from write_explorer import PAGE

from rasen.explorer import features, media, songbloom, songs, sounds
from rasen.explorer.contract import check_part, read_contract
from rasen.explorer.folder import name_of, write_folder
from rasen.explorer.subjects import absent_subjects
from rasen.io import parquet
from rasen.scores.paper import PAPER
from rasen.study.shared_files import group_of

CONTRACT = read_contract(PAGE)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Paths are relative to the working directory, as in a run."""
    monkeypatch.chdir(tmp_path)


def data(make, tables):
    """{name: [parts]} of tables, each checked."""
    paths = write_results(Path(), tables)
    named = {name_of(path, Path("results")): path for path in paths}
    found = {}
    for part in make(named, CONTRACT):
        check_part(CONTRACT, part)
        found.setdefault(part.name, []).append(part)
    return found


def column(part, name):
    return part.columns[name].tolist()


# features


def test_features_have_their_partners_before_and_after():
    parts = data(features.parts, feature_tables())
    first, middle, last = parts["features"]
    assert [part.of["point"] for part in parts["features"]] == list(POINTS)
    assert (middle.values["earlier"], middle.values["later"]) == (POINTS[0], POINTS[2])
    assert column(middle, "earlier") == [-1, *range(39)]
    assert column(middle, "later") == [*range(1, 40), -1]
    assert column(middle, "earlier_overlap")[1:] == [0.5] * 39
    assert first.values["earlier"] == last.values["later"] == ""
    assert set(column(first, "earlier")) == set(column(last, "later")) == {-1}


def test_matches_of_other_seeds_are_no_partners():
    tables = feature_tables()
    matches = tables["sae/nano/matches/layer-04"]
    other = matches.assign(from_seed=1, to_seed=1, after=7)
    between = matches.assign(to_seed=1, to_point=matches["from_point"], after=9)
    dead = matches.assign(fate="death", before=39, after=-1).iloc[:1]
    tables["sae/nano/matches/layer-04"] = pd.concat([other, matches, between, dead])
    middle = data(features.parts, tables)["features"][1]
    assert column(middle, "later") == [*range(1, 40), -1]


def test_one_point_has_no_partners():
    (part,) = data(features.parts, feature_tables(POINTS[:1]))["features"]
    assert (part.values["earlier"], part.values["later"]) == ("", "")


def test_clips_keep_their_levels_in_parts_that_a_feature_finds(monkeypatch):
    monkeypatch.setattr(features, "IN_PART", 7)
    tables = feature_tables()
    parts = data(features.parts, tables)["feature_clips"]
    listed = tables[f"sae/nano/{POINTS[0]}/layer-04/top_clips"]
    firsts = []
    for part in (one for one in parts if one.of["point"] == POINTS[0]):
        firsts.append(part.of["first"])
        ends = np.cumsum(part.columns["count"])
        for row, end in enumerate(ends):
            where = listed["feature"] == part.columns["feature"][row]
            where &= listed["clip"] == part.columns["clip"][row]
            levels = part.columns["activation"][end - part.columns["count"][row] : end]
            assert levels.tobytes() == listed[where]["activation"].iloc[0]
        counts = pd.Series(part.columns["feature"]).value_counts()
        assert counts.max() == counts.min() == features.CLIPS
        assert len(counts) <= 7
        assert part.columns["feature"].min() == part.of["first"]
    assert firsts == sorted(firsts)
    assert 4 not in np.concatenate([part.columns["feature"] for part in parts])


def test_texts_have_tokens_and_the_words_of_features():
    tables = feature_tables(POINTS[:1], text=True)
    parts = data(features.parts, tables)
    (table,), (clips,) = parts["features"], parts["feature_clips"]
    assert table.values["reads"] == "text"
    assert len(clips.columns["tokens"]) == len(clips.columns["activation"])
    assert HOSTILE in clips.columns["tokens"]
    listed = tables[f"sae/nano/{POINTS[0]}/layer-04/top_clips"]
    rows = listed[listed["feature"] == 7]
    strongest = [tokens[at] for tokens, at in zip(rows["tokens"], rows["frame"], strict=True)]
    shown = table.columns["words"][7].split(" · ")
    assert set(shown) <= set(strongest)
    assert shown[0] in pd.Series(strongest).mode().tolist()
    assert table.columns["words"][4] == ""


def test_labels_that_a_study_lacks_are_empty():
    tables = feature_tables(POINTS[:1])
    names = ["label", "column", "confirmed", "ap", "auroc_hard", "purity", "p_corrected"]
    tables["tables/features"] = tables["tables/features"].drop(columns=names)
    (part,) = data(features.parts, tables)["features"]
    assert set(column(part, "label")) == {""}
    assert not any(column(part, "confirmed"))


def test_features_without_clips_are_listed():
    tables = feature_tables(POINTS[:1])
    name = f"sae/nano/{POINTS[0]}/layer-04/top_clips"
    tables[name] = tables[name].iloc[:0]
    parts = data(features.parts, tables)
    assert "feature_clips" not in parts
    assert parts["features"][0].sizes == {"rows": 40}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("audio/a b#1?.flac", "../../audio/a%20b%231%3F.flac"),
        ("results/songs/x/vocals.flac", "../songs/x/vocals.flac"),
        ("/data/ü/mix.flac", "file:///data/%C3%BC/mix.flac"),
        ("", ""),
    ],
)
def test_addresses_are_of_the_page(path, shown):
    assert sounds.address(path, "results/explorer") == shown


def test_clips_of_recordings_begin_where_the_sheet_says():
    sheet = pd.DataFrame({"clip": ["a", "b"], "kind": "audio", "path": ["x.flac", "y.flac"]})
    sheet = sheet.assign(start=[1.5, np.nan], end=[4.0, np.nan], chord=["C", "F"])
    table = sounds.clip_sounds(sheet, "results/explorer")
    assert table["src"].tolist() == ["../../x.flac", "../../y.flac"]
    assert table["start"].tolist() == [1.5, 0]
    assert table["seconds"][0] == 2.5
    assert table["pitch"].tolist() == [-1, -1]
    assert table["about"].tolist() == ["C", "F"]


# songs


def test_songs_have_waves_sections_words_and_addresses():
    parts = data(songs.parts, song_tables(Path()))
    (table,) = parts["songs"]
    assert column(table, "song") == ["song0", "song1", "song2"]
    assert column(table, "accepted") == [True, True, False]
    assert (
        column(table, "vocals")[2] == "../songs/song2/vocals.flac"
    )  # to be heard, rejected or not
    assert column(table, "mix")[0] == "../../audio/song0%201.flac"
    assert column(table, "accompaniment") == [""] * 3
    assert [part.of["song"] for part in parts["song_wave"]] == ["song0", "song1", "song2"]
    wave = parts["song_wave"][0]
    assert wave.sizes == {"mix": 480, "vocals": 480, "accompaniment": 0, "sections": 3}
    assert column(wave, "section_label") == ["intro", "verse", HOSTILE]
    assert [part.of["song"] for part in parts["song_lyrics"]] == ["song0", "song1"]
    words = parts["song_lyrics"][0]
    assert column(words, "word_line") == [second // 4 for second in range(12)]
    assert column(words, "line_kept") == [True] * 3 + [False]
    (out,) = parts["quarantine"]
    assert column(out, "cure") == ["find the song's own"]


def test_many_songs_are_listed_and_the_first_are_drawn(monkeypatch):
    monkeypatch.setattr(songs, "DRAWN", 2)
    parts = data(songs.parts, song_tables(Path(), songs=5, sound=False))
    assert column(parts["songs"][0], "drawn") == [True, True, False, False, False, False]
    assert len(parts["song_wave"]) == len(parts["song_lyrics"]) == 2


def test_songs_without_waves_and_words_are_listed():
    tables = song_tables(Path(), sound=False)
    for name in ("batches/measure_peaks/00000", "tables/lines", "tables/words"):
        del tables[name]
    parts = data(songs.parts, tables)
    assert set(parts) == {"songs", "quarantine"}
    assert column(parts["songs"][0], "mix") == [""] * 3


def test_a_corpus_of_which_nothing_was_accepted():
    tables = song_tables(Path(), sound=False)
    for name in ("songs", "sections", "lines", "words"):
        tables[f"tables/{name}"] = tables[f"tables/{name}"].iloc[:0]
    parts = data(songs.parts, tables)
    assert column(parts["songs"][0], "accepted") == [False] * 3


# SongBloom


def test_runs_samples_and_scores():
    tables = songbloom_tables()
    (losses,) = data(songbloom.training_parts, tables)["training"]
    assert losses.sizes == {"rows": 45}
    (made,) = data(songbloom.generated_parts, tables)["generated"]
    assert column(made, "src") == ["../songbloom/toy/songs/step-000040/river--seed-0.flac"]
    (scores,) = data(songbloom.score_parts, tables)["scores"]
    paper = [
        name
        for name, row in zip(column(scores, "system"), column(scores, "paper"), strict=True)
        if row
    ]
    assert set(paper) == set(PAPER)
    rows = dict(zip(column(scores, "system"), column(scores, "value"), strict=True))
    assert rows["SongBloom-full"] == PAPER["SongBloom-full"]["ser_dtw"]
    assert {"name": "per", "title": "PER", "percent": True} in scores.values["metrics"]


def test_subjects_that_are_not_there_are_told_with_their_command():
    commands = {row["title"]: row["command"] for row in absent_subjects({})}
    assert commands["Songs"].startswith("`snakemake songs`")
    assert commands["Scores"].startswith("`snakemake scores")
    known = dict.fromkeys(("songs", "quarantine", "recordings", "sections"), Path())
    assert "Songs" not in {row["title"] for row in absent_subjects(known)}


# the folder


def test_hostile_texts_are_data_in_the_files():
    parts = data(songs.parts, song_tables(Path(), sound=False))
    every = [part for some in parts.values() for part in some]
    write_folder(Path("results/explorer"), PAGE, every)
    for path in Path("results/explorer/data").glob("**/*.js"):
        text = path.read_text(encoding="ascii")
        name, number, rest = text.removeprefix("rasen.put(").split(",", 2)
        assert json.loads(rest.rstrip().removesuffix(");")), (name, number)


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("data/songs/0.js", ""),
        ("data/song_wave/3.js", ""),
        ("data/feature_clips/0.js", ""),
        ("data/song_lyrics/3.js", "lyrics"),
    ],
)
def test_lyrics_are_shared_only_when_they_are_asked_for(path, group):
    assert group_of(f"results/explorer/{path}") == group


# copies


def copied():
    """The copies of all that sounds in results/."""
    tables = {
        name_of(path, Path("results")): path for path in Path("results").glob("*/**/*.parquet")
    }
    table = media.copy_sounds(media.sounds_to_copy(tables), Path("results/media"))
    parquet.write_table(table, Path("results/media/copies.parquet"))
    return table


def test_copies_are_small_whole_and_made_once():
    write_results(Path(), song_tables(Path()) | songbloom_tables(Path()))
    table = copied()
    assert len(table) == 3 + 3 + 1  # recordings, voices, a song that was made
    info = soundfile.info(Path("results/media") / table["file"][0])
    assert (info.format, info.channels) == ("MP3", 2)
    assert info.duration == pytest.approx(12, abs=0.05)
    assert Path("results/media", table["file"][0]).stat().st_size < 12 * 100_000 / 8
    made = {path: path.stat().st_mtime_ns for path in Path("results/media").glob("*.mp3")}
    assert copied().equals(table)
    assert made == {path: path.stat().st_mtime_ns for path in Path("results/media").glob("*.mp3")}
    Path("results/songs/song1/vocals.flac").unlink()
    soundfile.write("audio/song0 1.flac", np.sin(np.arange(64000) / 10) / 2, 16000)
    after = copied()
    assert len(after) == 6
    assert set(Path("results/media").glob("*.mp3")) == {
        Path("results/media") / name for name in after["file"]
    }
    assert after["file"][0] != table["file"][0]


def test_the_page_plays_copies_where_there_are():
    tables = song_tables(Path()) | songbloom_tables(Path())
    write_results(Path(), tables)
    table = copied()
    parts = data(songs.parts, tables | {"media/copies": table})
    of = dict(zip(table["source"], table["file"], strict=True))
    assert column(parts["songs"][0], "mix")[0] == f"media/{of['audio/song0 1.flac']}"
    voices = column(parts["songs"][0], "vocals")
    assert voices[1] == f"media/{of['results/songs/song1/vocals.flac']}"
    files = sounds.copied_files({"media/copies": Path("results/media/copies.parquet")})
    write_folder(Path("results/explorer"), PAGE, [], files)
    assert (Path("results/explorer") / voices[1]).read_bytes()


def test_copies_are_never_shared():
    for name in ("results/media/a.mp3", "results/explorer/media/a.mp3"):
        assert group_of(name) == "recordings"
    assert group_of("results/media/copies.parquet") == "recordings"
