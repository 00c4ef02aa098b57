"""MuQ: a song as 25 vectors per second, from which the sketch tokens are made.

    muq = open_muq("resources/models/muq", device="cuda")
    x = muq.embed(sound, layer=10)                  # sound [time] at 24 kHz -> x [T, d]

A song is read in windows of 30 seconds, as MuQ was trained: memory does not grow with the song. The
frames at a window's edges have less context, so two seconds at each edge are taken from the
neighbouring window; the frames that are kept still depend a little on where the windows lie,
because attention reaches across the whole window.

The package `muq` builds the network, and we run it: its own `forward` expects an encoder that
returns every hidden state, which transformers has not done since 5.16.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.networks.frames import FRAME_RATE, overlapping_windows
from rasen.networks.precision import Precision, float_type
from rasen.networks.torchaudio_guard import import_torchaudio, import_without_init
from rasen.networks.windowed import over_windows
from rasen.weights import lazy_tensors

SAMPLE_RATE = 24000
HOP = SAMPLE_RATE // FRAME_RATE  # samples per frame
STATISTICS = {"melspec_2048_mean", "melspec_2048_std"}
CURE = "give the folder of a MuQ checkpoint (config.json and model.safetensors)"


@dataclass(frozen=True)
class EmbeddingSettings:
    """Which MuQ, which of its layers, and the window in seconds; `songs.sketch` of the config."""

    model: str
    layer: int
    window: float

    def __post_init__(self) -> None:
        if self.layer < 0:
            raise RasenError(f"songs.sketch.layer: {self.layer} is no layer; count from 0")
        if self.window < 1:
            raise RasenError(f"songs.sketch.window: {self.window} s are too short; give 1 or more")


@dataclass(frozen=True)
class EncodingSettings(EmbeddingSettings):
    """The same, and the arithmetic of the songs' states; a codebook is trained in float32."""

    precision: Precision


class Muq:
    """An opened MuQ: `layers` is L, so hidden states 0..L; `width` is d."""

    def __init__(
        self, model: torch.nn.Module, device: str, dtype: torch.dtype = torch.float32
    ) -> None:
        self.net = model.model.to(device)
        self.encoder = self.net.conformer
        self.blocks = self.encoder.layers
        self.device = torch.device(device)
        self.dtype = dtype
        self.layers = len(self.blocks)
        self.width = self.net.linear.in_features

    def embed(
        self, sound: np.ndarray, layer: int, window: float = 30.0, margin: float = 2.0,
        batch: int = 1,
    ) -> np.ndarray:  # fmt: skip
        """Hidden states [T, d] float32 of sound [time] at 24 kHz, a whole number of frames long.

        layer: 0 the convolutions' output, 1..L-1 a block's output, L the last one's, normalised.
        window, margin: seconds read at once, and seconds dropped at each inner edge of a window
        """
        return next(self.embed_all([sound], layer, window, margin, batch))

    def embed_all(
        self, sounds: Iterable[np.ndarray | Exception], layer: int, window: float = 30.0,
        margin: float = 2.0, batch: int = 1,
    ) -> Iterator[Any]:  # fmt: skip
        """The same for many sounds, `batch` windows at a time; an exception among them stays."""
        frames = round(window * FRAME_RATE)

        def windows_of(total):
            rows = overlapping_windows(total, frames, round(margin * FRAME_RATE))
            return rows, min(total, frames)

        def network(cuts):
            return self.hidden(cuts, layer)

        checked = map(_whole_frames, sounds)
        return over_windows(network, checked, windows_of, HOP, self.width, batch)

    def set_precision(self, precision: Precision) -> None:
        """Choose the arithmetic; see `float_type`."""

        def trial(dtype):
            self.dtype = dtype
            self.hidden(torch.zeros(1, 2 * SAMPLE_RATE), self.layers)

        self.dtype = float_type(precision, trial)

    @torch.inference_mode()
    def hidden(self, cuts: torch.Tensor, layer: int) -> torch.Tensor:
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
                hidden = self._run_blocks(hidden, layer)
        return hidden.float().cpu()

    def _run_blocks(self, hidden, layer):
        """The output of block `layer` (from 1), through the encoder's own forward."""
        outputs = []
        block = self.blocks[layer - 1]
        hook = block.register_forward_hook(lambda module, args, output: outputs.append(output))
        try:
            self.encoder.layers = self.blocks[:layer]
            last = self.encoder(hidden)[0]
        finally:
            self.encoder.layers = self.blocks
            hook.remove()
        if layer == self.layers:
            return last
        return outputs[0][0] if isinstance(outputs[0], tuple) else outputs[0]


def _whole_frames(sound):
    if isinstance(sound, Exception):
        return sound
    if np.ndim(sound) != 1 or len(sound) == 0 or len(sound) % HOP:
        raise ValueError(f"sound {np.shape(sound)}: pad it to whole frames of {HOP} samples")
    return sound


def open_muq(folder: Path | str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Muq:
    """A Muq from a local folder. dtype: bfloat16 or float16 for speed on a GPU (autocast)."""
    folder = Path(folder)
    config = _read_config(folder)
    try:
        model = build_muq(config)
        _load_weights(model, folder / "model.safetensors")
    except (TypeError, KeyError, AttributeError, ValueError, ZeroDivisionError) as error:
        raise RasenError(f"{folder}/config.json: not a MuQ ({error!r}); {CURE}") from None
    return Muq(model.eval(), device, dtype)


def build_muq(config: Mapping[str, Any]) -> torch.nn.Module:
    """The package's MuQ for MuQConfig's fields, with random weights."""
    import_torchaudio()
    import_without_init("muq")  # its __init__ imports MuLan, which imports much more
    from muq.muq import MuQ, MuQConfig

    known = {field.name for field in fields(MuQConfig)}
    arguments = {key: value for key, value in config.items() if key in known}
    with torch.random.fork_rng(devices=[]):  # MuQ sets torch's global seed, to 142
        model = MuQ(MuQConfig(**arguments))
    encoder = model.model.conformer
    # the encoder's config is a plain dict with attributes instead of transformers' class
    encoder.config.setdefault("_attn_implementation", "eager")
    return model


def _read_config(folder):
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
    keys = config if isinstance(config, dict) else {}
    if not keys.get("w2v2_config") or not (keys.get("stat") or {}).keys() >= STATISTICS:
        wanted = " and ".join(sorted(STATISTICS))
        raise RasenError(
            f"{path}: not a MuQ (no `w2v2_config`, or no `stat` with {wanted}); {CURE}"
        )
    rate = config.get("label_rate", FRAME_RATE)
    if rate != FRAME_RATE:
        raise RasenError(f"{path}: label_rate is {rate}, a sketch has {FRAME_RATE} per second")
    if config.get("is_flash"):
        raise RasenError(f"{path}: is_flash needs modules that are not published; set it to false")
    return {**config, "rvq_ckpt_path": None}  # its weights are in model.safetensors


def _load_weights(model, path):
    """Fill every tensor of the model, or name those that are missing or unknown."""
    if not path.is_file():
        raise RasenError(f"{path.parent}: holds no {path.name}; {CURE}")
    tensors = {name: lazy.read() for name, lazy in lazy_tensors.read_safetensors(path).items()}
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:  # torch names every missing, unknown and misshapen tensor
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        shown = " ".join(lines)[:300]
        raise RasenError(f"{path}: does not fit its config.json: {shown}; {CURE}") from None
