"""Songs: time of each stage per song, its startup per batch, and the reading speed of training.

    python benchmarks/songs.py [--size full|tiny] [--songs 50 100 200]

Runs the real workflow on that many short songs (cut from the fixture songs, each at its own tempo)
with the small models, two cores, one thread per job, and reads the times of each stage.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow/scripts"))

from rasen.io.audio import resample
from rasen.songs import shards
from rasen.songs.dataset import Windows
from rasen.songs.demo import compose
from rasen.songs.layout import STAGES

WORK = ROOT / "benchmarks/work/songs"
FIXTURES = ROOT / "resources/songs"
NAMES = ("river", "tsuki", "yue")
RATE = 44100
SECONDS = re.compile(r", ([\d.]+) s$", re.M)  # of a song, in a job's log
SIZES = {  # read: songs of the shards that the reader reads; the others: see the options
    "full": {"read": (200, 2000), "songs": [50, 100, 200], "batch": 16, "codes": 256, "times": 0},
    "tiny": {"read": (20,), "songs": [2], "batch": 2, "codes": 16, "times": 0},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="full", choices=SIZES)
    parser.add_argument("--songs", type=int, nargs="+")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--codes", type=int, help="in the codebook")
    parser.add_argument("--times", type=int, help="repeats of whole songs; 0: short cuts")
    given = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    arguments = argparse.Namespace(**SIZES[given["size"]] | given)
    for songs in arguments.read:
        reader(songs)
    rows = [row for count in arguments.songs for row in corpus(count, arguments)]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="%.2f"))
    growth(table)


def corpus(count, arguments):
    """One run: a row per stage with its seconds in total, per song, and of startup per batch."""
    folder = WORK / f"{count}"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "audio").mkdir(parents=True)
    (folder / "config").mkdir()
    (folder / "resources").mkdir()
    (folder / "resources/songs").symlink_to(FIXTURES)
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config["songs"] |= {"batch": arguments.batch, "shortest": 1}
    config["songs"]["filters"] = {"duplicates": False}
    config["songs"]["sketch"]["codes"] = arguments.codes
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    lines = ["song\taudio\tlyrics\tlanguage\tartist"]
    cuts = {name: cut(name, arguments.times) for name in NAMES}
    for number in range(count):
        name = NAMES[number % len(NAMES)]
        sound, words = cuts[name]
        stretch = 22050 + 10 * number  # no two are alike
        soundfile.write(folder / f"audio/{number}.flac", resample(sound, stretch, 22050).T, RATE)
        (folder / f"config/{name}.txt").write_text(words)
        language = {"river": "en", "tsuki": "ja", "yue": "zh"}[name]
        lines.append(f"s{number:05d}\t../audio/{number}.flac\t{name}.txt\t{language}\tA{number}")
    (folder / "config/songs.tsv").write_text("\n".join(lines) + "\n")
    start = time.perf_counter()
    command = [
        ROOT / ".venv/bin/snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder,
        "songs", "--cores", "2", "--quiet", "all",
    ]  # fmt: skip
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    wall = time.perf_counter() - start
    kept = len(pd.read_parquet(folder / "results/tables/songs.parquet"))
    print(f"{count} songs: {wall:.0f} s of wall time, {kept} in the training set", flush=True)
    for stage in STAGES:
        logs = (folder / "logs" / stage).glob("*.log")
        worked = [float(x) for log in logs for x in SECONDS.findall(log.read_text())]
        files = list((folder / "results/benchmarks" / stage).glob("*.tsv"))
        whole = sum(pd.read_csv(file, sep="\t")["s"].sum() for file in files)
        startup = whole - sum(worked)
        yield {
            "songs": count, "stage": stage, "seconds": whole, "per song": whole / count,
            "work per song": np.mean(worked), "startup per batch": startup / len(files),
            "share of startup": startup / whole,
        }  # fmt: skip


def cut(name, times):
    """(mix [2, time], its lyrics) of a fixture song: the whole song several times, or a verse."""
    truth, vocals, band = compose.fixture_song(FIXTURES, name, 0)
    mix = vocals + band
    if times:
        words = "\n".join(line["text"] for line in truth["lines"]) + "\n"
        return np.tile(mix, times), words * times
    section = next(s for s in truth["sections"] if s["label"] == "verse")
    inside = slice(round(section["start"] * RATE), round(section["end"] * RATE))
    words = [
        line["text"] for line in truth["lines"]
        if section["start"] <= line["start"] < section["end"]
    ]  # fmt: skip
    return mix[:, inside], "\n".join(words) + "\n"


def growth(table):
    """How a stage's seconds grow with the songs: a linear fit and its largest residual."""
    for stage, rows in table.groupby("stage", sort=False):
        if len(rows) > 2:
            slope, base = np.polyfit(rows["songs"], rows["seconds"], 1)
            residual = np.abs(rows["seconds"] - base - slope * rows["songs"]).max()
            print(f"{stage}: {slope:.3f} s per song + {base:.1f} s, at most {residual:.1f} s off")


