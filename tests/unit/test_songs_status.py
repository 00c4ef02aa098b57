"""Where a corpus stands, read from ledgers and shards while a run is going on."""

import json
import os
import time

import pandas as pd
import pytest
from songs_status import songs_status

from rasen.io import parquet
from rasen.songs import layout
from rasen.songs.status import as_text, corpus_status

FILES = {
    "separate_stems": {"vocals.flac": 2_000_000_000, "accompaniment.flac": 1_000_000_000},
    "encode_latents": {"latents.npy": 500_000_000},
}
START = 1_700_000_000


def write_ledger(results, stage, batch, out, minutes):
    """Four songs of a batch, `out` of them rejected, finished `minutes` after the start."""
    outcomes = ["out"] * out + ["ok"] * (4 - out)
    files = json.dumps(FILES.get(stage, {}))
    rows = pd.DataFrame({"song": [f"s{batch}{n}" for n in range(4)], "outcome": outcomes})
    rows["reason"] = rows["outcome"].map({"out": "silent", "ok": ""})
    rows["files"] = rows["outcome"].map({"out": "", "ok": files})
    path = results / layout.LEDGER.format(stage=stage, batch=layout.batch_name(batch))
    parquet.write_table(rows, path)
    os.utime(path, (START + 60 * minutes,) * 2)


@pytest.fixture
def results(tmp_path):
    """Four batches of four songs: all measured, half of them separated, one encoded."""
    for batch in range(4):
        write_ledger(tmp_path, "measure_recordings", batch, out=batch == 0, minutes=10 * batch)
    for batch in range(2):
        write_ledger(tmp_path, "separate_stems", batch, out=0, minutes=30 * batch)
    write_ledger(tmp_path, "encode_latents", 0, out=2, minutes=60)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards/00000.h5").write_bytes(b"x" * 1000)
    return tmp_path


def test_songs_pace_rejections_and_bytes_are_those_of_the_ledgers(results):
    status = corpus_status(results, 16, 4)
    stages = status.stages.set_index("stage")
    assert stages.loc["measure_recordings", ["done", "ok", "out", "left"]].tolist() == [
        16,
        15,
        1,
        0,
    ]
    assert stages.loc["separate_stems", ["done", "left"]].tolist() == [8, 8]
    assert stages.loc["separate_stems", "songs_per_hour"] == pytest.approx(8)  # 4 in half an hour
    assert stages.loc["separate_stems", "hours_left"] == pytest.approx(1)
    assert stages.loc["measure_recordings", "hours_left"] == 0
    assert stages.loc[["encode_latents", "align_lyrics"], "hours_left"].isna().all()
    assert status.reasons.values.tolist() == [
        ["measure_recordings", "silent", 1], ["encode_latents", "silent", 2],
    ]  # fmt: skip
    sizes = status.sizes.set_index("kind")["gb"]
    assert sizes.to_dict() == pytest.approx({"stems": 24, "latents": 1, "shards": 1e-6})
    assert "separate_stems" in as_text(status)


def test_stems_that_were_thinned_take_what_is_left_of_them(results):
    rows = pd.DataFrame({"song": ["s00", "s01"], "before": [3_000_000_000] * 2, "after": [5e8, 0]})
    parquet.write_table(rows, results / layout.LEDGER.format(stage="thin_stems", batch="00000"))
    sizes = corpus_status(results, 16, 4).sizes.set_index("kind")["gb"]
    assert sizes["stems"] == pytest.approx(24 - 6 + 0.5)


def test_songs_that_never_reach_a_stage_are_not_waited_for(tmp_path):
    for batch in range(2):
        write_ledger(tmp_path, "encode_latents", batch, out=0, minutes=batch)
    stages = corpus_status(tmp_path, 10, 5).stages.set_index("stage")
    assert stages.loc["encode_latents", ["done", "left", "hours_left"]].tolist() == [8, 0, 0]


def test_it_is_printed_and_drawn_before_anything_is_done_too(results, tmp_path, capsys):
    for folder in (results, tmp_path / "nothing"):
        songs_status(folder, 16, 4, folder / "status.svg")
        assert "measure_recordings" in capsys.readouterr().out
        assert "encode_latents" in (folder / "status.svg").read_text()


def test_ten_thousand_songs_take_two_seconds(tmp_path):
    """Processor time; 0.7 s were measured without the imports."""
    for stage in layout.STAGES:
        path = tmp_path / layout.LEDGER.format(stage=stage, batch="00000")
        write_ledger(tmp_path, stage, 0, out=1, minutes=0)
        for batch in range(1, 625):
            os.link(path, path.with_name(f"{layout.batch_name(batch)}.parquet"))
    start = time.process_time()
    assert corpus_status(tmp_path, 10_000, 16).stages["done"].tolist() == [2500] * len(
        layout.STAGES
    )
    assert time.process_time() - start < 2
