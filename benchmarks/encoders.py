"""MuQ, MusicFM and MERT at their published sizes: dumps of every layer against a bare forward pass.

Random weights: time and memory do not depend on them. Options: --size tiny, --seconds of a clip,
--clips.
"""

import argparse
import json
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow/scripts"))

import numpy as np
import pandas as pd
import torch
from rows import Rows, in_turn

from rasen.families import Family, open_family
from rasen.io.inputs import Inputs, write_inputs
from rasen.measure.activations import DumpSettings, dump
from rasen.measure.interpolate import initial_tensors
from rasen.measure.perplexity import clip_losses
from rasen.study.recipe import Initialisation
from rasen.weights.network_tensors import load_into

STATISTICS = {"melspec_2048_mean": 6.768444971712967, "melspec_2048_std": 18.417922652295623}
CONFORMER = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
    "hidden_act": "swish", "position_embeddings_type": "rotary", "conv_depthwise_kernel_size": 31,
}  # fmt: skip
CONFIGS = {
    "muq": {"encoder_dim": 1024, "encoder_depth": 12, "conv_dim": 512, "codebook_size": 4096,
            "stat": STATISTICS, "w2v2_config": CONFORMER},
    "mert": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
             "intermediate_size": 3072, "conv_dim": [512] * 7,
             "conv_kernel": [10, 3, 3, 3, 3, 2, 2], "conv_stride": [5, 2, 2, 2, 2, 2, 2]},
}  # fmt: skip
TINY = {
    "muq": CONFIGS["muq"] | {
        "encoder_dim": 64, "encoder_depth": 2, "conv_dim": 4, "codebook_size": 32,
        "w2v2_config": CONFORMER | {"intermediate_size": 64, "num_attention_heads": 1},
    },
    "mert": CONFIGS["mert"] | {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 32, "conv_dim": [16] * 7, "num_conv_pos_embedding_groups": 4,
    },
}  # fmt: skip
SIZES = {"full": CONFIGS, "tiny": TINY}


def opened(name: str, size: str, folder: Path) -> tuple[Family, torch.nn.Module]:
    """A family and its network with random weights; the folder has no weights."""
    (folder / "config.json").write_text(json.dumps(SIZES[size][name]))
    sound = {"sampling_rate": 24000, "do_normalize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(sound))
    family = open_family(name, folder)
    network = family.build("cpu", "float32")
    load_into(network, initial_tensors(family, Initialisation()))
    return family, network


def bare_forward(name: str, network: torch.nn.Module, samples: torch.Tensor) -> None:
    """What a user of the library would run for the last layer."""
    if name == "mert":
        network(samples)
    else:
        network.predict(samples)


def measure(name: str, rows: Rows, size: str, seconds: float, clips: int) -> None:
    """The rows of one family."""
    with tempfile.TemporaryDirectory() as work, torch.inference_mode():
        folder = Path(work)
        family, network = opened(name, size, folder)
        numbers = sum(tensor.numel() for tensor in network.state_dict().values())
        rows.add(f"{name}: numbers", numbers / 1e6, "million")
        rng = np.random.default_rng(0)
        sounds = rng.normal(0, 0.1, (clips, round(seconds * family.sample_rate)))
        encoded = [family.encode(sound, "cpu") for sound in sounds]
        table = pd.DataFrame({"clip": [str(clip) for clip in range(clips)]})
        write_inputs(folder / "inputs.h5", encoded, table)
        inputs = Inputs(folder / "inputs.h5")

        def forward():
            for part in inputs.batches(1):
                bare_forward(name, network, part["samples"])

        def every_layer():
            dump(family, network, inputs, folder / "dump.h5", DumpSettings(), "cpu", 1)

        bare, ours = in_turn(3, forward, every_layer)
        rows.add(f"{name}: bare forward, seconds of sound a second", clips * seconds / bare)
        target = 0.9 if size == "full" else None
        rows.add(f"{name}: all layers pooled and written, speed / bare", bare / ours, target=target)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.add(f"{name}: peak memory", peak, "MB")
        if name == "muq":
            family.quantiser = lambda device: {
                "random_projection": torch.randn(512, 16),
                "codebook": torch.randn(family.sizes.codes, 16),
            }
            bare, ours = in_turn(1, forward, lambda: clip_losses(family, network, inputs, "cpu", 1))
            rows.add(f"{name}: masked loss (5 passes), passes' speed / bare", 5 * bare / ours)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clips", type=int, default=2)
    arguments = parser.parse_args()
    rows = Rows()
    for name in CONFIGS:
        with rows.attempt(name):
            measure(name, rows, arguments.size, arguments.seconds, arguments.clips)


if __name__ == "__main__":
    main()