def reader(songs, frames=7488):
    """Windows of 150 s read per second from shards of songs of five minutes, warm, and memory."""
    folder = WORK / "reader"
    shutil.rmtree(folder, ignore_errors=True)
    home = folder / "songs/s0"
    home.mkdir(parents=True)
    rng = np.random.default_rng(0)
    np.save(home / "sketch.npy", rng.integers(0, 16384, frames).astype(np.uint16))
    np.save(home / "latents.npy", rng.standard_normal((frames, 128)).astype(np.float16))
    (home / "phonemes.json").write_text(json.dumps(example_phonemes()))
    for number in range(1, songs):  # every shard has bytes of its own
        (folder / f"songs/s{number}").symlink_to("s0")
    names = pd.DataFrame({"song": [f"s{n}" for n in range(songs)]})
    names = names.assign(artist="", language="en", license="", seconds=frames / 25)
    parts = []
    for shard, start in enumerate(range(0, songs, 16)):
        path = folder / f"shards/{shard:05d}.h5"
        shards.write_shard(path, names[start : start + 16], folder / "songs")
        made = {"shard": path.stem, "split": "train", "codebook": "", "vae": ""}
        parts.append(shards.shard_contents(path).assign(**made))
    (folder / "tables").mkdir()
    pd.concat(parts).to_parquet(folder / "tables/songs.parquet")
    windows = Windows(folder / "tables/songs.parquet", seconds=150)
    rates, before = [], resident()
    for _ in range(4):
        start = time.perf_counter()
        for place in range(len(windows)):
            windows[place]
        rates.append(len(windows) / (time.perf_counter() - start))
    print(
        f"reader, {songs} songs in {len(parts)} shards: {np.median(rates[1:]):.0f} windows of "
        f"150 s per second, warm (target 100); {resident() - before:.0f} MB of memory for them"
    )
    shutil.rmtree(folder)


def example_phonemes():
    """Phonemes of the first four minutes: 15 sections, 60 lines, 360 words."""
    words = [
        {"start": at, "end": at + 0.5, "tokens": ["L", "AA1"], "ids": [7, 8]}
        for at in np.arange(360) * 2 / 3
    ]
    lines = [
        {"line": n, "start": 4 * n, "end": 4 * n + 4, "text": "la", "words": words[6 * n :][:6]}
        for n in range(60)
    ]
    sections = [
        {"flag": "verse", "start": 16 * n, "end": 16 * n + 16, "lines": lines[4 * n :][:4]}
        for n in range(15)
    ]
    marks = {"[verse]": 1, ".": 2, ",": 3}
    known = {"inventory": "example", "vocabulary": 9, "marks": marks}
    return {"language": "en", **known, "sections": sections}


def resident():
    """Megabytes of memory that this process holds (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


if __name__ == "__main__":
    main()
