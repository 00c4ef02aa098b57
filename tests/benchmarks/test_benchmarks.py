"""Every benchmark runs at its smallest size and gives its rows, so that none can rot."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import rows  # noqa: E402
from rows import Row, Rows, read_rows  # noqa: E402

RUN_BY = {  # every file of benchmarks/: the test here that runs it
    "run.py": "test_gpu_table",
    "job.py": "test_gpu_table",
    "sizes.py": "test_gpu_table",
    "gpu.py": "test_gpu_table",
    "gpu_sae.py": "test_gpu_table",
    "gpu_songs.py": "test_gpu_table",
    "rows.py": "test_gpu_table",
    "helix.py": "test_helix",
    "probes.py": "test_probes",
    "encoders.py": "test_encoders",
    "songbloom.py": "test_songbloom",
    "songbloom_memory.py": "test_songbloom_memory",
    "sae.py": "test_sae",
    "songs.py": "test_songs",
    "starts.py": "test_starts",
    "explorer.py": "test_explorer",
    "structure.py": "test_structure",
    "song_networks.py": "test_song_networks",
}
ONLY_A_GPU = ("waits for the GPU", "peak on the GPU")


def run(script, *arguments, python=sys.executable):
    """What a benchmark prints."""
    command = [python, BENCHMARKS / script, *arguments]
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(name):
    """The Python of an environment, installed where it is missing."""
    made = subprocess.run([ROOT / "workflow/install", name], text=True, stdout=subprocess.PIPE)
    assert made.returncode == 0
    return made.stdout.strip()


def test_every_file_is_run_here():
    assert {path.name for path in BENCHMARKS.glob("*.py")} == set(RUN_BY)
    assert set(RUN_BY.values()) <= set(globals())


def cells(table):
    """{what: (measured, target, note)} of a Markdown table; headings are left out."""
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    parted = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert len({line[0] for line in parted}) == len(parted), "a row stands there twice"
    return {what: rest for what, *rest in parted}


def test_gpu_table(tmp_path):
    path = tmp_path / "table.md"
    run("gpu.py", "--size", "tiny", "--device", "cpu", "--table", path)
    text = path.read_text()
    assert re.search(r"\d{4}-\d\d-\d\d, commit \S+; Python [\d.]+, torch [\d.]+", text)
    table = cells(text)
    for what, (measured, _, note) in table.items():
        if any(part in what for part in ONLY_A_GPU):
            assert (measured, note) == ("-", "only a GPU can tell"), what
        else:
            assert math.isfinite(float(measured.split()[0].replace(",", ""))), (what, note)
    wanted = [
        "blend: speed / speed of lerp_",
        "float32: activations (mean), speed / bare forward",
        "bfloat16: activations (mean), speed / bare forward",
        "gradient: time of a step / bare forward and backward",
        "gradient, checkpointing: time of a step / bare forward and backward",
        "float32: perplexity, speed / bare forward",
        "encoding: speed / bare codec",
        "job that dumps a point: peak",
        "SAE, Rasen, bf16 / sparsify",
        "MuQ, float32, windows at once: 8; speed / bare network",
        "VAE, chunks at once: 1; speed / bare network",
    ]
    assert set(wanted) <= set(table)
    for what in ("gradient", "SAE, Rasen, topk: 10 steps"):  # on one thread of a CPU bits repeat
        same = [cells for name, cells in table.items() if name.startswith(what) and "bits" in name]
        assert [measured for measured, *_ in same] == ["1"]


def test_a_section_without_time_does_not_stop_the_others(tmp_path):
    path = tmp_path / "table.md"
    run("gpu.py", "--size", "tiny", "--device", "cpu", "--table", path, "--limit", "0")
    table = cells(path.read_text())
    import gpu

    assert set(table) == set(gpu.SECTIONS)
    assert all(note.startswith("stopped: no time left") for _, _, note in table.values())


def test_a_missing_peer_is_named_and_stops_no_other_row(tmp_path):
    """sparsify is in no other environment than saelens."""
    run(
        "gpu_sae.py", "--size", "tiny", "--device", "cpu", "--repeats", "1",
        "--rows", tmp_path / "rows.jsonl",
    )  # fmt: skip
    made = {row.what: row for row in read_rows(tmp_path / "rows.jsonl")}
    assert made["SAE, sparsify"].measured is None
    assert made["SAE, sparsify"].note == "not installed: sparsify"
    assert made["SAE, Rasen, bf16"].measured > 0
    assert "SAE, Rasen, bf16 / sparsify" not in made


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried\nmore"), "out of memory: CUDA out of"),
        (MemoryError(), "out of memory: no message"),
        (ModuleNotFoundError("No module", name="muq"), "not installed: muq"),
        (RuntimeError("odd"), "failed: RuntimeError: odd"),
    ],
)
def test_a_row_that_fails_is_recorded_with_its_reason(tmp_path, error, note):
    made = Rows(tmp_path / "rows.jsonl")
    with made.attempt("first"):
        made.add("before", 2.0, "s")
        raise error
    made.add("second", 1.0)
    first, failed, second = read_rows(tmp_path / "rows.jsonl")
    assert (first.what, first.measured, second.what) == ("before", 2.0, "second")
    assert failed.what == "first"
    assert failed.measured is None
    assert failed.note.startswith(note)


def test_targets():
    assert Row("speed", 0.8, target=0.9).missed
    assert not Row("memory", 0.8, target=0.9, at_most=True).missed
    assert not Row("speed", None, target=0.9).missed
    assert Row("small", 2.5e-7, "nats").figure == "2.5e-07 nats"
    assert rows.fingerprint([torch.ones(3)]) != rows.fingerprint([torch.ones(3) * (1 + 2**-23)])


def test_helix(tmp_path):
    path = tmp_path / "rows.json"
    run("helix.py", "--size", "tiny", "--json", path)
    made = json.loads(path.read_text())
    assert len(made["fits"]) == 6
    assert all(0 < fit["ms"] < 1000 for fit in made["fits"].values())
    assert made["job"]["fits"] == 721_280
    assert len(made["trials"]) == 4
    assert all(case["exact"] >= max(case["trials"]) for case in made["trials"])


def test_sae():
    printed = run("sae.py", "--size", "tiny", python=environment("saelens"))
    found = re.findall(r"^(\S.*?) {2,}([\d.]+)(?: |$)", printed, re.M)
    made = {what: float(figure) for what, figure in found}
    assert {"SAELens", "dictionary_learning", "sparsify", "Rasen, relu"} <= set(made)
    assert {"Rasen / SAELens", "Rasen / sparsify"} <= set(made)
    assert all(figure > 0 for figure in made.values())


def test_probes(tmp_path):
    file = tmp_path / "rows"
    run("probes.py", "--size", "tiny", "--rows", file, python=environment("songs"))
    measured = {row.what: row.measured for row in read_rows(file)}
    assert all(math.isfinite(value) for value in measured.values())
    assert measured["nested folds: speed / speed of scikit-learn"] > 1
    assert measured["largest difference in accuracy, thousandths"] < 30
    assert len(measured) == 18


def test_songs():
    printed = run("songs.py", "--size", "tiny")
    assert re.search(r"reader, 20 songs in 2 shards: \d+ windows", printed)
    from rasen.songs.layout import STAGES

    for stage in STAGES:
        seconds = re.search(rf"^ *2 +{stage} +([\d.]+)", printed, re.M)
        assert seconds, stage
        assert float(seconds[1]) > 0


def test_structure():
    printed = run("structure.py", "--size", "tiny", python=environment("allin1"))
    rows = [line.split("\t") for line in printed.splitlines()[1:]]
    assert [row[:3:2] for row in rows[:3]] == [
        ["river", "novelty"],
        ["river", "allin1 (random weights)"],
        ["river", "given"],
    ]
    assert [row[0] for row in rows[3:]] == ["folk"] * 3
    assert rows[2][3:7] == ["1.00"] * 4
    assert float(rows[0][4]) > 0.9


def test_song_networks():
    printed = run("song_networks.py", "--size", "tiny", python=environment("songs"))
    shares = dict(re.findall(r"^(\w+): .* s: ([\d.]+) \(target 0.80\)$", printed, re.M))
    assert set(shares) == {"MuQ", "VAE"}
    assert all(float(share) > 0 for share in shares.values())


def test_encoders():
    printed = run("encoders.py", "--size", "tiny", "--seconds", "1")
    for name in ("muq", "mert"):
        assert f"{name}: all layers pooled and written" in printed
        assert f"{name}: peak memory" in printed
    assert "muq: masked loss (5 passes)" in printed
    assert not re.search(r" - *$", printed, re.M), printed  # nothing that could not be measured


def test_starts():
    printed = run("starts.py", "--repeats", "1")
    assert "MISSED" not in printed, printed
    assert re.search(r"start of a job: warm / plain +0\.", printed), printed


def test_explorer():
    printed = run("explorer.py", "--size", "tiny")
    assert re.search(r"^folder +[\d.]+ MB", printed, re.M), printed
    assert "helix painted" in printed or "no Chromium here" in printed


def test_songbloom():
    printed = run("songbloom.py", "--seconds", "2")
    assert "step / its transformers alone" in printed
    assert re.search(r"share of equal tokens +1 ", printed)
    assert not re.search(r" - *$", printed, re.M), printed


def test_songbloom_memory():
    printed = run("songbloom_memory.py", "--size", "tiny")
    ratios = dict(re.findall(r"^cpu, (.*): predicted / measured +([\d.]+) ", printed, re.M))
    assert len(ratios) == 3, printed
    assert all(0.9 <= float(ratio) <= 1.1 for ratio in ratios.values()), printed
    assert len(re.findall(r"^cuda, wide, .*: predicted / measured ", printed, re.M)) == 2
