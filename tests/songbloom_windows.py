"""Windows of made-up songs, and one training run of them: also a script, for several processes.

python tests/songbloom_windows.py '{"steps": 4, ...}' STATE OUT: trains, writes OUT/{losses.json,
N.safetensors, events/} from the first process; with KILL_AFTER=n it dies after step n.
"""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np

from rasen.networks.songbloom_config import preset
from rasen.songbloom.settings import TrainSettings

VOCABULARY, FLAGS, STOP, COMMA = 46, (1, 2, 3), 4, 5
TINY = {"width": 64 + 32, "heads": 3, "lm_layers": 2, "diff_layers": 1, "mlp": 2, "codes": 32}
TINY |= {"lyrics_rows": 24, "prompt_rows": 10}


def tiny(**changes):
    """A small network's config."""
    marks = {"vocabulary": VOCABULARY, "flags": FLAGS, "stop": STOP, "comma": COMMA}
    return preset("toy", **{**TINY, **marks, **changes})


class FakeWindows:
    """`count` windows of different songs, the second one patch shorter and not its song's last."""

    def __init__(self, count=3, frames=64, name="abc", codes=32):
        self.count, self.frames, self.name, self.codes = count, frames, name, codes

    def __len__(self):
        return self.count

    def identity(self):
        return {"songs": self.name, "codebook": "c", "vae": "v", "inventory": "i"}

    def __getitem__(self, place):
        index = place % self.count
        rng = np.random.default_rng(index)
        frames = self.frames - 16 * (index == 1)

        def normal(rows):
            return rng.standard_normal((rows, 64), dtype=np.float32)

        return {
            "place": place,
            "song": f"song-{index}",
            "last": index != 1,
            "sketch": rng.integers(0, self.codes, frames),
            "mean": normal(frames),
            "scale": np.full((frames, 64), 0.1, np.float32),
            "ids": rng.integers(1, VOCABULARY, 12 + index),
            "prompt": normal(10),
            "prompt_scale": np.full((10, 64), 0.1, np.float32),
            "prompt_frames": 10,
        }


SETTINGS = {"steps": 4, "batch": 4, "lr": 1e-3, "warmup": 2, "save": 2, "validate": 2}
SETTINGS |= {"seconds": 2.56, "ema": 0.9, "keep": (2,)}


def settings(**changes):
    return TrainSettings(**{**SETTINGS, **changes})


def main():
    import torch
    from safetensors.torch import save_file

    from rasen.networks.songbloom_init import initialised
    from rasen.songbloom.log import Log
    from rasen.songbloom.trainer import train

    torch.set_num_threads(1)
    changes, state, out = json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    losses, first = [], os.environ.get("RANK", "0") == "0"
    kill_after = int(os.environ.get("KILL_AFTER", 0))
    log = Log(state, out / "events") if first else None
    steps = train(initialised(tiny(), 0), FakeWindows(), settings(**changes), state, FakeWindows(3))
    for step in steps:
        if step.split != "start":
            losses.append([step.number, step.split, step.lm, step.flow, step.norm])
            if log is not None:
                log.add(step)
        if first and step.kept is not None:
            out.mkdir(parents=True, exist_ok=True)
            save_file(step.kept, out / f"{step.number}.safetensors")
        if kill_after and step.number >= kill_after and step.split == "train":
            os.kill(os.getpid(), signal.SIGKILL)
    if first:
        (out / "losses.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    main()
