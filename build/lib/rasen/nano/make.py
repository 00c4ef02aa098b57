"""Make nano: its music, its codec, its training run."""

import json
from functools import partial
from pathlib import Path
from shutil import rmtree

import torch
from tqdm import tqdm
from transformers import MusicgenForCausalLM

from rasen.device import flush_subnormals
from rasen.families.musicgen import official_init_rule
from rasen.io import hashes
from rasen.io.atomic import write_text
from rasen.nano.codec import RATE, encode, fit_codec
from rasen.nano.decoder import decoder_config, log_spaced, train
from rasen.nano.folder import save_model, save_step
from rasen.seeds import generator
from rasen.stimuli.melodies import melody
from rasen.weights.init_rules import draw_tensor
from rasen.weights.lazy_tensors import LazyTensor
from rasen.weights.network_tensors import load_into, named_tensors

CLIPS, SECONDS = 240, 4.0
TRAINING = "training.json"  # another training, another content: Snakemake compares it


def make(folder, seed, steps):
    """Write nano and the checkpoints of its run into `folder`.

    The run begins at the official theta_init of this seed, the very point `untrained` of a model
    with `initial: {rule: official, seed: ...}`, so its route and the straight line share both ends.
    """
    flush_subnormals()
    folder = Path(folder)
    rmtree(folder, ignore_errors=True)
    partial = folder.with_name(folder.name + ".partial")
    rmtree(partial, ignore_errors=True)
    clips = torch.stack(
        [
            torch.from_numpy(melody(generator(seed, "melody", index), SECONDS, RATE))
            for index in tqdm(range(CLIPS), desc="music", unit="clip", disable=None)
        ]
    )
    codec = fit_codec(clips, seed)
    codes = encode(codec, clips)
    network = MusicgenForCausalLM(decoder_config())
    load_into(network, initial_tensors(network, seed))
    for step in train(network, codes, steps, log_spaced(steps), seed):
        save_step(partial, step, network)
    save_model(partial, codec, network, seed)
    weights = hashes.hash_file(partial / "model.safetensors")
    about = {"seed": seed, "steps": steps, "model.safetensors": weights}
    write_text(partial / TRAINING, json.dumps(about, indent=1) + "\n")
    partial.rename(folder)


def initial_tensors(network, seed):
    """{name: Lazy} of the official theta_init, drawn as the workflow draws it."""
    return {
        name: LazyTensor(
            t.shape, partial(draw_tensor, [official_init_rule(name, t.shape)], t.shape, seed, name)
        )
        for name, t in named_tensors(network).items()
    }
