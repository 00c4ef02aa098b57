"""Checkpoints from the Hugging Face hub: only what is needed, whole or not at all."""

from pathlib import Path
from shutil import rmtree

from rasen.errors import RasenError
from rasen.places import hub_id

PLAIN = ["*.json", "*.txt", "*.model", "*.tiktoken"]  # configs and tokenizers
PREFERRED = [["*.safetensors"], ["pytorch_model*.bin"], ["state_dict.bin"]]


def fetch(weights, folder):
    """Download the hub id `weights` (owner/name or owner/name@revision) into `folder`."""
    from huggingface_hub import list_repo_files, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    name, revision = hub_id(weights)
    folder = Path(folder)
    try:
        kinds = {Path(file).name for file in list_repo_files(name, revision=revision)}
        wanted = next((p for p in PREFERRED if any(Path(k).match(p[0]) for k in kinds)), [])
        snapshot_download(
            name,
            revision=revision,
            local_dir=folder,
            allow_patterns=PLAIN + wanted + ["state_dict.bin"] * ("state_dict.bin" in kinds),
            ignore_patterns=["*/*"],
        )
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError) as error:
        rmtree(folder, ignore_errors=True)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RasenError(
            f"{weights}: neither a folder here nor to be had from the hub ({reason}); correct "
            f"`weights`, or copy the checkpoint to {folder}"
        ) from None
