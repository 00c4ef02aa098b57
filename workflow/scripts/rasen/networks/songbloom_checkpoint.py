"""Checkpoints of SongBloom in the layout of the public one: a YAML and a flat state dict.

Public folders hold songbloom_*.yaml beside songbloom_*.pt (a LightningModule's: names begin with
`model.`, those of a VAE that was saved with it with `vae.`), ours config.yaml beside
model.safetensors with the same names and keys. The YAML is read as plain data: values that name a
resolver (`${...}`; one of the public code's evaluates Python) are taken from the tensors or
refused, never computed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

from rasen.errors import RasenError, raise_all
from rasen.io.atomic import whole_file, write_text
from rasen.networks.songbloom_config import SongBloomConfig
from rasen.weights.lazy_tensors import (
    LazyTensor,
    in_memory,
    load_pytorch,
    read_safetensors,
    require_tensors,
)

PREFIX, VAE = "model.", "vae."
CONFIG, WEIGHTS, VOCABULARY = "config.yaml", "model.safetensors", "vocab_g2p.yaml"
KEYS = {  # of `model:` in the YAML
    "width": "dim",
    "heads": "num_heads",
    "lm_layers": "lm_layers",
    "diff_layers": "diff_layers",
    "codes": "num_pitch",
    "patch": "block_size",
    "latent": "latent_dim",
    "mlp": "hidden_scale",
    "time_features": "timestep_features_dim",
    "lm_rope": "rotary_base_val",
}
FIXED = {  # what only one value of is supported
    "backend": "llama",
    "time_cond_type": "prepend",
    "diffusion_objective": "rectified_flow",
    "pre_norm": False,
}
OWN = ("see_padding", "prompt_first", "double_marks", "turned", "diff_rope", "told", "sentences")


@dataclass(frozen=True)
class Checkpoint:
    """What is known of a folder without reading its tensors.

    tokens: of the lyrics in the order of their ids; about: what else a training of ours wrote
    """

    config: SongBloomConfig
    tokens: tuple[str, ...]
    about: Mapping[str, Any]


def files_of(folder: Path | str) -> tuple[Path, Path]:
    """(YAML, weights) of a folder; it must hold one of each."""
    folder = Path(folder)
    if (folder / WEIGHTS).is_file() and (folder / CONFIG).is_file():
        return folder / CONFIG, folder / WEIGHTS
    weights = sorted(folder.glob("songbloom_*.pt"))
    if len(weights) != 1 or not weights[0].with_suffix(".yaml").is_file():
        found = ", ".join(sorted(path.name for path in folder.glob("*"))[:6]) or "nothing"
        raise RasenError(
            f"{folder}: not a SongBloom: wanted {CONFIG} and {WEIGHTS}, or one songbloom_*.pt with "
            f"its .yaml; found {found}"
        )
    return weights[0].with_suffix(".yaml"), weights[0]


def read_checkpoint(folder: Path | str) -> tuple[list[Path], dict[str, LazyTensor]]:
    """The files of a folder, and the network's tensors under their own names."""
    about, path = files_of(folder)
    stored = read_safetensors(path) if path.suffix == ".safetensors" else _lightning(path)
    vocabulary = path.parent / VOCABULARY
    return [about, path, *[vocabulary] * vocabulary.is_file()], _own_names(stored)


def read_about(folder: Path | str) -> Checkpoint:
    """Sizes, vocabulary and notes of a folder."""
    path, _ = files_of(folder)
    content = _plain_yaml(path)
    model = content.get("model")
    if not isinstance(model, dict):
        raise RasenError(f"{path}: has no `model`; is it a SongBloom's?")
    problems: list[str] = []
    values: dict[str, Any] = {}
    for ours, theirs in KEYS.items():
        value = model.get(theirs, getattr(SongBloomConfig, ours) if ours != "codes" else None)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            problems.append(f"model.{theirs}: {value!r} is not a plain number; write it out")
        else:
            values[ours] = type(getattr(SongBloomConfig, ours))(value)
    problems += [
        f"model.{key}: {model[key]!r}; only {value!r} is supported"
        for key, value in FIXED.items()
        if model.get(key, value) != value
    ]
    conditions = model.get("condition_provider_cfg")
    parts = conditions if isinstance(conditions, dict) else {}
    lyrics, prompt = (parts.get(part) or {} for part in ("lyrics", "prompt_wav"))
    for part, told, name in (
        (lyrics, "lyrics", "lyrics_rows"),
        (prompt, "prompt_wav", "prompt_rows"),
    ):
        rows = part.get("max_len")
        if type(rows) is int:
            values[name] = rows
        else:
            problems.append(
                f"model.condition_provider_cfg.{told}.max_len: {rows!r}; write a number"
            )
    if lyrics.get("interpolate"):
        problems.append("lyrics.interpolate: true; stretching lyrics in time is not supported")
    if lyrics.get("mode", "sum") != "sum":
        problems.append(f"lyrics.mode: {lyrics['mode']!r}; only 'sum' is supported")
    raise_all([f"{path}: {problem}" for problem in problems])
    tokens = _tokens(path, lyrics.get("vocab_list"))
    about = content.get("rasen") or {}
    own = {key: value for key, value in about.items() if key in OWN}
    if "told" in own:
        own["told"] = tuple(own["told"])
    marks = {token: number for number, token in enumerate(tokens)}
    config = SongBloomConfig(
        **values,
        **own,
        vocabulary=len(tokens),
        flags=tuple(i for token, i in marks.items() if len(token) > 1 and _bracketed(token)),
        stop=marks.get(".", -1),
        comma=marks.get(",", -1),
    )
    config.require_valid()
    return Checkpoint(config, tokens, {k: v for k, v in about.items() if k not in OWN})


