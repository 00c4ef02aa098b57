"""A study of three families in two environments, with probes: small enough for local and SLURM."""

import subprocess

import numpy as np
import soundfile
import tiny
import yaml
from study import ROOT, Study

RATE = 24000


def make_jukebox(folder):
    """The tiny Jukebox, made in its own environment."""
    python = subprocess.check_output([ROOT / "workflow/install", "jukebox"], text=True).strip()
    make = f"import tiny; tiny.jukebox({str(folder)!r})"
    subprocess.run([python, "-c", make], cwd=ROOT / "tests", check=True)


def beats(folder):
    """Six recordings of clicks at different tempos, with sheets of clips, beats and chords."""
    rng = np.random.default_rng(0)
    clips, times, chords = ["path\tsong\ttags"], ["clip\ttime"], ["clip\tstart\tend\tchord"]
    for number, period in enumerate(np.linspace(0.3, 0.55, 6)):
        name = f"{number:06d}-click{number}"
        sound = 0.001 * rng.standard_normal(3 * RATE)
        for time in np.arange(0.1, 2.95, period):
            place = int(time * RATE)
            sound[place : place + 240] += np.hanning(240) * rng.choice([-1, 1], 240)
            times.append(f"{name}\t{time:.3f}")
        half = np.arange(3 * RATE) / RATE
        pitch = np.where(half < 1.5, 220, 330 + 40 * (number % 2))
        sound += 0.2 * np.sin(2 * np.pi * pitch * half)
        chords.append(f"{name}\t0\t1.5\tA")
        chords.append(f"{name}\t1.5\t3\t{'E' if number % 2 == 0 else 'F'}")
        soundfile.write(folder / f"click{number}.wav", 0.5 * sound / np.abs(sound).max(), RATE)
        clips.append(f"click{number}.wav\tsong{number}\t{'loud; fast' if number < 3 else 'slow'}")
    for name, lines in (("clips", clips), ("beats", times), ("chords", chords)):
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def three_families(folder):
    """MusicGen and MuQ (core), Jukebox (its own environment), read by the same probes."""
    folder.mkdir(parents=True, exist_ok=True)
    tiny.musicgen(folder / "musicgen")
    tiny.muq(folder / "muq")
    make_jukebox(folder / "jukebox")
    beats(folder)
    every = {"memory": 1500, "runtime": 10, "probes": ["pitch_class", "instrument"]}
    config = {
        "models": {
            "musicgen": {"family": "musicgen", "weights": "./musicgen", "perplexity": "music"}
            | every,
            "muq": {"family": "muq", "weights": "./muq", "perplexity": "music",
                    "batch_norm": "music"}
            | every | {"probes": [*every["probes"], "beat", "chord"]},
            "jukebox": {"family": "jukebox", "weights": "./jukebox", "perplexity": "music"}
            | every,
        },
        "routes": {
            "linear": {"whole": [0, 0.5, 1], "near": [1]}, "gradient": {"positions": []},
        },
        "stimuli": {
            "notes": {"kind": "notes", "keys": 6, "repeats": 1, "beats": 1,
                      "instruments": ["piano", "organ", "flute", "brass"]},
            "clicks": {"kind": "audio", "sheet": "clips.tsv", "seconds": 3},
            "music": {"kind": "melodies", "clips": 3, "seconds": 1, "seed": 1},
        },
        "tasks": {
            "pitch_class": {"stimuli": "notes", "label": "pitch_class"},
            "instrument": {"stimuli": "notes", "label": "instrument", "groups": "pitch"},
            "beat": {"stimuli": "clicks", "label": "beat", "kind": "frames",
                     "intervals": "beats.tsv", "metrics": ["beat_f"]},
            "chord": {"stimuli": "clicks", "label": "chord", "kind": "frames",
                      "intervals": "chords.tsv"},
        },
        "probes": {"folds": 3, "bootstrap": 100, "epochs": 3, "lens": True,
                   "similarity": {"stimuli": "notes", "measures": ["cka", "pwcca"]}},
        "perplexity": {"bootstrap": 100},
    }  # fmt: skip
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return Study(folder)
