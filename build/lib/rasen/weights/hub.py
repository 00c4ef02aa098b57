"""Checkpoints from the Hugging Face hub: only what is needed, whole or not at all."""

from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree

from rasen.errors import RasenError
from rasen.study.checkpoints import hub_id

PLAIN = ["*.json", "*.yaml", "*.txt", "*.model", "*.tiktoken"]  # configs and tokenizers


def fetch(weights: str, folder: Path | str, preferred: Sequence[str]) -> None:
    """Download the hub id `weights` (owner/name or owner/name@revision) into `folder`.

    Of the patterns `preferred` only the first that the repository has is downloaded.
    """
    from huggingface_hub import list_repo_files, snapshot_download

    hub = hub_id(weights)
    if hub is None:
        raise RasenError(f"{weights}: is a folder here, there is nothing to download")
    name, revision = hub
    folder = Path(folder)
    try:
        there = [Path(file) for file in list_repo_files(name, revision=revision)]
        best = next((p for p in preferred if any(file.match(p) for file in there)), preferred[0])
        snapshot_download(
            name,
            revision=revision,
            local_dir=folder,
            allow_patterns=[*PLAIN, best],
            ignore_patterns=["*/*"],
        )
    except Exception as error:  # the hub's, the network's and the disk's errors have no common type
        rmtree(folder, ignore_errors=True)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RasenError(
            f"{weights}: neither a folder here nor to be had from the hub ({reason}); correct "
            f"`weights`, or copy the checkpoint to {folder}"
        ) from None
