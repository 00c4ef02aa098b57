"""Train the separator: a small HTDemucs, saved as a bag of Demucs, which opens it from a folder.

It is trained on spoken lines over accompaniments of other seeds; all but the voice is `other`.

    python train_demucs.py DEMUCS    (the folder to make)
"""

import json
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import yaml
from data import band, crop, utterance
from demucs.htdemucs import HTDemucs
from safetensors.torch import save_file

from rasen.seeds import generator
from rasen.songs.demo.compose import RATE

SIGNATURE = "5a5e0001"
SECONDS = Fraction(3, 2)
VOICES, BANDS = 120, 12  # lines per language; accompaniments of a minute
STEPS, BATCH, PEAK = 1500, 3, 2e-3
SILENT = 0.2  # share of the examples without voice


def example(rng, voices, bands):
    """Accompaniment and voice, float32 [2, 2, time]; the mix is their sum."""
    size = int(SECONDS * RATE)
    music = crop(rng, bands[rng.integers(len(bands))], size)
    voice = np.tile(crop(rng, voices, size), (2, 1))
    loudness = np.sqrt((voice**2).mean()) + 1e-5
    music = music * loudness / (np.sqrt((music**2).mean()) + 1e-5) * 10 ** rng.uniform(-0.6, 0.3)
    if rng.random() < SILENT:
        voice = voice * 0
    sources = np.stack([music, voice])
    peak = np.abs(sources.sum(axis=0)).max() + 1e-5
    return (sources / peak * rng.uniform(0.2, 1.0)).astype(np.float32)


def save(model, folder):
    """`tiny.yaml` and the weights beside it in Demucs' safetensors form, half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    args, kwargs = model._init_args_kwargs
    state = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    metadata = {
        "klass": f"{type(model).__module__}.{type(model).__name__}",
        "args": json.dumps(args),
        "kwargs": json.dumps(kwargs, default=fraction),
    }
    save_file(state, folder / f"{SIGNATURE}.safetensors", metadata=metadata)
    (folder / "tiny.yaml").write_text(yaml.safe_dump({"models": [SIGNATURE]}))


def fraction(number):
    """How Demucs writes a Fraction as JSON."""
    return {"_type": "fraction", "numerator": number.numerator, "denominator": number.denominator}


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng, begun = generator(0, "demucs"), time.process_time()
    parts = []
    for index in range(3 * VOICES):
        parts.append(utterance(rng, ("en", "ja", "zh")[index % 3], RATE)[0])
        parts.append(np.zeros(int(rng.uniform(0.1, 1.0) * RATE), np.float32))
    voices = np.concatenate(parts)
    bands = [band(seed, 60, RATE) for seed in range(BANDS)]
    model = HTDemucs(
        sources=["drums", "bass", "other", "vocals"], channels=8, depth=4, bottom_channels=16,
        t_layers=1, t_heads=2, t_hidden_scale=1.0, dconv_depth=1, dconv_comp=4, segment=SECONDS,
        samplerate=RATE,
    )  # fmt: skip
    print(sum(p.numel() for p in model.parameters()), "parameters", flush=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK, STEPS, pct_start=0.1)
    for step in range(STEPS):
        rows = np.stack([example(rng, voices, bands) for _ in range(BATCH)])
        sources = torch.from_numpy(rows)  # [batch, 2, 2, time]
        found = model(sources.sum(dim=1))[:, 2:]
        loss = (found - sources).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 99:
            with torch.no_grad():
                voice = sources[:, 1]
                off = ((found[:, 1] - voice) ** 2).sum()
                gain = 10 * torch.log10((voice**2).sum() / off)
            spent = time.process_time() - begun
            print(f"{step} loss {loss:.4f} vocal SDR {gain:.1f} dB {spent:.0f} s", flush=True)
    save(model, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
