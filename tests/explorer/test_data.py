"""Data of the page as Python writes them: columns, the contract, a folder whole or absent."""

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path

import made
import numpy as np
import pandas as pd
import pytest
import yaml

from rasen.errors import RasenError
from rasen.explorer.contract import check_part, columns_of, read_contract
from rasen.explorer.folder import write_folder
from rasen.explorer.helix import note_parts
from rasen.explorer.overview import parts as overview_parts
from rasen.explorer.packing import MISSING, STEP, pack
from rasen.explorer.part import Part, table_part
from rasen.explorer.subjects import absent_subjects, parts_of_subjects

PAGE = Path(__file__).parents[2] / "workflow/explorer"
CONTRACT = read_contract(PAGE)
TABLE = pd.DataFrame({"model": "nano", "route": "linear", "point": ["a", "b"], "position": [0, 1]})


def bytes_of(packed):
    data = base64.b64decode(packed["data"])
    return gzip.decompress(data) if packed.get("gzip") else data


def test_coordinates_keep_to_half_a_step_and_know_what_is_missing():
    values = np.random.default_rng(0).standard_normal((40, 30, 3))
    values[3, 4] = np.nan
    packed = pack("fixed", values)
    low, high = np.frombuffer(bytes_of(packed), "u1").reshape(2, -1).astype("u2")
    steps = (low | high << 8).astype("u2").view("i2")
    found = np.where(steps == MISSING, np.nan, steps * packed["step"])
    np.testing.assert_allclose(found, values.ravel(), atol=0.5001 * STEP)
    assert packed["gzip"]
    assert len(packed["data"]) < 2.2 * values.size  # float32 would be more than five


def test_a_coordinate_beyond_the_scale_stays_at_its_end():
    data = np.frombuffer(bytes_of(pack("fixed", np.array([1e9, -1e9]))), "u1")
    steps = data.reshape(2, -1).T.copy().view("<i2").ravel()
    assert steps.tolist() == [32767, -32767]


def test_labels_numbers_and_texts_with_what_is_missing():
    packed = pack("label", np.array(["b", None, "a", "b"], object))
    assert packed["labels"] == ["b", "a"]
    assert np.frombuffer(bytes_of(packed), "<i4").tolist() == [0, -1, 1, 0]
    integers = pack("integer", np.array([3, pd.NA, -1], object))
    assert np.frombuffer(bytes_of(integers), "<i4").tolist() == [3, MISSING, -1]
    floats = np.frombuffer(bytes_of(pack("float", np.array([1.5, None], object))), "<f4")
    assert floats[0] == 1.5
    assert np.isnan(floats[1])
    assert pack("text", np.array(["x", None], object)) == {"texts": ["x", None]}


def test_what_gzip_does_not_make_smaller_is_left_as_it_is():
    noise = np.random.default_rng(0).integers(0, 256, 5000).astype("u1")
    assert "gzip" not in pack("byte", noise)
    assert bytes_of(pack("byte", noise)) == noise.tobytes()


def test_the_contract_says_of_everything_what_it_is():
    for name, entry in CONTRACT.items():
        assert entry["about"], name
        for column, asked in entry.get("columns", {}).items():
            assert asked["about"], f"{name}.{column}"
            assert asked["type"] in ("float", "integer", "flag", "byte", "fixed", "label", "text")


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Part("nothing"), "not in contract.json"),
        (table_part("points", TABLE[["model"]], columns_of(CONTRACT, "points")), "route: column"),
        (Part("points", {**TABLE, "more": TABLE["model"]}, sizes={"rows": 2}), "more: column is"),
        (Part("points", {**TABLE}, sizes={"rows": 3}), "2 values, not 3 (rows)"),
        (Part("points", {**TABLE}), "no size of rows"),
        (Part("config", values={"texts": []}), "texts: list, not a object"),
        (Part("config"), "texts: value is lacking"),
    ],
)
def test_data_that_break_the_contract_are_refused(part, words):
    with pytest.raises(RasenError, match=re.escape(words)):
        check_part(CONTRACT, part)


def study(folder):
    paths = made.write_tables(folder / "tables", made.study_tables())
    return {path.stem: path for path in paths}


def test_every_subject_keeps_the_contract(tmp_path):
    tables = study(tmp_path)
    config = yaml.safe_load(made.CONFIG)
    parts = [*overview_parts(tables, CONTRACT, config, ()), *parts_of_subjects(tables, CONTRACT)]
    for part in parts:
        check_part(CONTRACT, part)
    assert {"overview", "config", "points", "helix_fits", "helix_notes"} <= {p.name for p in parts}


