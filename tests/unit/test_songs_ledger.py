"""Batches of songs: one bad song stops nothing, what is done is not done again."""

import json
import time

import pandas as pd
import pytest

from rasen.errors import RasenError
from rasen.io import parquet
from rasen.songs.ahead import read_ahead
from rasen.songs.ledger import BatchRunner, passed
from rasen.songs.reasons import REASONS, SongError


@pytest.fixture
def songs():
    return pd.DataFrame({"song": ["a", "b", "c"], "key": ["1", "2", "3"]})


class Work:
    """Writes a file a song; some songs fail."""

    def __init__(self, **failing):
        self.failing, self.seen = failing, []

    def __call__(self, tools, song, folder):
        self.seen.append(song.song)
        (folder / "made.txt").write_text(song.key)
        if song.song in self.failing:
            raise self.failing[song.song]
        return {"length": 3.5}


def stage(tmp_path, code="code", settings=None):
    return BatchRunner("stage", tmp_path / "songs", code, settings or {})


def test_one_bad_song_does_not_stop_the_others(tmp_path, songs):
    work = Work(b=SongError("too_short", "0.1 s"), c=ValueError("odd"))
    rows = stage(tmp_path).run(songs, work).set_index("song")
    assert rows["outcome"].tolist() == ["ok", "out", "out"]
    assert rows["reason"].tolist() == ["", "too_short", "error"]
    assert rows.loc["c", "detail"] == "ValueError: odd"
    assert rows.loc["a", "length"] == 3.5
    assert (tmp_path / "songs/a/made.txt").read_text() == "1"
    assert [p.name for p in (tmp_path / "songs/b").iterdir()] == [".stage.json"]


def test_what_is_done_is_not_done_again(tmp_path, songs):
    first = stage(tmp_path).run(songs, Work())
    again = Work()
    assert stage(tmp_path).run(songs, again).equals(first)
    assert again.seen == []
    stage(tmp_path).run(songs.assign(key=["1", "changed", "3"]), again)
    assert again.seen == ["b"]
    assert (tmp_path / "songs/b/made.txt").read_text() == "changed"


@pytest.mark.parametrize("change", [{"code": "other"}, {"settings": {"level": 2}}])
def test_code_and_settings_count(tmp_path, songs, change):
    stage(tmp_path).run(songs, Work())
    work = Work()
    stage(tmp_path, **change).run(songs, work)
    assert work.seen == ["a", "b", "c"]


def test_a_lost_or_cut_file_is_made_again(tmp_path, songs):
    stage(tmp_path).run(songs, Work())
    (tmp_path / "songs/a/made.txt").unlink()
    (tmp_path / "songs/c/made.txt").write_text("")
    work = Work()
    stage(tmp_path).run(songs, work)
    assert work.seen == ["a", "c"]


def test_known_reasons_stand_and_unforeseen_errors_are_tried_again(tmp_path, songs):
    stage(tmp_path).run(songs, Work(a=SongError("silent", "zeros"), b=KeyError("odd")))
    work = Work()
    rows = stage(tmp_path).run(songs, work)
    assert work.seen == ["b"]
    assert rows["outcome"].tolist() == ["out", "ok", "ok"]


def test_nothing_stale_stays_of_a_song_that_fell_out(tmp_path, songs):
    stage(tmp_path).run(songs, Work())
    stage(tmp_path, code="new").run(songs, Work(a=SongError("silent", "zeros")))
    assert not (tmp_path / "songs/a/made.txt").exists()


@pytest.mark.parametrize("error", [RasenError("no model"), OSError("disk full"), MemoryError()])
def test_what_is_no_songs_fault_stops_the_job(tmp_path, songs, error):
    with pytest.raises(type(error)):
        stage(tmp_path).run(songs, Work(b=error))
    work = Work()
    stage(tmp_path).run(songs, work)
    assert work.seen == ["b", "c"]  # and it goes on where it was


def test_when_every_song_fails_the_stage_is_at_fault(tmp_path, songs):
    with pytest.raises(RasenError, match="every song failed, the first with a: ValueError: odd"):
        stage(tmp_path).run(songs, Work(**dict.fromkeys("abc", ValueError("odd"))))


