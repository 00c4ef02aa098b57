"""Config files that are no plain data are refused in one line, before Snakemake reads them."""

import json
import os

import pytest
import yaml

from rasen.errors import RasenError
from rasen.study.config_file import require_plain

BOMB = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, after in zip("abcdefghi", "bcdefghij", strict=True)
)


def problem(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RasenError) as error:
        require_plain([path])
    return str(error.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (bytes(range(256)), "is not text in UTF-8 (byte 128); save it as UTF-8"),
        ("seed: 1\n".encode("utf-16"), "is not text in UTF-8 (byte 0); save it as UTF-8"),
        ("seed: 1\n# caf\xe9\n".encode("latin-1"), "is not text in UTF-8 (byte 13); save"),
        ("seed: 1\nhelix: {}\nseed: 2\n", "'seed' stands twice (lines 1 and 3); keep one"),
        ("models:\n  m: {a: 1}\n  m: {b: 2}\n", "'m' stands twice (lines 2 and 3); keep one"),
        ('{"seed": 1, "models": {"m": 1, "m": 2}}', "'m' stands twice in one place; keep one"),
        (BOMB, "its anchors stand for more than 500,000 values; write plain ones"),
        ("a: &a {b: *a}\n", "its anchors stand for more than 500,000 values"),
        ("models:\n\tm: 1\n", "line 2: found character '\\t' that cannot start any token; indent"),
        ("seed: !!python/object/apply:os.getpid []\n", "line 1: '!python/object/apply:os.getpid'"),
        ("seed: !custom 1\n", "is no plain value; write a number, a word or a list"),
        ("a: " + "[" * 100 + "]" * 100, "is nested too deeply for a config"),
        ("[" * 5000, "is nested too deeply for a config"),
        (json.dumps({"a": json.loads("[" * 100 + "]" * 100)}), "is nested too deeply"),
        ("a: 1\n" + "# long\n" * 300_000, "is too large: a config has 2 MB at most"),
        ("a: 1\nfolder: {{name}}\n", "line 2: a key in braces or brackets; write a word, or quote"),
        ("? [a, b]\n: 1\n", "line 1: a key in braces or brackets"),
        ("a: 1\nday: 2026-13-45\n", "line 2: 2026-13-45 looks like timestamp and is none (month"),
        ("a: 1\n<<: 2\n", "line 2: expected a mapping or list of mappings for merging"),
        ("seed: " + "9" * 5000, "looks like int and is none (Exceeds the limit"),
        ("seed: 9223372036854775808\n", "9223372036854775808 is too large a number"),
        ("a: 1\nday: !!timestamp foo\n", "line 2: foo looks like timestamp and is none"),
        ("a: !!int\n", "looks like int and is none"),
        ("a: !!bool x\n", "x looks like bool and is none"),
        ("<<: {__use_yte__: true}\nseed: 1\n", "says `__use_yte__`"),
        ("a: &t {__use_yte__: true}\n<<: *t\n", "says `__use_yte__`"),
        ('\ufeff{"<<": {"__use_yte__": true}}', "says `__use_yte__`"),
        ("__use_yte__: true\n", "says `__use_yte__`: such a file runs code when it is read"),
        ('{"__use_yte__": false}', "says `__use_yte__`"),
    ],
    ids=str,
)
def test_what_is_no_plain_data(tmp_path, content, told):
    text = problem(tmp_path / "config.yaml", content)
    assert text.startswith(f"{tmp_path}/config.yaml: ")
    assert told in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "text",
    [
        "", "seed: 1\n", "\ufeffseed: 1\n", '{"seed": 1,\n\t"b": [1, 2]}', "a: &x [1, 2]\nb: *x\n",
        "base: &b {k: 1}\nother: {<<: *b, k: 2}\n", "a: 2026-11-22\nb: 1e-3\nc: ~\n", "- 1\n",
    ],
)  # fmt: skip
def test_plain_data_are_taken(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    require_plain([path, tmp_path / "absent.yaml"])
    yaml.safe_load(text.removeprefix("\ufeff").replace("\t", " "))


def test_all_files_are_told_at_once(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("seed: 1\nseed: 2\n")
    with pytest.raises(RasenError) as error:
        require_plain([tmp_path / "a", tmp_path / "b"])
    assert str(error.value).count("stands twice") == 2


def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(RasenError, match=f"{name}: is not a file"):
            require_plain([tmp_path / name])
