"""Stems that were recompressed or deleted: known by a marker, never taken for lost."""

import json
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import soundfile

from rasen.errors import RasenError
from rasen.io import parquet
from rasen.songs import stems, thin, thinned
from rasen.songs.ledger import BatchRunner, passed

RATE = 44100
SONGS = pd.DataFrame({"song": ["a"], "key": ["1"]})


def work(tools, song, folder):
    time = np.arange(RATE * 2) / RATE
    voice = np.float32(0.3) * np.sin(2 * np.pi * np.array([[440.0], [660.0]]) * time)
    return stems.write_stems(folder, voice, -0.5 * voice, RATE, "flac")


@pytest.fixture
def home(tmp_path):
    """The folder of a song that was separated, and its ledger."""
    parquet.write_table(separate(tmp_path), tmp_path / "ledger.parquet")
    return tmp_path / "songs/a"


def runner(tmp_path, code="code"):
    return BatchRunner("separate_stems", tmp_path / "songs", code, {})


def separate(tmp_path, code="code", work=work):
    return runner(tmp_path, code).run(SONGS, work)


def listed(home):
    return json.loads(json.loads((home / ".separate_stems.json").read_text())["files"])


def names(home):
    return sorted(path.name for path in home.iterdir())


def nothing(*arguments):
    raise AssertionError("separated again")


KEPT = {
    "opus": [".separate_stems.json", ".stems.json", "accompaniment.opus", "vocals.opus"],
    "delete": [".separate_stems.json", ".stems.json"],
}


@pytest.mark.parametrize("policy", KEPT)
def test_a_thinned_song_is_not_separated_again(tmp_path, home, policy):
    before = separate(tmp_path)
    bytes_now = thin.thin_stems(home, listed(home), policy)
    assert names(home) == KEPT[policy]
    assert bytes_now == sum(path.stat().st_size for path in home.glob("*.opus"))
    assert separate(tmp_path, work=nothing).equals(before)
    assert passed(home.parent, tmp_path / "ledger.parquet")["song"].tolist() == ["a"]
    assert thin.thin_stems(home, listed(home), policy) == bytes_now  # nothing left to do


def test_opus_is_read_in_the_place_of_the_stem(home):
    flac, _ = stems.read_stem(home, "vocals")
    thin.thin_stems(home, listed(home), "opus")
    sound, rate = stems.read_stem(home, "vocals")
    assert (rate, sound.shape) == (48000, (2, 96000))
    step = np.linspace(0, flac.shape[1] - 1, 96000)
    at_48k = np.array([np.interp(step, np.arange(flac.shape[1]), channel) for channel in flac])
    inside = slice(4800, -4800)
    for found, true in zip(sound, at_48k, strict=True):
        assert np.corrcoef(found[inside], true[inside])[0, 1] > 0.99


@pytest.mark.parametrize("policy", KEPT)
def test_what_is_lost_besides_is_still_lost(tmp_path, home, policy):
    thin.thin_stems(home, listed(home), policy)
    for path in home.glob("vocals.opus"):
        path.write_bytes(b"cut")
    if policy == "delete":
        (home / thinned.MARKER).unlink()
    with pytest.raises(RasenError, match=r"a/accompaniment.flac: gone or changed; delete"):
        passed(home.parent, tmp_path / "ledger.parquet")
    separate(tmp_path)
    assert names(home) == [".separate_stems.json", "accompaniment.flac", "vocals.flac"]


@pytest.mark.parametrize("policy", KEPT)
def test_a_new_separation_leaves_nothing_of_the_old_one(tmp_path, home, policy):
    thin.thin_stems(home, listed(home), policy)
    separate(tmp_path, code="new")
    assert names(home) == [".separate_stems.json", "accompaniment.flac", "vocals.flac"]


@pytest.mark.parametrize("policy", KEPT)
@pytest.mark.parametrize("step", range(6))
def test_a_kill_at_any_step_leaves_a_song_that_can_be_read_and_finished(
    tmp_path, home, monkeypatch, policy, step
):
    """Killed before the step-th change of a file in the song's folder."""
    files, left = listed(home), [step]

    def killed(original):
        def change(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return original(*arguments, **options)

        return change

    with monkeypatch.context() as patched:
        patched.setattr(soundfile, "write", killed(soundfile.write))
        patched.setattr(thinned, "write_marker", killed(thinned.write_marker))
        patched.setattr(type(home), "unlink", killed(type(home).unlink))
        patched.setattr(type(home), "replace", killed(type(home).replace))
        with suppress(KeyboardInterrupt):  # with `delete` there are fewer steps than six
            thin.thin_stems(home, files, policy)
    separate(tmp_path, work=nothing)
    if policy == "opus":
        stems.read_stem(home, "vocals"), stems.read_stem(home, "accompaniment")
    thin.thin_stems(home, files, policy)
    assert [name for name in names(home) if not name.endswith(".partial")] == KEPT[policy]


def test_stems_of_equal_size_but_other_sound_are_recompressed(tmp_path, home):
    """WAV files of two separations have one size; a receipt deleted by hand leaves a marker."""
    thin.thin_stems(home, listed(home), "opus")
    (home / ".separate_stems.json").unlink()
    separate(tmp_path)
    opus = (home / "vocals.opus").stat()
    thin.thin_stems(home, listed(home), "opus")
    assert (home / "vocals.opus").stat().st_ino != opus.st_ino
    assert names(home) == KEPT["opus"]


def test_opus_can_still_be_deleted_and_what_is_deleted_stays_so(home):
    files = listed(home)
    thin.thin_stems(home, files, "opus")
    assert thin.thin_stems(home, files, "delete") == 0
    assert thin.thin_stems(home, files, "opus") == 0
    assert names(home) == KEPT["delete"]


def test_a_full_disk_costs_no_stem(home, monkeypatch):
    def cut(file, data, *arguments, **options):
        write(file, data[: len(data) // 2], *arguments, **options)

    write = soundfile.write
    monkeypatch.setattr(soundfile, "write", cut)
    with pytest.raises(OSError, match="not written completely; is the disk full"):
        thin.thin_stems(home, listed(home), "opus")
    assert names(home) == [".separate_stems.json", "accompaniment.flac", "vocals.flac"]


def test_reading_deleted_stems_is_refused_with_the_cure(tmp_path, home):
    thinned.check_present(home.parent, ["a"])
    thin.thin_stems(home, listed(home), "opus")
    thinned.check_present(home.parent, ["a"])
    thin.thin_stems(home, listed(home), "delete")
    assert runner(tmp_path).pending(SONGS).empty
    changed = runner(tmp_path, "new").pending(SONGS)["song"]
    with pytest.raises(RasenError, match=r"the stems of a \(1 in this batch\) are needed") as told:
        thinned.check_present(home.parent, changed)
    assert str(home / ".stems.json") in str(told.value)
    assert "snakemake songs --forcerun separate_stems" in str(told.value)
