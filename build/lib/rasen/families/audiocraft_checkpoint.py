"""Checkpoints as audiocraft exports them: one `state_dict.bin` with tensors and settings."""

from pathlib import Path

from rasen.errors import RasenError
from rasen.weights.lazy_tensors import LazyTensor, in_memory, load_pytorch

FILE = "state_dict.bin"


def read_checkpoint(folder: Path | str) -> tuple[list[Path], dict[str, LazyTensor]]:
    """The file of an exported model, and every tensor in it."""
    return [Path(folder) / FILE], read_exported(folder)[0]


def read_exported(folder: Path | str) -> tuple[dict[str, LazyTensor], str]:
    """Tensors and settings (YAML) of a model that audiocraft exported."""
    path = Path(folder) / FILE
    if not path.is_file():
        raise RasenError(f"{path}: no such file; `weights` of an audiocraft model is its folder")
    content = load_pytorch(path)
    state, settings = content.get("best_state"), content.get("xp.cfg")
    if not isinstance(settings, str) or not isinstance(state, dict) or "model" in state:
        raise RasenError(
            f"{path}: not an exported audiocraft model; make one from a training checkpoint "
            "with audiocraft.utils.export.export_lm"
        )
    return in_memory(state), settings
