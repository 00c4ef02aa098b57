"""Download a checkpoint from the Hugging Face hub."""

from pathlib import Path

from rasen import command
from rasen.weights.hub import fetch


def fetch_weights(weights: str, files: list, folder: Path):
    """Download what is needed of a hub id: owner/name, or owner/name@revision.

    files: for each use of it, patterns of the files that hold its weights, best first.
    """
    fetch(weights, folder, files)


if __name__ == "__main__":
    command.run(fetch_weights)
