"""The torch device that a setting stands for."""

from rasen.errors import RasenError


def pick_device(wanted):
    """The torch device for `auto`, `cpu` or `cuda`."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise RasenError(
            "device: 'cuda' is asked for, but torch sees no GPU here; set device: auto, or run "
            "where there is one"
        )
    return wanted
