"""The positive and the negative control of the helix: what a yes and a no look like.

    python tests/controls.py --seeds 5 [--folder DIR]

Trains nano on music in which every note is answered octaves away, and a twin whose answers are 11
semitones away, and judges both. The first has to earn `octave` in its trained layers, the second
never.
Prints one row per model; five seeds take a quarter of an hour on one core.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from rasen.families import open_family
from rasen.helix import judge
from rasen.measure.interpolate import network_at_point
from rasen.nano.make import NanoSettings, make_nano
from rasen.stimuli.notes import NoteSettings, note_clips, note_sound
from rasen.study.recipe import Recipe

KEYS = 48  # four octaves, as in the demo


@torch.inference_mode()
def note_features(folder: Path) -> np.ndarray:
    """Features of single notes in a trained nano: [layer, instrument, key, dim]."""
    family = open_family("musicgen", folder)
    network = network_at_point(family, Recipe("musicgen", str(folder), "trained"), "cpu")
    notes = note_clips(NoteSettings(keys=KEYS))
    layers = []
    for _, clips in notes.groupby("instrument", sort=False):
        codes = [
            torch.from_numpy(family.encode(note_sound(row, family.sample_rate), "cpu")["codes"])
            for row in clips.itertuples()
        ]
        lengths = torch.tensor([len(code) for code in codes])
        batch = {"codes": torch.stack(codes), "lengths": lengths}
        wanted = range(len(family.layers))
        layers.append([h.mean(1).numpy() for _, h in family.hidden(network, batch, wanted)])
    return np.stack(layers, axis=1)


def control(interval: int, seed: int, folder: Path) -> pd.DataFrame:
    """The judgement of a nano whose music has answers `interval` semitones away."""
    make_nano(NanoSettings(seed=seed, interval=interval), folder)
    return judge(note_features(folder), seed=seed)


def described(table: pd.DataFrame) -> str:
    """The verdicts of the trained layers (all but the embedding), in one line."""
    trained = table[table["layer"] > 0]
    return (
        f"octave in {(trained['verdict'] == 'octave').sum()} of {len(trained)} layers, "
        f"p {trained['octave_p'].min():.2g} to {trained['octave_p'].max():.2g}, "
        f"folding {trained['folding'].mean():.2f} (best other period "
        f"{trained['folding_rival'].mean():.2f}), held-out octave "
        f"{trained['held_out_octave'].mean():.2f} (p {trained['held_out_p'].max():.2g} at most)"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        for interval in (12, 11):
            for seed in range(arguments.seeds):
                table = control(interval, seed, folder / f"nano-{interval}-{seed}")
                print(f"interval {interval}, seed {seed}: {described(table)}", flush=True)


if __name__ == "__main__":
    main()
