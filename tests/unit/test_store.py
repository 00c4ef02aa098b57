"""Files that are whole or absent, and notice damage."""

import h5py
import numpy as np
import pandas as pd
import pytest

from rasen import inputs, store, tables
from rasen.errors import RasenError


def make(path, rows=10_000):
    with store.create(path, model="m", recipe={"a": 1}) as writer:
        data = writer.dataset("x", rows, (3,), "float32")
        for block in np.array_split(np.arange(3 * rows, dtype="float32").reshape(rows, 3), 7):
            data.append(block)
        writer.table(
            "clips", pd.DataFrame({"clip": ["a", "ü"], "pitch": [1, 2], "ok": [True, False]})
        )


def test_rows_tables_and_attributes_come_back(tmp_path):
    make(tmp_path / "a.h5")
    with store.open_file(tmp_path / "a.h5") as file:
        assert np.array_equal(file["x"][:].ravel(), np.arange(30_000))
        assert file["x"].chunks == (store.CHUNK_ROWS, 3)
        assert file["x"].compression is None
        assert store.read_table(file, "clips")["clip"].tolist() == ["a", "ü"]
        assert file.attrs["recipe"] == '{"a": 1}'
    store.verify(tmp_path / "a.h5")


def test_nothing_is_left_when_writing_fails(tmp_path):
    with pytest.raises(RuntimeError), store.create(tmp_path / "a.h5"):
        raise RuntimeError
    with pytest.raises(RuntimeError, match="0 of 5 rows"), store.create(tmp_path / "a.h5") as w:
        w.dataset("x", 5, (), "int32")
    assert list(tmp_path.iterdir()) == []


def test_an_old_file_survives_a_failed_rewrite(tmp_path):
    make(tmp_path / "a.h5")
    before = (tmp_path / "a.h5").read_bytes()
    with pytest.raises(RuntimeError), store.create(tmp_path / "a.h5"):
        raise RuntimeError
    assert (tmp_path / "a.h5").read_bytes() == before


@pytest.mark.parametrize("kept", [0, 100, 5000, -50])
def test_cut_files_are_refused(tmp_path, kept):
    make(tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(whole[:kept])
    with pytest.raises(RasenError, match=r"a\.h5: damaged or cut short"):
        store.verify(tmp_path / "a.h5")


def test_a_flipped_bit_is_noticed(tmp_path):
    make(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["x"][7000, 1] += 1
    with pytest.raises(RasenError, match="x is damaged"):
        store.verify(tmp_path / "a.h5")


def test_unfinished_and_missing_files_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w"):
        pass
    with pytest.raises(RasenError, match="never finished"), store.open_file(tmp_path / "a.h5"):
        pass
    with pytest.raises(RasenError, match="no such file"), store.open_file(tmp_path / "b.h5"):
        pass


def test_inputs_are_padded_batch_by_batch(tmp_path):
    encoded = [{"codes": np.full((n, 2), n, np.int16)} for n in (3, 1, 5)]
    clips = pd.DataFrame({"clip": ["a", "b", "c"]})
    inputs.write(tmp_path / "i.h5", encoded, clips)
    read = inputs.Inputs(tmp_path / "i.h5")
    first, second = read.batches(2)
    assert first["codes"].shape == (2, 3, 2)
    assert first["lengths"].tolist() == [3, 1]
    assert first["codes"][1, :, 0].tolist() == [1, 0, 0]
    assert second["codes"].shape == (1, 5, 2)


def test_bootstrap_interval_of_a_mean_has_its_size():
    values = np.random.default_rng(0).normal(size=400)
    low, high = tables.bootstrap(lambda weights: weights @ values / 400, 400, 4000, seed=0)
    assert low < values.mean() < high
    assert (high - low) / 2 == pytest.approx(1.96 / 20, rel=0.1)


def test_equal_tables_are_equal_files(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2], "b": ["x", "y"]})
    tables.write(frame, tmp_path / "1.parquet")
    tables.write(frame, tmp_path / "2.parquet")
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert tables.read(tmp_path / "1.parquet").equals(frame)
