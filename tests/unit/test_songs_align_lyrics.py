"""The batch job of the alignment: what each song depends on, and what its ledger tells."""

import json

import pandas as pd
import pytest
import soundfile
from align_lyrics import align_lyrics

from rasen.io import parquet
from rasen.io.json_dataclass import from_dict
from rasen.songs import align
from rasen.songs.align.settings import AlignSettings
from rasen.songs.reasons import SongError

SETTINGS = {
    "beam": 1, "onset": 0.3, "offset": 0.2, "chunk": 30, "voiced": 1, "certain": 0.9,
    "line_match": 0.5, "line_score": 0.3, "surprise": 4, "recognised": 0.7, "song_match": 0.3,
}  # fmt: skip


@pytest.fixture
def batch(tmp_path, monkeypatch):
    """A function that aligns a batch of three songs (LRC, text, to be transcribed) with a stub of
    the models: (names of the songs that were aligned, ledger)."""
    for name in ("whisper", "aligner"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_text(name)
    (tmp_path / "a.lrc").write_text("[00:01]over the river\n[00:04]down by the water\n")
    (tmp_path / "b.txt").write_text("over the river\n")
    rows = [("a", tmp_path / "a.lrc"), ("b", tmp_path / "b.txt"), ("c", "asr"), ("d", "")]
    sheet = pd.DataFrame(
        {
            "song": song, "key": "k", "outcome": "ok", "reason": "", "detail": "", "files": "{}",
            "lyrics": str(lyrics), "language": "en",
        }
        for song, lyrics in rows
    )  # fmt: skip
    for ledger in ("recordings", "stems"):
        parquet.write_table(sheet, tmp_path / f"{ledger}.parquet")
    for song, _ in rows:
        (tmp_path / "songs" / song).mkdir(parents=True)
        soundfile.write(tmp_path / "songs" / song / "vocals.flac", [0.1] * 16000, 16000)
    aligned = []

    def stub(tools, vocals, lines, language, song):
        aligned.append(song)
        if lines is None and tools.whisper is None:
            raise SongError("no_vocals", "nothing")
        written = "asr" if lines is None else "given"
        way = "lrc" if lines and lines[0].start else "recognised"
        return {
            "song": song, "language": "en", "lyrics": written, "way": way, "match_ratio": 1.0,
            "surprise": 9.0 if way == "lrc" else None, "score": 0.5, "lines": [],
        }  # fmt: skip

    monkeypatch.setattr(align, "open_tools", lambda settings, *more: settings)
    monkeypatch.setattr(align, "align_song", stub)

    def run(**changes):
        aligned.clear()
        models = {
            "whisper": str(tmp_path / "whisper"),
            "aligners": {"en": str(tmp_path / "aligner")},
        }
        settings = from_dict(AlignSettings, SETTINGS | models | changes)
        align_lyrics(
            tmp_path / "recordings.parquet", tmp_path / "stems.parquet", tmp_path / "songs",
            settings, "cpu", 1, 1, "code", tmp_path / "ledger.parquet",
        )  # fmt: skip
        table = parquet.read_table(tmp_path / "ledger.parquet").set_index("song")
        return list(aligned), table

    return run


def test_the_ledger_tells_the_way_and_who_wrote_the_lyrics(batch):
    _, ledger = batch()
    assert ledger.loc[["a", "b", "c"], "way"].tolist() == ["lrc", "recognised", "recognised"]
    assert ledger.loc[["a", "b", "c"], "lyrics"].tolist() == ["given", "given", "asr"]
    assert ledger.loc["d", "reason"] == "no_lyrics"


def test_a_song_with_times_does_not_depend_on_whisper(batch, tmp_path):
    assert batch()[0] == ["a", "b", "c"]
    assert batch()[0] == []
    (tmp_path / "whisper/model.bin").write_text("another")
    assert batch()[0] == ["b", "c"]
    assert batch(beam=2)[0] == ["b", "c"]
    assert batch(beam=2, surprise=5)[0] == ["a", "b", "c"]
    aligned, ledger = batch(beam=2, surprise=5, whisper=None)
    assert aligned == ["b"]  # found in the sound; nobody transcribes the third
    assert ledger.loc["c", "detail"] == "to be transcribed, but `songs.align.whisper` is null"


def test_a_song_that_is_to_be_transcribed_is_another_than_one_without_a_file(batch, tmp_path):
    batch()
    for name in ("recordings", "stems"):
        path = tmp_path / f"{name}.parquet"
        parquet.write_table(parquet.read_table(path).replace({"lyrics": {"asr": "gone.txt"}}), path)
    assert batch()[1].loc["c", "reason"] == "lyrics_unreadable"
    receipt = json.loads((tmp_path / "songs/c/.align_lyrics.json").read_text())
    assert receipt["outcome"] == "out"
