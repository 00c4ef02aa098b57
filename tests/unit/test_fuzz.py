"""Any config and any sheet is taken, or refused in plain lines; nothing else ever comes out."""

import json
import os
from copy import deepcopy
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rasen import stimuli
from rasen.errors import RasenError
from rasen.stimuli import recordings
from rasen.study import config
from rasen.study.config_file import require_plain
from rasen.study.presence import missing_files
from rasen.study.recipe import recipe_of_point
from rasen.study.routes import table_of_points

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())
SLOW = settings(
    deadline=None,
    max_examples=int(os.environ.get("FUZZ", 150)),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

NASTY = ["", " ", "..", "../../etc", "a/b", "/", "~", "a b", "'", '"', "$(id)", "`id`", ";", "\n",
         "\x00", "{", "}", "{step}", "{x.__class__}", "%s", "音", "é", "e\u0301", "\u202e",
         "nan", "null", "-1", "1e999"]  # fmt: skip
words = st.sampled_from(NASTY) | st.text(max_size=12)
numbers = st.integers(-10, 10) | st.integers() | st.floats()
scalars = st.none() | st.booleans() | numbers | words
values = st.recursive(
    scalars, lambda part: st.lists(part, max_size=3) | st.dictionaries(words, part, max_size=3)
)


def attempt(function):
    """(what it gives, None) or (None, its refusal); any other error is a failure of the test."""
    try:
        return function(), None
    except RasenError as error:
        return None, str(error)


def places_in(part, path=()):
    """Every path into nested dictionaries and lists."""
    yield path
    if isinstance(part, dict | list):
        for key, inner in part.items() if isinstance(part, dict) else enumerate(part):
            yield from places_in(inner, (*path, key))


PLACES = [path for path in places_in(DEFAULT) if path]


@st.composite
def configs(draw):
    """The default config with one to three places exchanged, removed or added to."""
    changed = deepcopy(DEFAULT)
    for path in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        part = changed
        try:
            for step in path[:-1]:
                part = part[step]
            match draw(st.sampled_from(["set", "remove", "add", "rename"])):
                case "set":
                    part[path[-1]] = draw(values)
                case "remove":
                    del part[path[-1]]
                case "add":
                    part[path[-1]][draw(words)] = draw(values)
                case "rename":
                    part[draw(words)] = part.pop(path[-1])
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier change has taken the place away
    return changed


@SLOW
@given(configs())
@example(DEFAULT | {"models": {"../up": DEFAULT["models"]["nano"]}})
@example(DEFAULT | {"stimuli": {"..": {"kind": "notes"}}})
def test_any_config_is_taken_or_refused_in_words(tmp_path, changed):
    taken, refusal = attempt(lambda: config.load_config(changed, SCHEMA))
    if refusal:
        assert "config/config.yaml: " in refusal
        return
    points = table_of_points(taken)
    for name in [*taken["models"], *taken["stimuli"], *points["point"], *points["route"]]:
        inside = (tmp_path / "results" / name).resolve()
        assert inside.parent == tmp_path / "results", name
        assert name.isprintable()
    missing_files(taken, {*taken["models"], *taken["stimuli"]})
    for model in taken["models"].values():
        recipe_of_point(model, "linear-0.500")


cells = words | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def tables(draw):
    """Bytes of a sheet: odd cells, odd line ends, odd encodings, missing and doubled fields."""
    delimiter = draw(st.sampled_from(["\t", ",", ";"]))
    columns = draw(st.lists(st.sampled_from(["path", "text", "clip", "pitch", ""]) | cells,
                            max_size=4))  # fmt: skip
    rows = draw(st.lists(st.lists(cells, max_size=5), max_size=5))
    end = draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    text = end.join(delimiter.join(row) for row in [columns, *rows])
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]))
    return text.encode(encoding, errors="replace") + draw(st.binary(max_size=4))


json_lines = st.lists(
    st.dictionaries(st.sampled_from(["text", "clip", "label"]) | words, values, max_size=3)
    | values,
    max_size=4,
).map(lambda rows: "\n".join(map(json.dumps, rows)).encode(errors="replace"))


@SLOW
@given(content=tables() | json_lines | st.binary(max_size=200), suffix=st.sampled_from(
    [".tsv", ".csv", ".txt", ".jsonl"]), kind=st.sampled_from(["audio", "text"]))  # fmt: skip
@example(content=b"", suffix=".tsv", kind="audio")
@example(content=b"path\n../../../etc/passwd\n", suffix=".tsv", kind="audio")
@example(content=b"path\n\x00\n", suffix=".tsv", kind="audio")
@example(content=b"text\n" + b"x" * 200_000 + b"\n", suffix=".tsv", kind="text")
@example(content=b'{"text": 3}\n[]\n', suffix=".jsonl", kind="text")
@example(content=b"null\n", suffix=".jsonl", kind="text")
@example(content=b'{"text": "x"}\n"string"\n', suffix=".jsonl", kind="text")
@example(content=b'{"text": "x", "l": 1}\n{"text": "y", "l": "one"}\n{"text": 3, "l": [1]}\n',
         suffix=".jsonl", kind="text")  # fmt: skip
@example(content=b'{"text": "x", "clip": "' + b"c" * 300 + b'"}\n', suffix=".jsonl", kind="text")
@example(content=b'{"text": null}\n', suffix=".jsonl", kind="text")
@example(content="\ufefftext\r\né\r\n".encode(), suffix=".csv", kind="text")
def test_any_sheet_is_read_or_refused_in_words(tmp_path, content, suffix, kind):
    sheet = tmp_path / f"a sheet's{suffix}"
    sheet.write_bytes(content)
    asked = {"kind": kind, "sheet": str(sheet)} | ({"seconds": 1} if kind == "audio" else {})
    recordings.hash_of_sizes(asked, tmp_path / "none.parquet")
    clips, refusal = attempt(lambda: stimuli.clips(asked))
    if refusal:
        assert str(sheet) in refusal
        return
    assert isinstance(clips, pd.DataFrame)
    assert len(clips)
    clips.to_parquet(tmp_path / "clips.parquet")


def test_doubled_clips_are_told(tmp_path):
    (tmp_path / "a.tsv").write_text("clip\ttext\nx\ta\nx\tb\n")
    with pytest.raises(RasenError, match=r"clip 'x' .* 2 times"):
        stimuli.clips({"kind": "text", "sheet": str(tmp_path / "a.tsv")})


@SLOW
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode)
       | st.text(alphabet="{}[]:-&*!|>%@'\"#, \n\tab01", max_size=80).map(str.encode))  # fmt: skip
def test_any_bytes_are_a_config_file_or_refused_in_words(tmp_path, content):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    _, refusal = attempt(lambda: require_plain([path]))
    if refusal:
        assert str(path) in refusal
    else:
        text = content.decode("utf-8-sig")
        try:  # as Snakemake does: JSON may be indented by tabs, YAML may not
            json.loads(text)
        except ValueError:
            yaml.safe_load(text)
