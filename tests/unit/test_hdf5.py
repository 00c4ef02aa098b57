"""Files that are whole or absent, and notice damage."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from rasen.errors import RasenError
from rasen.io import hdf5, inputs, parquet
from rasen.stats import bootstrap


def make(path, rows=10_000):
    with hdf5.create(path, model="m", recipe={"a": 1}) as writer:
        data = writer.dataset("x", rows, (3,), "float32")
        for block in np.array_split(np.arange(3 * rows, dtype="float32").reshape(rows, 3), 7):
            data.append(block)
        writer.table(
            "clips", pd.DataFrame({"clip": ["a", "ü"], "pitch": [1, 2], "ok": [True, False]})
        )


def test_rows_tables_and_attributes_come_back(tmp_path):
    make(tmp_path / "a.h5")
    with hdf5.open_file(tmp_path / "a.h5") as file:
        assert np.array_equal(file["x"][:].ravel(), np.arange(30_000))
        assert file["x"].chunks == (hdf5.CHUNK_ROWS, 3)
        assert file["x"].compression is None
        assert hdf5.read_table(file, "clips")["clip"].tolist() == ["a", "ü"]
        assert file.attrs["recipe"] == '{"a": 1}'
    hdf5.verify(tmp_path / "a.h5")


def test_nothing_is_left_when_writing_fails(tmp_path):
    with pytest.raises(RuntimeError), hdf5.create(tmp_path / "a.h5"):
        raise RuntimeError
    with pytest.raises(RuntimeError, match="0 of 5 rows"), hdf5.create(tmp_path / "a.h5") as w:
        w.dataset("x", 5, (), "int32")
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_survives_a_failed_rewrite(tmp_path):
    make(tmp_path / "a.h5")
    before = (tmp_path / "a.h5").read_bytes()
    with pytest.raises(RuntimeError), hdf5.create(tmp_path / "a.h5"):
        raise RuntimeError
    assert (tmp_path / "a.h5").read_bytes() == before


@pytest.mark.parametrize("kept", [0, 100, 5000, -50])
def test_cut_files_are_refused(tmp_path, kept):
    make(tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[:kept])
    with pytest.raises(RasenError, match=r"a\.h5: damaged or cut short"):
        hdf5.verify(tmp_path / "a.h5")


def test_a_flipped_bit_is_noticed(tmp_path):
    make(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["x"][7000, 1] += 1
    with pytest.raises(RasenError, match="x is damaged"):
        hdf5.verify(tmp_path / "a.h5")


def test_unfinished_and_missing_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w"):
        pass
    with pytest.raises(RasenError, match="never finished"), hdf5.open_file(tmp_path / "a.h5"):
        pass
    with pytest.raises(RasenError, match="no such file"), hdf5.open_file(tmp_path / "b.h5"):
        pass


def test_inputs_are_padded_batch_by_batch(tmp_path):
    encoded = [{"codes": np.full((n, 2), n, np.int16)} for n in (3, 1, 5)]
    clips = pd.DataFrame({"clip": ["a", "b", "c"]})
    inputs.write_inputs(tmp_path / "i.h5", encoded, clips)
    read = inputs.Inputs(tmp_path / "i.h5")
    first, second = read.batches(2)
    assert first["codes"].shape == (2, 3, 2)
    assert first["lengths"].tolist() == [3, 1]
    assert first["codes"][1, :, 0].tolist() == [1, 0, 0]
    assert second["codes"].shape == (1, 5, 2)


def test_bootstrap_interval_of_a_mean_has_its_size():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap(lambda weights: weights @ values / 400, 400, 4000, seed=0)
    assert low < values.mean() < high
    assert (high - low) / 2 == pytest.approx(1.96 / 20, rel=0.1)


def test_equal_tables_are_equal_files(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2], "b": ["x", "y"]})
    parquet.write_table(frame, tmp_path / "1.parquet")
    parquet.write_table(frame, tmp_path / "2.parquet")
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert parquet.read_table(tmp_path / "1.parquet").equals(frame)


def test_a_disk_that_fills_up_is_an_error_and_no_crash(tmp_path):
    """HDF5 itself crashes when it cannot write. A limit on the file's size stands in for a disk."""
    code = """
import resource, sys
import numpy as np
from rasen.io import hdf5
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
with hdf5.create(sys.argv[1], a=1) as writer:
    parts = [writer.dataset(f"layers/{i}", 64, (128,), "float32") for i in range(7)]
    for _ in range(8):
        for part in parts:
            part.append(np.ones((8, 128)))
"""
    for size in (100, 5_000, 20_000, 100_000, 225_000):
        path = tmp_path / "a.h5"
        done = subprocess.run(
            [sys.executable, "-c", code, path, str(size)], capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": str(Path(hdf5.__file__).parents[2])},
        )  # fmt: skip
        assert done.returncode == 1, (size, done.stderr)
        assert done.stderr.splitlines()[-1].startswith("OSError: [Errno 27] File too large"), size
        assert not list(tmp_path.iterdir())