def test_two_old_errors_do_not_stop_a_batch_that_is_done(tmp_path, songs):
    bad = dict.fromkeys("ab", ValueError("odd"))
    stage(tmp_path).run(songs, Work(**bad))
    rows = stage(tmp_path).run(songs, Work(**bad))  # both are tried again, and fail again
    assert rows["outcome"].tolist() == ["out", "out", "ok"]


def test_a_lack_of_the_machine_is_tried_again(tmp_path, songs):
    stage(tmp_path).run(songs, Work(a=SongError("no_ffmpeg", "-")))
    work = Work()
    stage(tmp_path).run(songs, work)
    assert work.seen == ["a"]


def test_a_fault_of_the_gpu_is_no_songs(tmp_path, songs):
    error = type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        stage(tmp_path).run(songs, Work(b=error))


def test_models_are_opened_once_and_only_where_needed(tmp_path, songs):
    opened = []

    def open_tools():
        opened.append(1)

    stage(tmp_path).run(songs, Work(), open_tools)
    stage(tmp_path).run(songs, Work(), open_tools)
    assert opened == [1]


def test_survivors_are_ok_in_every_ledger(tmp_path, songs):
    paths = []
    for name, work in (("one", Work(a=SongError("silent", "-"))), ("two", Work(c=KeyError()))):
        paths.append(tmp_path / f"{name}.parquet")
        parquet.write_table(
            BatchRunner(name, tmp_path / "songs", "", {}).run(songs, work), paths[-1]
        )
    left = passed(tmp_path / "songs", *paths)
    assert left["song"].tolist() == ["b"]
    parts = [parquet.read_table(p).set_index("song").loc["b", "key"] for p in paths]
    assert left["key"].tolist() == ["".join(parts)]


def test_a_file_that_is_gone_is_told_with_its_cure(tmp_path, songs):
    ledger = tmp_path / "stage.parquet"
    parquet.write_table(stage(tmp_path).run(songs, Work()), ledger)
    (tmp_path / "songs/b/made.txt").unlink()
    with pytest.raises(RasenError, match=rf"b/made.txt: gone or changed; delete {ledger} and run"):
        passed(tmp_path / "songs", ledger)


def test_of_no_songs_none_is_pending(tmp_path, songs):
    """A batch of instrumentals has no song whose vocals are read."""
    assert stage(tmp_path).pending(songs[:0])["song"].tolist() == []
    assert stage(tmp_path).pending(songs)["song"].tolist() == songs["song"].tolist()


def test_a_batch_in_which_all_fell_out_has_a_ledger(tmp_path, songs):
    ledger = tmp_path / "stage.parquet"
    out = {song: SongError("missing", "-") for song in "abc"}
    parquet.write_table(stage(tmp_path).run(songs, Work(**out)), ledger)
    assert passed(tmp_path / "songs", ledger).empty
    nothing = stage(tmp_path).run(songs[:0], Work())
    assert {"song", "outcome", "reason", "files"} <= set(nothing)


def test_receipts_are_plain(tmp_path, songs):
    stage(tmp_path).run(songs, Work())
    receipt = json.loads((tmp_path / "songs/a/.stage.json").read_text())
    assert json.loads(receipt["files"]) == {"made.txt": 1}


def test_every_reason_has_a_meaning_and_a_cure():
    assert all(meaning and cure for meaning, cure in REASONS.values())
    with pytest.raises(AssertionError):
        SongError("no such reason", "-")


def test_songs_are_read_ahead_of_the_network(tmp_path, songs):
    """While `work` runs on the first song the next are read; a song that cannot be read is out."""
    read, at_work = [], []

    def reads(song):
        read.append(song.song)
        if song.song == "b":
            raise SongError("unreadable", "cut")
        return song.song.upper()

    def work(value, song, folder):
        deadline = time.monotonic() + 10
        while len(read) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        at_work.append((value, len(read)))

    def run():
        return stage(tmp_path).run(songs, work, None, lambda tools, todo: read_ahead(reads, todo))

    rows = run()
    assert rows["reason"].tolist() == ["", "unreadable", ""]
    assert at_work == [("A", 3), ("C", 3)]
    assert sorted(read) == ["a", "b", "c"]
    assert run().equals(rows)  # nothing is read again
    assert len(read) == 3
