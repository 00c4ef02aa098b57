"""Download a checkpoint from the Hugging Face hub."""

from pathlib import Path

from rasen import command
from rasen.weights.hub import fetch


def fetch_weights(weights: str, folder: Path):
    """Download what is needed of the hub id `weights` (owner/name or owner/name@revision)."""
    fetch(weights, folder)


if __name__ == "__main__":
    command.run(fetch_weights)
