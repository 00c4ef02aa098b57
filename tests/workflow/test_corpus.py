"""A corpus of many short songs that is killed, grows and shrinks equals one that was never touched.

RASEN_CORPUS=2000 gives it the size of a real one (half an hour or more); else it has 24 songs.
"""

import hashlib
import os
import shutil
import signal
import time

import numpy as np
import pytest
import soundfile
from study import ROOT, Study

from rasen.io import parquet

SIZE = int(os.environ.get("RASEN_CORPUS", 24))
GROWN, SHRUNK = max(4, SIZE // 20), max(2, SIZE // 40)  # songs that come, and that go
BATCH = max(8, SIZE // 4)
RATE, SECONDS = 8000, 1.5
FIXTURES = ROOT / "resources/songs"


def write_song(path, number):
    """A chord of its own for every song, with noise."""
    rng = np.random.default_rng(number)
    time = np.arange(int(RATE * SECONDS)) / RATE
    notes = 110 * 2 ** (rng.integers(0, 36, 3)[:, None] / 12)
    sound = 0.1 * np.sin(2 * np.pi * notes * time).sum(axis=0)
    soundfile.write(path, sound + 0.02 * rng.standard_normal(len(time)), RATE)


@pytest.fixture(scope="module")
def audio(tmp_path_factory):
    folder = tmp_path_factory.mktemp("audio")
    for number in range(SIZE + GROWN):
        write_song(folder / f"{number:05d}.wav", number)
    return folder


def new_study(folder, audio, codebook):
    """A study of songs alone: instrumentals, with the small models of the demo."""
    folder.mkdir(parents=True)
    (folder / "audio").symlink_to(audio)
    (folder / "resources").mkdir()
    (folder / "resources/songs").symlink_to(FIXTURES)
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(
        "songs:\n"
        "  sheet: config/songs.tsv\n"
        f"  batch: {BATCH}\n"
        "  shortest: 1\n"
        "  longest: 2\n"
        "  threads: 1\n"
        "  memory: 1500\n"
        "  separate: {model: null}\n"
        "  align: {whisper: null, aligners: {en: resources/songs/models/aligner}}\n"
        "  sketch: {model: resources/models/demo-muq, layer: 2, codes: 16, "
        f"codebook: {codebook}}}\n"
        "  latents: {model: resources/models/demo-vae}\n"
    )
    return Study(folder)


def write_sheet(study, numbers):
    rows = [f"s{n:05d}\t../audio/{n:05d}.wav\tinst\tartist {n % 17}\n" for n in numbers]
    text = "song\taudio\tlyrics\tartist\n" + "".join(rows)
    (study.folder / "config/songs.tsv").write_text(text)


def state(study):
    """{path: hash} of what a reader of the data opens: tables, shards, and the songs' own files."""
    results = study.folder / "results"
    paths = [*results.glob("tables/*"), *results.glob("shards/*.h5")]
    songs = parquet.read_table(results / "tables/songs.parquet")["song"]
    for song in songs:
        paths += [p for p in (results / "songs" / song).iterdir() if not p.name.startswith(".")]
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
    }


def kill_after(study, seconds):
    """Start a run and kill Snakemake and its jobs, all at once, while they work."""
    process = study.start("songs", start_new_session=True)
    time.sleep(seconds)
    assert process.poll() is None, "the run was over before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    study.snakemake("--unlock")


def test_killed_twice_grown_and_shrunk(tmp_path, audio):
    first = new_study(tmp_path / "first", audio, "null")
    write_sheet(first, range(SIZE))
    first.snakemake("results/sketch/codebook.safetensors")
    codebook = shutil.copy(first.folder / "results/sketch/codebook.safetensors", tmp_path)

    disturbed = new_study(tmp_path / "disturbed", audio, codebook)
    write_sheet(disturbed, range(SIZE))
    kill_after(disturbed, 20)
    kill_after(disturbed, 30)
    disturbed.snakemake("songs")
    assert len(parquet.read_table(disturbed.folder / "results/tables/songs.parquet")) == SIZE
    write_sheet(disturbed, range(SIZE + GROWN))
    disturbed.snakemake("songs")
    gone = set(range(5, 5 + SHRUNK))
    numbers = [number for number in range(SIZE + GROWN) if number not in gone]
    write_sheet(disturbed, numbers)
    disturbed.snakemake("songs")

    undisturbed = new_study(tmp_path / "undisturbed", audio, codebook)
    write_sheet(undisturbed, numbers)
    undisturbed.snakemake("songs")
    found, expected = state(disturbed), state(undisturbed)
    assert len(expected) > 3 * len(numbers)
    assert found == expected
    songs = parquet.read_table(disturbed.folder / "results/tables/songs.parquet")
    assert len(songs) + len(gone) == SIZE + GROWN
