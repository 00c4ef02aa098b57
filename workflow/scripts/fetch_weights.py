"""Download a checkpoint from the Hugging Face hub."""

from pathlib import Path

from rasen import command
from rasen.families import FAMILIES
from rasen.weights.hub import fetch


def fetch_weights(weights: str, family: str, folder: Path):
    """Download what a family needs of the hub id `weights` (owner/name or owner/name@revision)."""
    fetch(weights, folder, FAMILIES[family].files)


if __name__ == "__main__":
    command.run(fetch_weights)
