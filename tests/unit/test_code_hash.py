"""Code hashes change with the code and with nothing else; commands fail in one line."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rasen import command
from rasen.study import code_hash as module
from rasen.study.code_hash import SCRIPTS, code_hash, pins_hash


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A package in which stage.py imports rasen.a, which imports rasen.b inside a function."""
    (tmp_path / "rasen/sub").mkdir(parents=True)
    (tmp_path / "rasen/__init__.py").touch()
    (tmp_path / "stage.py").write_text("from rasen import a\n\nprint(a.f())\n")
    (tmp_path / "rasen/a.py").write_text(
        '"""Doc."""\n\n\ndef f():\n    from rasen.sub.b import g\n    return g() # x\n'
    )
    (tmp_path / "rasen/sub/__init__.py").touch()
    (tmp_path / "rasen/sub/b.py").write_text("def g():\n    return '# no comment'\n")
    (tmp_path / "rasen/other.py").write_text("x = 1\n")
    monkeypatch.setattr(module, "SCRIPTS", tmp_path)
    for cached in (module._imports, module._bare):
        cached.cache_clear()
    return tmp_path


def edited(checkout, name, old, new):
    """Whether the hash of stage.py changes when one file is edited."""
    before = code_hash("stage.py")
    path = checkout / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    for cached in (module._imports, module._bare):
        cached.cache_clear()
    return code_hash("stage.py") != before


@pytest.mark.parametrize(
    ("name", "old", "new", "changes"),
    [
        ("rasen/a.py", "return g()", "return g() + 1", True),
        ("rasen/sub/b.py", "no comment", "no  comment", True),
        ("stage.py", "print(a.f())", "print(a.f(), 1)", True),
        ("rasen/a.py", "# x", "# another comment", False),
        ("rasen/a.py", '"""Doc."""', '"""Another\n\ndocstring."""', False),
        ("rasen/a.py", "\n\n\ndef", "\n\ndef", False),
        ("rasen/a.py", "return g() # x", "return (  g( ) )", False),
        (
            "rasen/sub/b.py",
            "def g():\n    return '# no comment'\n",
            'def g(): "Doc."; return "# no comment"\n',
            False,
        ),
        ("rasen/other.py", "x = 1", "x = 2", False),
    ],
)
def test_only_edits_of_imported_code_count(checkout, name, old, new, changes):
    assert edited(checkout, name, old, new) == changes


def test_code_behind_a_docstring_on_its_line_counts(checkout):
    (checkout / "rasen/sub/b.py").write_text('def g(x=0): "doc"; return x + 1\n')
    assert edited(checkout, "rasen/sub/b.py", "x + 1", "x + 2")


def test_only_what_is_installed_counts_of_pins(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ENVS", tmp_path)
    pins = tmp_path / "core.txt"

    def after(text):
        pins.write_text(text)
        return pins_hash("core")

    first = after("torch==2.13.0\nnumpy==2.3.4\n")
    assert after("# why\nnumpy == 2.3.4  # array\n\ntorch==2.13.0") == first
    assert after("torch==2.13.0\nnumpy==2.3.5\n") != first
    assert after("torch==2.13.0\n") != first
    assert after("torch==2.13.0\nnumpy==2.3.4\nsnakemake-x==1\n") == first, "no job imports it"


def test_named_modules_count_too(checkout):
    assert code_hash("stage.py") != code_hash("stage.py", "rasen.other")


def test_every_script_of_ours_can_be_hashed_and_explains_itself():
    scripts = sorted(SCRIPTS.glob("*.py"))
    assert scripts
    hashes = {code_hash(script.name) for script in scripts}
    assert len(hashes) == len(scripts)


def run(*arguments):
    script = Path(__file__).parents[2] / "workflow/scripts/list_stimuli.py"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True)


def test_commands_fail_in_one_plain_line(tmp_path):
    settings = '{"kind": "audio", "sheet": "nowhere.tsv", "seconds": 1}'
    result = run("--settings", settings, "--clips", tmp_path / "a.parquet")
    assert result.returncode == 1
    assert result.stderr == "Error: nowhere.tsv: no such file; correct `sheet` in the config\n"
    assert not list(tmp_path.iterdir())


def test_commands_explain_themselves():
    result = run("--help")
    assert result.returncode == 0
    assert "Write one row per clip" in result.stdout


def test_a_full_gpu_is_told_with_the_cure(monkeypatch):
    class OutOfMemoryError(RuntimeError):
        pass

    def stage(model: str):
        raise OutOfMemoryError("tried to allocate 20 GB")

    monkeypatch.setattr(sys, "argv", ["stage", "--model", "small"])
    with pytest.raises(SystemExit, match=r"set a lower `models.small.batch` .tried"):
        command.run(stage, out_of_memory="set a lower `models.{model}.batch`")


def test_every_job_on_a_gpu_says_which_settings_of_the_config_take_less_memory():
    """Named settings exist; the gradient's are its own, not the forward pass's."""
    schema = (SCRIPTS.parent / "schemas/config.schema.yaml").read_text()
    told = {}
    for path in SCRIPTS.glob("*.py"):
        if "pick_device(device" in (text := path.read_text()):
            told[path.stem] = re.findall(r"`([\w.{}]+)", text[text.index("out_of_memory=") :])
    assert len(told) == 24
    for script, settings in told.items():
        assert settings, script
        for setting in settings:
            assert re.search(rf"\b{setting.split('.')[-1]}:", schema), f"{script}: {setting}"
    assert told["correct_gradient"][0] == "models.{model}.gradient.batch"
    assert told["dump_activations"][0] == "models.{model}.batch"
