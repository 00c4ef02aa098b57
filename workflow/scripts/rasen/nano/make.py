"""Make nano: its music, its codec, its training run."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree

import torch
from tqdm import tqdm
from transformers import MusicgenForCausalLM

from rasen.device import flush_subnormals
from rasen.errors import RasenError
from rasen.families.musicgen import official_init_rule
from rasen.io import hashes
from rasen.io.atomic import write_text
from rasen.nano.codec import RATE, encode, fit_codec
from rasen.nano.decoder import decoder_config, log_spaced, train
from rasen.nano.folder import save_model, save_step
from rasen.seeds import generator
from rasen.stimuli.melodies import OCTAVE, melody, require_interval
from rasen.weights.init_rules import draw_tensor
from rasen.weights.lazy_tensors import LazyTensor
from rasen.weights.network_tensors import load_into, named_tensors

CLIPS, SECONDS = 240, 4.0
TRAINING = "training.json"  # its content differs between trainings: Snakemake compares it


@dataclass(frozen=True)
class NanoSettings:
    """How nano is trained; the section `nano` of the config.

    seed: of its music, its theta_init and the order of its training clips
    steps: training steps of the decoder
    interval: semitones between notes and their answers in its music: 12, or 11 for the control
        whose music has no octave
    """

    seed: int = 0
    steps: int = 400
    interval: int = OCTAVE

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RasenError(f"nano.steps: {self.steps}; give 1 or more")
        require_interval(self.interval, "nano.interval")


def make_nano(settings: NanoSettings, folder: Path) -> None:
    """Write nano and the checkpoints of its run into `folder`.

    The run starts at the official theta_init of this seed, the point `untrained` of a model with
    `initial: {rule: official, seed: ...}`, so its route and the straight line share both ends.
    """
    flush_subnormals()
    seed, steps = settings.seed, settings.steps
    rmtree(folder, ignore_errors=True)
    unfinished = folder.with_name(folder.name + ".partial")
    rmtree(unfinished, ignore_errors=True)
    clips = torch.stack(
        [
            torch.from_numpy(
                melody(generator(seed, "melody", index), SECONDS, RATE, settings.interval)
            )
            for index in tqdm(range(CLIPS), desc="music", unit="clip", disable=None)
        ]
    )
    codec = fit_codec(clips, seed)
    codes = encode(codec, clips)
    network = MusicgenForCausalLM(decoder_config())
    load_into(network, initial_tensors(network, seed))
    for step in train(network, codes, steps, log_spaced(steps), seed):
        save_step(unfinished, step, network)
    save_model(unfinished, codec, network, seed)
    weights = hashes.hash_file(unfinished / "model.safetensors")
    training = asdict(settings) | {"model.safetensors": weights}
    write_text(unfinished / TRAINING, json.dumps(training, indent=1) + "\n")
    unfinished.rename(folder)


def initial_tensors(network: MusicgenForCausalLM, seed: int) -> dict[str, LazyTensor]:
    """{name: tensor} of the official theta_init, drawn as the workflow draws it."""
    tensors = {}
    for name, tensor in named_tensors(network).items():
        rules = [official_init_rule(name, tensor.shape)]
        draw = partial(draw_tensor, rules, tensor.shape, seed, name)
        tensors[name] = LazyTensor(tensor.shape, draw)
    return tensors
