"""MuQ: what a song sounds like, 25 vectors a second (the sketch tokens are made from them).

    muq = open_muq("resources/models/muq", device="cuda")
    x = muq.embed(sound, layer=10)                  # sound [time] at 24 kHz -> x [T, d]

A song is read in windows of 30 seconds, as MuQ was trained: memory does not grow with the song. The
frames at a window's edges see less of what is around them, so two seconds at each edge are left to
the neighbouring window; what is kept still depends a little on where the windows lie, because
attention reaches across the whole window.

The package `muq` builds the network, and we run it: its own `forward` expects an encoder that
returns every hidden state, which transformers has not done since 5.16.
"""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.networks.frames import RATE as FRAMES
from rasen.networks.frames import windows
from rasen.networks.torchaudio_guard import bare_package, import_torchaudio
from rasen.weights import lazy_tensors

RATE = 24000
HOP = RATE // FRAMES  # samples a frame
STATISTICS = {"melspec_2048_mean", "melspec_2048_std"}
CURE = "give the folder of a MuQ checkpoint (config.json and model.safetensors)"


class Muq:
    """An opened MuQ: `layers` is L, so hidden states 0..L; `width` is d."""

    def __init__(self, model, device, dtype=torch.float32):
        self.net = model.model.to(device)
        self.encoder = self.net.conformer
        self.blocks = self.encoder.layers
        self.device = torch.device(device)
        self.dtype = dtype
        self.layers = len(self.blocks)
        self.width = self.net.linear.in_features

    def embed(self, sound, layer, window=30.0, margin=2.0, batch=1):
        """Hidden states [T, d] float32 of sound [time] at 24 kHz, a whole number of frames long.

        layer: 0 the convolutions' output, 1..L-1 a block's output, L the last one's, normalised.
        window, margin: seconds read at once, and seconds dropped at each inner edge of a window
        """
        sound = torch.as_tensor(np.asarray(sound, dtype=np.float32))
        if sound.ndim != 1 or len(sound) == 0 or len(sound) % HOP:
            raise ValueError(f"sound {tuple(sound.shape)}: pad it to whole frames of {HOP} samples")
        total = len(sound) // HOP
        rows = windows(total, round(window * FRAMES), round(margin * FRAMES))
        size = min(total, round(window * FRAMES))
        out = np.empty((total, self.width), dtype=np.float32)
        for at in range(0, len(rows), batch):
            part = rows[at : at + batch]
            cuts = torch.stack([sound[start * HOP : (start + size) * HOP] for start, _, _ in part])
            hidden = self.hidden(cuts, layer).numpy()
            for values, (start, first, last) in zip(hidden, part, strict=True):
                out[first:last] = values[first - start : last - start]
        return out

    @torch.inference_mode()
    def hidden(self, cuts, layer):
        """Hidden states [batch, frames, d] of cuts [batch, time]; blocks above `layer` do not run.

        Equal to MuQ's own hidden_states[layer] where its forward runs.
        """
        if not 0 <= layer <= self.layers:
            raise RasenError(f"layer {layer}: this MuQ has the layers 0 to {self.layers}")
        half = self.dtype != torch.float32
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=half):
            mel = self.net.preprocessing(cuts.to(self.device), features=["melspec_2048"])
            hidden = self.net.conv(self.net.normalize(mel)["melspec_2048"])
            if layer > 0:
                hidden = self.run(hidden, layer)
        return hidden.float().cpu()

    def run(self, hidden, layer):
        """The output of block `layer` (from 1), through the encoder's own forward."""
        seen = []
        block = self.blocks[layer - 1]
        hook = block.register_forward_hook(lambda module, args, out: seen.append(out))
        try:
            self.encoder.layers = self.blocks[:layer]
            last = self.encoder(hidden)[0]
        finally:
            self.encoder.layers = self.blocks
            hook.remove()
        if layer == self.layers:
            return last
        return seen[0][0] if isinstance(seen[0], tuple) else seen[0]


def open_muq(folder, device="cpu", dtype=torch.float32):
    """A Muq from a local folder. dtype: bfloat16 or float16 for speed on a GPU (autocast)."""
    folder = Path(folder)
    config = _config(folder)
    try:
        model = build(config)
        _load(model, folder / "model.safetensors")
    except (TypeError, KeyError, AttributeError, ValueError, ZeroDivisionError) as error:
        raise RasenError(f"{folder}/config.json: not a MuQ ({error!r}); {CURE}") from None
    return Muq(model.eval(), device, dtype)


def build(config):
    """The package's MuQ for a dict of MuQConfig's fields; its weights mean nothing yet."""
    import_torchaudio()
    bare_package("muq")  # its __init__ asks for MuLan, which asks for much more
    from muq.muq import MuQ, MuQConfig

    known = {field.name for field in fields(MuQConfig)}
    config = {key: value for key, value in config.items() if key in known}
    with torch.random.fork_rng(devices=[]):  # it seeds torch for everybody, with 142
        model = MuQ(MuQConfig(**config))
    encoder = model.model.conformer
    # a plain dict with attributes stands where transformers has its config class
    encoder.config.setdefault("_attn_implementation", "eager")
    return model


def _config(folder):
    """MuQConfig's fields as a folder gives them, or what is wrong with the folder."""
    path = folder / "config.json"
    if not folder.is_dir():
        raise RasenError(f"{folder}: no such folder; {CURE}")
    if not path.is_file():
        raise RasenError(f"{folder}: holds no config.json; {CURE}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RasenError(f"{path}: not JSON ({error}); {CURE}") from None
    parts = config if isinstance(config, dict) else {}
    if not parts.get("w2v2_config") or not (parts.get("stat") or {}).keys() >= STATISTICS:
        wanted = " and ".join(sorted(STATISTICS))
        raise RasenError(
            f"{path}: not a MuQ (no `w2v2_config`, or no `stat` with {wanted}); {CURE}"
        )
    rate = config.get("label_rate", FRAMES)
    if rate != FRAMES:
        raise RasenError(f"{path}: label_rate is {rate}, a sketch has {FRAMES} frames a second")
    if config.get("is_flash"):
        raise RasenError(f"{path}: is_flash needs modules that are not published; set it to false")
    return {**config, "rvq_ckpt_path": None}  # its weights are in model.safetensors


def _load(model, path):
    """Fill every tensor of the model, or say which are missing or too many."""
    if not path.is_file():
        raise RasenError(f"{path.parent}: holds no {path.name}; {CURE}")
    tensors = {name: lazy.read() for name, lazy in lazy_tensors.read_safetensors(path).items()}
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:  # torch names every missing, unknown and misshapen tensor
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        shown = " ".join(lines)[:300]
        raise RasenError(f"{path}: does not fit its config.json: {shown}; {CURE}") from None
