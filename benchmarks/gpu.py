"""Everything that only a GPU can tell, in one table: make bench-gpu (under 30 minutes).

    python benchmarks/gpu.py [--size large|tiny] [--device cuda|cpu] [--only SECTION ...]

Each section runs in a process of its own with a time limit: one that fails, or is stopped, leaves
the rows it has and the reason, and the next one runs. The table goes to
benchmarks/gpu-DEVICE.md, or where --table says. Where environments cannot be installed, --here
runs every section with this Python; what it lacks is named in the table.
"""

import argparse
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

import torch
from rows import Row, markdown, read_rows

LIMIT = 1700  # seconds in all: a table and its reader want some, too


@dataclass(frozen=True)
class Section:
    """A script with arguments, the environment it runs in, and how long it may take."""

    script: str
    env: str
    seconds: int
    arguments: tuple[str, ...] = ()


def engine(group: str, seconds: int, *arguments: str) -> Section:
    return Section("run.py", "core", seconds, ("--only", group, "--repeats", "2", *arguments))


BOTH = ("--dtypes", "float32", "bfloat16")
SECTIONS = {
    "blend": engine("blend", 300),  # also makes the weights
    "activations": engine("activations", 360, *BOTH),
    "gradient": engine("gradient", 300),
    "perplexity": engine("perplexity", 240, *BOTH),
    "sae": Section("gpu_sae.py", "saelens", 300),
    "songs": Section("gpu_songs.py", "songs", 300),
    "precision": engine("precision", 120),
    "memory": engine("memory", 240),
    "encoding": engine("encoding", 180),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="large", choices=["large", "tiny"])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--table", type=Path)
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds in all")
    parser.add_argument("--here", action="store_true", help="this Python for every section")
    chosen = parser.parse_args()
    name = device_name(chosen.device)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    table = chosen.table or HERE / f"gpu-{slug}.md"
    end = time.monotonic() + chosen.limit
    rows: list[Row] = []
    for title in chosen.only:
        section = SECTIONS[title]
        print(f"\n=== {title}", flush=True)
        left = min(section.seconds, end - time.monotonic())
        python = sys.executable if chosen.here else python_of(section.env)
        rows += run(
            title, section, python, ["--size", chosen.size, "--device", chosen.device], left
        )
        table.write_text(heading(name, chosen.size) + markdown(rows), encoding="utf-8")
    print(f"\n{table}")


def run(title: str, section: Section, python: str, arguments: list[str], left: float) -> list[Row]:
    """The rows of one section; the last one says why, if it ended early."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        process = [python, HERE / section.script, *section.arguments, *arguments, "--rows", file]
        try:
            if left <= 0:
                raise subprocess.TimeoutExpired(process, 0)
            done = subprocess.run(process, timeout=left, stderr=subprocess.PIPE, text=True)
        except subprocess.TimeoutExpired:
            reason = f"stopped: no time left after {max(0.0, left):.0f} s"
        else:
            sys.stderr.write(done.stderr)
            last = (done.stderr.strip().splitlines() or [""])[-1][:200]
            reason = f"failed ({done.returncode}): {last}" if done.returncode else ""
        rows = read_rows(file)
    return [*rows, Row(title, None, note=reason)] if reason else rows


def python_of(env: str) -> str:
    """The interpreter of an environment, which is installed where it is missing."""
    if env == "core":
        return sys.executable
    made = subprocess.run([ROOT / "workflow/install", env], stdout=subprocess.PIPE, text=True)
    if made.returncode:
        print(f"environment {env} cannot be installed: its sections run with {sys.executable}")
        return sys.executable
    return made.stdout.strip()


def device_name(device: str) -> str:
    """What the device calls itself. Asked in another process: sections need the whole GPU."""
    if device == "cpu":
        return f"{platform.machine()} CPU"
    if not torch.cuda.is_available():
        sys.exit("Error: torch sees no GPU here; `--device cpu --size tiny` shows what would run")
    code = "import torch; print(torch.cuda.get_device_name())"
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()


def heading(name: str, size: str) -> str:
    """What the figures belong to."""
    versions = [f"Python {platform.python_version()}", f"torch {torch.__version__}"]
    if torch.version.cuda:
        versions.append(f"CUDA {torch.version.cuda}")
    for package in ("transformers", "triton"):
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"no {package}")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    return (
        f"# {name}\n\n`benchmarks/gpu.py --size {size}`, {date.today()}, commit {commit or '?'}; "
        f"{', '.join(versions)}. Weights are random. Of frames there are 50 in a second.\n\n"
    )


if __name__ == "__main__":
    main()