def read_tensors(folder: Path | str, config: SongBloomConfig) -> dict[str, LazyTensor]:
    """The tensors of a network of these sizes; missing, foreign and misshapen ones are refused."""
    from rasen.networks.songbloom import (
        SongBloom,
    )  # transformers, which reading sizes can do without

    _, tensors = read_checkpoint(folder)
    with torch.device("meta"):
        network = SongBloom(config)
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    require_tensors(tensors, wanted, folder)
    return tensors


def write_checkpoint(
    folder: Path | str,
    state: Mapping[str, torch.Tensor],
    config: SongBloomConfig,
    tokens: Sequence[str],
    about: Mapping[str, Any] | None = None,
) -> None:
    """A folder in the public layout: config.yaml and model.safetensors."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / CONFIG, as_yaml(config, tokens, about or {}))
    tensors = {f"{PREFIX}{name}": t.detach().cpu().contiguous() for name, t in state.items()}
    with whole_file(folder / WEIGHTS) as partial:
        save_file(tensors, partial)


def as_yaml(config: SongBloomConfig, tokens: Sequence[str], about: Mapping[str, Any]) -> str:
    """The YAML that the public code and `read_about` read."""
    sizes = asdict(config)
    lyrics = {"type": "phoneme_tokenizer", "max_len": config.lyrics_rows, "mode": "sum"}
    prompt = {"type": "audio_tokenizer_wrapper", "cache": True, "max_len": config.prompt_rows}
    model = {
        **{theirs: sizes[ours] for ours, theirs in KEYS.items()},
        **FIXED,
        "timestep_sampler": "logit_normal",
        "condition_provider_cfg": {
            "lyrics": {**lyrics, "output_dim": config.width, "vocab_list": [*tokens]},
            "prompt_wav": {**prompt, "output_dim": config.width},
        },
        "fuser_cfg": {
            **{"sum": [], "cross": [], "input_interpolate": []},
            "prepend": ["lyrics", "prompt_wav"],
        },
    }
    public = SongBloomConfig()
    own = {key: sizes[key] for key in OWN if sizes[key] != getattr(public, key)}
    own = json.loads(json.dumps({**own, **about}))  # tuples as lists
    return yaml.safe_dump({"sr": 48000, "model": model, "rasen": own}, allow_unicode=True)


def _lightning(path):
    content = load_pytorch(path)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(
        isinstance(value, torch.Tensor) for value in content.values()
    ):
        raise RasenError(f"{path}: not a state dict of tensors")
    return in_memory(content)


def _own_names(stored):
    """Without the module's prefix, and without a VAE that was saved with it."""
    return {n.removeprefix(PREFIX): t for n, t in stored.items() if not n.startswith(VAE)}


def _plain_yaml(path):
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RasenError(f"{path}: cannot be read as YAML ({error})") from None
    if not isinstance(content, dict):
        raise RasenError(f"{path}: is no table of settings")
    return content


def _tokens(path, named):
    """The tokens of the lyrics: listed in the YAML, or in the vocabulary beside it."""
    source = path
    if isinstance(named, str):  # ${load_yaml:...}, or the file's path
        source = path.with_name(VOCABULARY)
        if not source.is_file():
            raise RasenError(f"{path}: names its vocabulary as '{named}'; put {source.name} there")
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
        named = content.get("vocab", content) if isinstance(content, dict) else content
        if isinstance(named, dict) and all(type(value) is int for value in named.values()):
            named = sorted(named, key=named.__getitem__)
    if not isinstance(named, list) or not all(isinstance(token, str) for token in named):
        raise RasenError(f"{source}: holds no list of the lyrics' tokens")
    return tuple(named)


def _bracketed(token):
    return token[0] == "[" and token[-1] == "]"
