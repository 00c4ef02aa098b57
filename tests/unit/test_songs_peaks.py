"""Waveforms of songs to be drawn, and their sections as one table."""

import json

import numpy as np
import pandas as pd
import soundfile
from gather_sections import gather_sections
from measure_peaks import measure_peaks

from rasen.io import parquet
from rasen.songs import layout, peaks

RATE = 8000


def drawn(raw):
    """Peaks as columns [time, least and greatest]."""
    return np.frombuffer(raw, np.int8).reshape(-1, 2)


def test_columns_hold_the_extremes_of_all_channels(rng):
    sound = rng.uniform(-1, 1, (2, 4 * RATE + 7)).astype(np.float32)
    sound[1, 3 * RATE + 5] = 1.5  # beyond full scale
    columns = drawn(peaks.peaks(sound, RATE))
    assert len(columns) == 4 * peaks.RATE + 1
    for number, part in enumerate(np.split(sound, range(400, 32400, 400), axis=1)):
        least, greatest = np.clip([part.min(), part.max()], -1, 1) * peaks.FULL
        assert columns[number].tolist() == [np.floor(least), np.ceil(greatest)]


def test_rates_that_no_column_divides_keep_time():
    sound = np.zeros((1, 44100 * 100 + 1), np.float32)
    sound[0, [11025 * 7, 44100 * 99]] = 0.5, -0.5
    columns = drawn(peaks.peaks(sound, 11025))
    assert np.flatnonzero(columns[:, 1]).tolist() == [7 * peaks.RATE]
    assert np.flatnonzero(columns[:, 0]).tolist() == [99 * 4 * peaks.RATE]


def corpus(results):
    """Songs with a stem, with one of Opus, and damaged; the first has sections."""
    rows = []
    for name, stem in (("whole", "flac"), ("thinned", "opus"), ("damaged", "")):
        home = results / layout.SONGS / name
        home.mkdir(parents=True)
        sound = np.sin(np.arange(2 * 48000) / 20) * 0.5
        soundfile.write(results / f"{name}.flac", sound, 48000)
        if stem:
            soundfile.write(
                home / f"vocals.{stem}", 0.5 * sound, 48000, format={"opus": "OGG"}.get(stem),
                subtype={"opus": "OPUS"}.get(stem),
            )  # fmt: skip
        outcome = "ok" if stem else "out"
        audio = str(results / f"{name}.flac")
        rows.append({"song": name, "key": "", "outcome": outcome, "audio": audio, "files": ""})
    ledger = pd.DataFrame(rows).assign(seconds=2.0)
    (results / "batches").mkdir()
    for stage in ("measure_recordings", "tag_structure"):
        path = results / layout.LEDGER.format(stage=stage, batch="00000")
        path.parent.mkdir()
        outcome = ledger["outcome"].where((ledger["song"] == "whole") | (stage[0] == "m"), "out")
        parquet.write_table(ledger.assign(outcome=outcome), path)
    text = "start\tend\tlabel\tbackend\tconfidence\n"
    text += "0\t1.5\tverse\tgiven\t0.5\n1.5\t2\toutro\tgiven\t0\n"
    (results / layout.SONGS / "whole" / layout.STRUCTURE).write_text(text)
    return results / layout.LEDGER.format(stage="measure_recordings", batch="00000")


def test_peaks_are_of_what_can_be_played(tmp_path):
    ledger = corpus(tmp_path)
    measure_peaks(ledger, tmp_path / "songs", tmp_path / "peaks.parquet")
    table = parquet.read_table(tmp_path / "peaks.parquet").set_index("song")
    assert [*table.index] == ["whole", "thinned"]
    assert table["vocals_file"].tolist() == ["vocals.flac", "vocals.opus"]
    for row in table.itertuples():
        mix, voice = drawn(row.mix), drawn(row.vocals)
        assert len(mix) == row.seconds * row.columns_s
        assert np.abs(mix[:, 1] / 127 - 0.5).max() < 0.02
        assert np.abs(voice[:, 1] / 127 - 0.25).max() < 0.1
        assert (row.accompaniment, row.accompaniment_file) == (b"", "")


def test_no_recording_gives_a_table_of_nothing(tmp_path):
    ledger = corpus(tmp_path)
    parquet.write_table(parquet.read_table(ledger).assign(outcome="out"), ledger)
    measure_peaks(ledger, tmp_path / "songs", tmp_path / "peaks.parquet")
    assert parquet.read_table(tmp_path / "peaks.parquet").empty


def test_sections_of_all_songs_are_one_table(tmp_path):
    corpus(tmp_path)
    gather_sections(1, tmp_path, tmp_path / "sections.parquet")
    table = parquet.read_table(tmp_path / "sections.parquet")
    assert table["song"].tolist() == ["whole", "whole"]
    assert table["label"].tolist() == ["verse", "outro"]
    assert json.loads(table["end"].to_json(orient="values")) == [1.5, 2]
