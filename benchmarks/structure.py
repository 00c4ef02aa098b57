"""Sections: the three backends on the fixture songs and on five longer forms, in one table.

    $(workflow/install allin1) benchmarks/structure.py [--size full|tiny] [--allin1 FOLDER]

The true sections are known. `novelty` reads audio and lyrics, `given` an annotation (here the true
one, so it shows that nothing is lost on the way), `allin1` the audio. Without --allin1 its networks
have random weights: they show the time that it takes, and what chance scores.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow/scripts"), str(ROOT / "tests/songs")]

import torch
from random_allin1 import save_random
from scores import accuracy, hit_rate, pairwise

from rasen.songs.demo import compose
from rasen.songs.structure import BACKENDS, allin1, find_sections

FIXTURES = ROOT / "resources/songs"
FORMS = {  # seconds of each kind of section are drawn: 10 to 24
    "ballad": "intro verse verse chorus verse chorus bridge chorus chorus outro",
    "pop": "intro verse chorus verse chorus inst bridge chorus outro",
    "rock": "intro verse chorus inst verse chorus inst chorus outro",
    "dance": "intro inst verse chorus inst verse chorus inst outro",
    "folk": "verse inst verse inst verse chorus verse outro",
}
SUNG = ("verse", "chorus", "bridge")
SIZES = {"full": [*FORMS], "tiny": ["folk"]}
torch.set_num_threads(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="full", choices=SIZES)
    parser.add_argument("--allin1", type=Path, help="folder of the genuine checkpoints")
    given = parser.parse_args()
    songs = [*(fixture(name) for name in ("river", "tsuki", "yue"))][
        : 3 if given.size == "full" else 1
    ]
    songs += [long_form(name, seed) for seed, name in enumerate(SIZES[given.size])]
    print("song seconds backend F@0.5s F@3s pairwise labels CPU_s".replace(" ", "\t"))
    with tempfile.TemporaryDirectory() as folder:
        weights = given.allin1 or random_weights(Path(folder))
        model = allin1.open_model(weights)
        for name, rows, alignment, stems in songs:
            annotation = Path(folder) / "sections.tsv"
            annotation.write_text("".join(f"{a}\t{b}\t{label}\n" for a, b, label in rows))
            for backend in BACKENDS:
                start = time.process_time()
                table = find_sections(
                    backend, stems, compose.RATE, alignment, annotation=annotation, model=model
                )
                seconds = time.process_time() - start
                found = list(table[["start", "end", "label"]].itertuples(index=False, name=None))
                shown = backend
                if backend == "allin1" and not given.allin1:
                    shown += " (random weights)"
                print(
                    f"{name}\t{rows[-1][1]:.0f}\t{shown}\t{boundaries(rows, found, 0.5):.2f}\t"
                    f"{boundaries(rows, found, 3):.2f}\t{pairwise(rows, found):.2f}\t"
                    f"{accuracy(rows, found):.2f}\t{seconds:.1f}",
                    flush=True,
                )


def boundaries(truth, found, window):
    """F of the boundaries inside the song."""
    return hit_rate([row[0] for row in truth][1:], [row[0] for row in found][1:], window)


def fixture(name):
    """(name, sections, alignment, stems) of a song of the fixtures."""
    truth, vocals, band = compose.fixture_song(FIXTURES, name, 0)
    rows = [(s["start"], s["end"], s["label"]) for s in truth["sections"]]
    lines = [as_line(line, line["section"]) for line in truth["lines"]]
    return name, rows, {"lines": lines}, {"vocals": vocals, "accompaniment": band}


def long_form(name, seed):
    """The same of a longer song: the fixture's lines are sung in its sections, choruses alike."""
    rng, now, rows = np.random.default_rng(seed), 0.0, []
    labels = FORMS[name].split()
    seconds = {label: float(rng.choice([10, 12, 16, 20, 24])) for label in sorted({*labels})}
    for label in labels:
        rows.append((now, now + seconds[label], label))
        now += seconds[label]
    truth = json.loads((FIXTURES / "truth/river.json").read_text(encoding="utf-8"))
    sung = compose.read_mono(FIXTURES / "vocals/river.ogg", compose.RATE)
    voice, lines, used = np.zeros(round(now * compose.RATE), np.float32), [], 0
    for paragraph, (start, end, label) in enumerate(rows):
        if label not in SUNG:
            continue
        place = start + 0.5
        number = 0 if label == "chorus" else used
        while True:  # line by line, as long as the section lasts
            line = truth["lines"][number % len(truth["lines"])]
            length = line["end"] - line["start"]
            if place + length > end - 0.3:
                break
            part = sung[round(line["start"] * compose.RATE) : round(line["end"] * compose.RATE)]
            at = round(place * compose.RATE)
            voice[at : at + len(part)] += part
            # Every verse has words of its own, the choruses have the same.
            text = f"{line['text']} {'chorus' if label == 'chorus' else paragraph}"
            times = {"text": text, "start": place, "end": place + length}
            lines.append(as_line({**line, **times}, paragraph))
            place, number = place + length + 0.3, number + 1
        used = used if label == "chorus" else number
    sections = [{"start": a, "end": b, "label": label} for a, b, label in rows]
    vocals, band = compose.add_accompaniment(voice, sections, seed)
    return name, rows, {"lines": lines}, {"vocals": vocals, "accompaniment": band}


def as_line(line, paragraph):
    """A line as the alignment has it, without the name of its section."""
    known = {"text": line["text"], "start": line["start"], "end": line["end"]}
    return {**known, "paragraph": paragraph, "section": None, "kept": True}


def random_weights(folder):
    """A folder with a checkpoint of the genuine format and random weights."""
    save_random(folder / "harmonix-fold0-0vra4ys2.pth", 0)
    return folder


if __name__ == "__main__":
    main()
