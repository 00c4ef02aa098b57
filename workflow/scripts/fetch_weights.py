"""Download a checkpoint from the Hugging Face hub."""

from pathlib import Path

from rasen import command
from rasen.families import FAMILIES, TRANSFORMERS
from rasen.weights.hub import fetch

FILES = {name: family.files for name, family in FAMILIES.items()} | {  # models of the songs
    "demucs": ["*.safetensors"],
    "whisper": ["model.bin"],
    "aligner": TRANSFORMERS,
    "allin1": ["*.pth"],
    "muq": ["*.safetensors"],
    "vae": ["*vae*.safetensors", "autoencoder*.ckpt", "*.safetensors"],
}


def fetch_weights(weights: str, family: str, folder: Path):
    """Download what a family (or a stage of the songs) needs of a hub id: owner/name, or
    owner/name@revision."""
    fetch(weights, folder, FILES[family])


if __name__ == "__main__":
    command.run(fetch_weights)
