"""The torch device that a setting stands for, and how torch computes in a job."""

from rasen.errors import RasenError


def pick_device(wanted: str) -> str:
    """The torch device for `auto`, `cpu` or `cuda`; subnormal numbers count as zero from now on."""
    import torch

    flush_subnormals()
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise RasenError(
            "device: 'cuda' is asked for, but torch sees no GPU here; set device: auto, or run "
            "where there is one"
        )
    return wanted


def flush_subnormals() -> None:
    """Let the CPU treat numbers below 1.2e-38 as zero, in this thread and those it starts.

    Intel processors compute with such numbers up to a hundred times slower, and filters with long
    decaying taps (codecs, also on fading sound) are full of them. Float32 sums of anything audible
    do not change: nano's tokens and all tables of the demo are equal to the last bit.
    """
    import torch

    torch.set_flush_denormal(True)
