"""MuQ-MuLan: sound and text as vectors that are near each other where the text tells the sound.

    mulan = open_mulan("resources/models/mulan", muq, xlm_roberta)
    mulan.embed_audio(sound)                        # sound [time] at 24 kHz -> [e]
    mulan.embed_text("a slow song with a piano")    # -> [e]

Sound is read in clips of ten seconds, whose unit vectors are averaged, as the package `muq` does.
Its own class would download the two models that it starts from and needs packages that are left out
here (envs/songs.in): so the towers are put together from its transformer, our MuQ and XLM-R.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.networks.muq import SAMPLE_RATE, open_muq
from rasen.networks.torchaudio_guard import import_torchaudio, import_without_init
from rasen.weights import lazy_tensors

PARTS = ("mulan", "audio_model", "text_model", "audio_transformer", "text_transformer")
UNUSED = (  # in checkpoints: of the training alone, or of older transformers
    "mulan.audio.aggregator.",
    "mulan.contrast.",
    "mulan.text.model.embeddings.position_ids",
)
CURE = "give the folder of a MuQ-MuLan (config.json and its weights)"


class Mulan(torch.nn.Module):
    """Both towers. Modules have the names of the package's, below `mulan.`."""

    def __init__(self, config: Mapping[str, Any], muq: Any, text: Any, tokenizer: Any) -> None:
        super().__init__()
        settings = config["mulan"]
        self.clip = round(settings.get("clip_secs", 10) * SAMPLE_RATE)
        self.layer = config["audio_model"].get("use_layer_idx", -1) % (muq.layers + 1)
        self.muq, self.tokenizer = muq, tokenizer  # a Muq is no module: it has its own device
        size = settings.get("dim_latent", 512)
        self.audio = _tower(config["audio_transformer"])
        self.audio.proj = torch.nn.Linear(muq.width, self.audio.dim)
        self.text = _tower(config["text_transformer"])
        self.text.model = text
        width = config["text_model"].get("model_dim")
        plain = width in (None, self.text.dim)
        self.text.proj = torch.nn.Identity() if plain else torch.nn.Linear(width, self.text.dim)
        self.audio_to_latents = torch.nn.Linear(self.audio.dim, size)
        self.text_to_latents = torch.nn.Linear(self.text.dim, size)

    @torch.inference_mode()
    def embed_audio(self, sound: np.ndarray) -> np.ndarray:
        """The vector [e] of sound [time] at 24 kHz, of any length: the mean over its clips.

        The last clip is filled up from the song's beginning.
        """
        device = self.audio_to_latents.weight.device
        found = []
        for start in range(0, len(sound), self.clip):
            clip = sound[start : start + self.clip]
            clip = np.concatenate([clip, sound[: self.clip - len(clip)]])
            hidden = self.muq.hidden(torch.from_numpy(np.float32(clip))[None], self.layer)
            states = self.audio.transformer(self.audio.proj(hidden.to(device)))
            found.append(_unit(self.audio_to_latents(states.mean(dim=1)))[0])
        return torch.stack(found).mean(dim=0).cpu().numpy()

    @torch.inference_mode()
    def embed_text(self, text: str) -> np.ndarray:
        """The vector [e] of a text."""
        inputs = self.tokenizer([text], return_tensors="pt").to(self.text_to_latents.weight.device)
        states = self.text.transformer(self.text.proj(self.text.model(**inputs).last_hidden_state))
        return _unit(self.text_to_latents(states.mean(dim=1)))[0].cpu().numpy()


def open_mulan(folder: Path | str, muq: Path | str, text: Path | str, device: str = "cpu") -> Mulan:
    """A Mulan from local folders.

    muq, text: the MuQ and the XLM-R that it was made from, for their configs and the tokenizer; the
    weights of all are those of `folder`
    """
    import_torchaudio()  # before transformers
    from transformers import AutoTokenizer, XLMRobertaConfig, XLMRobertaModel

    config = _read_config(Path(folder))
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(text), local_files_only=True)
        roberta = XLMRobertaModel(
            XLMRobertaConfig.from_pretrained(str(text), local_files_only=True)
        )
    except (OSError, ValueError) as error:
        raise RasenError(
            f"{text}: no XLM-R with its tokenizer ({str(error).splitlines()[0]}); name its folder "
            "in scores.mulan.text"
        ) from None
    encoder = open_muq(muq, device)
    try:
        net = Mulan(config, encoder, roberta, tokenizer)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise RasenError(f"{folder}/config.json: not a MuQ-MuLan ({error!r}); {CURE}") from None
    tensors = {name: lazy.read() for name, lazy in lazy_tensors.read_folder(folder).items()}
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(UNUSED)}
    inner = "mulan.audio.model.model."  # the MuQ inside, fine-tuned
    of_muq = {n.removeprefix(inner): t for n, t in tensors.items() if n.startswith(inner)}
    rest = {n.removeprefix("mulan."): t for n, t in tensors.items() if not n.startswith(inner)}
    try:
        encoder.net.load_state_dict(of_muq, strict=True)
        net.load_state_dict(rest, strict=True)
    except RuntimeError as error:  # torch names every missing, unknown and misshapen tensor
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise RasenError(
            f"{folder}: does not fit its config.json, {muq} or {text}: {' '.join(lines)[:300]}; "
            f"{CURE}, and the models that it names"
        ) from None
    return net.to(device).eval().requires_grad_(False)


def _tower(settings):
    """A module with the package's own transformer in it."""
    import_without_init("muq")  # their __init__ import what is not installed
    import_without_init("muq.muq_mulan")
    import_without_init("muq.muq_mulan.modules")
    from muq.muq_mulan.modules.transformer import Transformer

    tower = torch.nn.Module()
    tower.dim = settings.get("dim", 768)
    tower.transformer = Transformer(
        dim=tower.dim,
        depth=settings.get("tf_depth", 8),
        dim_head=settings.get("dim_head", 64),
        heads=settings.get("heads", 8),
        ff_mult=settings.get("ff_mult", 4),
    )
    return tower


def _unit(vectors):
    return torch.nn.functional.normalize(vectors, dim=-1)


def _read_config(folder):
    """The config.json of a MuQ-MuLan."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RasenError(f"{path}: cannot be read ({error}); {CURE}") from None
    config = config.get("config", config) if isinstance(config, dict) else {}
    if lacking := [part for part in PARTS if not isinstance(config.get(part), dict)]:
        raise RasenError(f"{path}: not a MuQ-MuLan (no {', '.join(lacking)}); {CURE}")
    if "roberta" not in config["text_model"].get("name", ""):
        raise RasenError(
            f"{path}: its text model is '{config['text_model'].get('name')}', and XLM-R alone is "
            "known here; take the MuQ-MuLan that uses it"
        )
    return config
