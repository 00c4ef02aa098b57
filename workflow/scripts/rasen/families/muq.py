"""MuQ [Zhu et al. 2025]: a folder with config.json (the package's MuQConfig) and its tensors."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from rasen.errors import RasenError
from rasen.families.conformer import ConformerFamily
from rasen.families.huggingface import read_config
from rasen.io.atomic import write_text
from rasen.networks.conformer import FRAME_RATE, Sizes
from rasen.weights import lazy_tensors
from rasen.weights.lazy_tensors import LazyTensor

PREFIX = "model."


class MuQ(ConformerFamily):
    """See the module."""

    def read_sizes(self) -> Sizes:
        config = read_config(self.folder)
        stat, fields = config.get("stat") or {}, config.get("w2v2_config") or {}
        if not {"melspec_2048_mean", "melspec_2048_std"} <= stat.keys() or not fields:
            raise RasenError(
                f"{self.folder}: not a MuQ (its config.json has no `w2v2_config`, or no `stat` "
                "with melspec_2048_mean and melspec_2048_std); check `family`"
            )
        wanted: dict[str, Any] = {
            "label_rate": FRAME_RATE,
            "hop_length": 240,
            "n_mels": 128,
            "is_flash": False,
        }
        wanted |= {"features": ["melspec_2048"], "num_codebooks": 1}
        for key, value in wanted.items():
            if config.get(key, value) != value:
                raise RasenError(
                    f"{self.folder}: {key} is {config[key]}; only {value} is supported here"
                )
        sizes = Sizes(stat["melspec_2048_mean"], stat["melspec_2048_std"], conformer=fields)
        names = {"codes": "codebook_size", "channels": "conv_dim", "width": "encoder_dim"}
        names |= {"depth": "encoder_depth"}
        return replace(sizes, **{n: config[key] for n, key in names.items() if key in config})

    def stored(self, folder: Path | str) -> dict[str, LazyTensor]:
        tensors = lazy_tensors.read_folder(folder)
        return {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}

    def save(self, tensors: dict[str, torch.Tensor], folder: Path) -> None:
        folder.mkdir(parents=True)
        named = {f"{PREFIX}{name}": t.contiguous() for name, t in tensors.items()}
        save_file(named, folder / "model.safetensors")
        write_text(folder / "config.json", json.dumps(read_config(self.folder), indent=2))


FAMILY = MuQ