def test_what_is_absent_is_told_with_its_command():
    absent = {entry["title"]: entry["command"] for entry in absent_subjects({})}
    assert absent["Helix"] == "snakemake helix"
    assert not {"Helix"} & {e["title"] for e in absent_subjects({"helix": Path("helix.parquet")})}


def test_notes_lie_where_their_names_say():
    """Rows in any order, one note and one fit missing."""
    points = made.route_table(points=3)
    notes, curves = made.notes_and_curves(points, layers=2, instruments=2, keys=13)
    wanted = notes[(notes["layer"] == 1) & (notes["instrument"] == "instrument 1")]
    gone = wanted.index[5]
    parts = list(note_parts(notes.drop(index=gone).sample(frac=1, random_state=0), curves))
    part = next(part for part in parts if part.of["layer"] == 1)
    assert part.values["points"] == points["point"].tolist()
    assert part.values["instruments"][0] == "pooled"
    place = part.values["instruments"].index("instrument 1")
    expected = wanted["x"].to_numpy().reshape(3, 13).copy()
    expected.ravel()[5] = np.nan
    np.testing.assert_array_equal(part.columns["x"][:, place], expected)
    assert part.columns["pitch"].tolist() == list(range(48, 61))


def test_baselines_are_named_by_their_features():
    points = made.route_table(points=2).assign(route="baseline", position=np.nan)
    notes, curves = made.notes_and_curves(points.assign(position=[0, 1]), layers=1, instruments=1)
    for table in (notes, curves):
        table["position"] = np.nan
        table["features"] = table["point"].map({"untrained": "log-mel", "trained": "tokens"})
        table["layer"] = -1
    (part,) = note_parts(notes, curves)
    assert part.values["points"] == ["log-mel", "tokens"]


def test_a_folder_is_whole_or_as_it_was(tmp_path):
    folder = tmp_path / "explorer"

    def breaking():
        yield Part("config", values={"texts": {}})
        raise RasenError("in the middle")

    with pytest.raises(RasenError, match="in the middle"):
        write_folder(folder, PAGE, breaking())
    assert list(tmp_path.iterdir()) == []
    write_folder(folder, PAGE, [Part("config", values={"texts": {"a": "b"}})])
    before = (folder / "data/config/0.js").read_bytes()
    with pytest.raises(RasenError, match="in the middle"):
        write_folder(folder, PAGE, breaking())
    assert [path.name for path in tmp_path.iterdir()] == ["explorer"]
    assert (folder / "data/config/0.js").read_bytes() == before


def test_equal_tables_give_equal_folders(tmp_path):
    found = []
    for name in ("one", "other"):
        tables = study(tmp_path / name)
        write_folder(tmp_path / name / "explorer", PAGE, parts_of_subjects(tables, CONTRACT))
        files = sorted((tmp_path / name / "explorer").rglob("*.*"))
        found.append([(path.name, path.read_bytes()) for path in files if path.is_file()])
    assert found[0] == found[1]


def test_data_are_scripts_of_plain_ascii_that_no_markup_can_leave(tmp_path):
    texts = {"a": "</script><!-- \u2028 é"}
    write_folder(tmp_path / "explorer", PAGE, [Part("config", values={"texts": texts})])
    script = (tmp_path / "explorer/data/config/0.js").read_text("ascii")
    told = json.loads(script.removeprefix('rasen.put("config",0,').removesuffix(");\n"))
    assert told["values"]["texts"] == texts


def test_the_page_names_every_script_that_it_has():
    page = (PAGE / "index.html").read_text()
    named = re.findall(r'src="(js/[^"]+)"', page)
    assert sorted(named) == sorted(str(p.relative_to(PAGE)) for p in PAGE.glob("js/**/*.js"))
    assert named[-1] == "js/page.js"
    assert "http://" not in page
    assert "https://" not in page


def test_vendored_scripts_are_those_that_are_named_beside_them():
    told = (PAGE / "vendor/README.txt").read_text()
    scripts = sorted(PAGE.glob("vendor/*.js"))
    assert len(scripts) == 2
    for script in scripts:
        assert hashlib.sha256(script.read_bytes()).hexdigest() in told
        assert (PAGE / f"vendor/{script.stem}-LICENSE.txt").read_text().startswith("Copyright")
