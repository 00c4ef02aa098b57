"""MusicFM [Won et al. 2024]: pretrained_*.pt beside *_stats.json, as its repository gives them."""

import json
import shutil
from pathlib import Path

import torch

from rasen.errors import RasenError
from rasen.families.conformer import ConformerFamily
from rasen.networks.conformer import BANDS, Sizes
from rasen.weights.lazy_tensors import LazyTensor, in_memory, load_pytorch

PREFIX = "model."  # of the training's module, which the repository's own loader cuts off
# ASSUME: attention heads are 64 wide, as in the config that the repository takes from the hub
# (wav2vec2-conformer-rope-large: 1024 / 16); a state dict does not tell.
HEAD = 64


class MusicFM(ConformerFamily):
    """Sizes are read off the tensors: the format has no config."""

    def read_sizes(self) -> Sizes:
        stored = self.stored(self.folder)
        try:
            width, bands = stored["conv.linear.weight"].shape
            first = stored["conformer.layers.0.ffn1.intermediate_dense.weight"]
            kernel = stored["conformer.layers.0.conv_module.depthwise_conv.weight"]
            codes = stored["linear.weight"].shape[0]
        except KeyError as error:
            raise RasenError(
                f"{self.folder}: not a MusicFM checkpoint ({error} is not in it); check `family`"
            ) from None
        depth = len({name.split(".")[2] for name in stored if name.startswith("conformer.layers.")})
        mean, std = self.statistics()
        fields = {
            "num_attention_heads": max(1, width // HEAD),
            "intermediate_size": first.shape[0],
            "conv_depthwise_kernel_size": kernel.shape[-1],
            "hidden_act": "swish",
        }
        return Sizes(mean, std, codes, bands * 4 // BANDS, width, depth, fields)

    def statistics(self) -> tuple[float, float]:
        """Mean and standard deviation of the log-mel spectrograms that it was trained on."""
        path = statistics_of(only_checkpoint(self.folder))
        try:
            stat = json.loads(path.read_text(encoding="utf-8"))
            return float(stat["melspec_2048_mean"]), float(stat["melspec_2048_std"])
        except (ValueError, KeyError, TypeError) as error:
            raise RasenError(
                f"{path}: no melspec_2048_mean and melspec_2048_std ({error!r}); fetch it again"
            ) from None

    def stored(self, folder: Path | str) -> dict[str, LazyTensor]:
        return read_checkpoint(folder)[1]

    def save(self, tensors: dict[str, torch.Tensor], folder: Path) -> None:
        folder.mkdir(parents=True)
        state = {f"{PREFIX}{name}": tensor for name, tensor in tensors.items()}
        checkpoint = only_checkpoint(self.folder)
        torch.save({"state_dict": state}, folder / checkpoint.name)
        statistics = statistics_of(checkpoint)
        shutil.copyfile(statistics, folder / statistics.name)


def read_checkpoint(folder: Path | str) -> tuple[list[Path], dict[str, LazyTensor]]:
    """The files of a checkpoint folder, and every tensor in them."""
    path = only_checkpoint(folder)
    content = load_pytorch(path)
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        raise RasenError(f"{path}: not a MusicFM checkpoint (no state_dict); check `family`")
    state = {name.removeprefix(PREFIX): t for name, t in content["state_dict"].items()}
    return [path, statistics_of(path)], in_memory(state)


def only_checkpoint(folder: Path | str) -> Path:
    """The one pretrained_*.pt of a folder."""
    files = sorted(Path(folder).glob("pretrained_*.pt"))
    if len(files) != 1:
        found = ", ".join(path.name for path in files) or "none"
        raise RasenError(
            f"{folder}: one pretrained_*.pt is expected, found: {found}; give `weights` a folder "
            "with pretrained_msd.pt and msd_stats.json, or with those of fma"
        )
    return files[0]


def statistics_of(checkpoint: Path) -> Path:
    """msd_stats.json of pretrained_msd.pt."""
    name = checkpoint.stem.removeprefix("pretrained_")
    path = checkpoint.with_name(f"{name}_stats.json")
    if not path.is_file():
        raise RasenError(f"{path}: no such file; put it beside {checkpoint.name}")
    return path


FAMILY = MusicFM
