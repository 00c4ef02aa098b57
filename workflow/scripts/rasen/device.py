"""The torch device that a setting stands for, the GPUs of a job, and how torch computes in it."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rasen.errors import RasenError

_held: list[int] = []  # open lock files of this process's cards, released when it ends


def pick_device(wanted: str, gpus: int = 1) -> str:
    """The torch device for `auto`, `cpu` or `cuda`; subnormal numbers count as zero from now on.

    A job on GPUs takes `gpus` of them for itself: torch sees these and no others. Float32 is
    float32 there, too: torch would let convolutions (codecs, MuQ) round their inputs to ten bits.
    """
    import torch

    flush_subnormals()
    torch.backends.cudnn.allow_tf32 = False
    if wanted != "cpu" and torch.backends.cuda.is_built():
        take_cards(max(1, gpus))
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise RasenError(
            "device: 'cuda' is asked for, but torch sees no GPU here; set device: auto, or run "
            "where there is one"
        )
    return wanted


def visible_cards() -> list[str]:
    """The UUIDs of the GPUs (or of their MIG parts) that programs started here may use."""
    try:
        listed = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    found = re.findall(r"UUID: ((?:GPU|MIG)-[\w/-]+)", listed)
    following = [*found[1:], "GPU"]
    cards = [  # a GPU that is divided is followed by its parts
        card
        for card, after in zip(found, following, strict=False)
        if card.startswith("MIG") or not after.startswith("MIG")
    ]
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return cards
    visible = []
    for entry in filter(None, chosen.split(",")):
        # ASSUME: numbers count as nvidia-smi does (CUDA_DEVICE_ORDER=PCI_BUS_ID)
        index = int(entry) if re.fullmatch(r"\d+", entry.strip()) else None
        named = cards[index : index + 1] if index is not None else []
        named = named or [card for card in cards if card.startswith(entry.strip())]
        if not named:
            break  # CUDA, too, sees none of the entries after one that does not exist
        visible.append(named[0])
    return visible


def take_cards(count: int) -> None:
    """Reserve `count` GPUs for this process and show it no others; waits while others of the
    user's processes hold them.

    Each is a lock that ends with the process, however it ends. A process keeps what it took.
    """
    cards = [] if _held else visible_cards()
    if not cards:
        return
    if count > len(cards):
        raise RasenError(
            f"device: {count} GPUs are asked for and {len(cards)} are visible; lower `gpus`"
        )
    told = False
    while not (taken := _try_to_take(cards, count)):
        if not told:
            told = True
            print(
                f"waiting: your jobs use all {len(cards)} GPUs ({_lock_folder()})", file=sys.stderr
            )
        time.sleep(1)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)


def _try_to_take(cards, count):
    """The first `count` cards that are free, locked now; or none of them, if there are fewer."""
    import fcntl

    taken, files = [], []
    for card in cards:
        name = card.replace("/", "-") + ".lock"
        file = os.open(_lock_folder() / name, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        taken.append(card)
        files.append(file)
        if len(taken) == count:
            _held.extend(files)
            return taken
    for file in files:
        os.close(file)
    return []


def _lock_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"rasen-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def flush_subnormals() -> None:
    """Let the CPU treat numbers below 1.2e-38 as zero, in this thread and those it starts.

    Intel processors compute with such numbers up to a hundred times slower, and filters with long
    decaying taps (codecs, also on fading sound) are full of them. Float32 sums of anything audible
    do not change: nano's tokens and all tables of the demo are equal to the last bit.
    """
    import torch

    torch.set_flush_denormal(True)
