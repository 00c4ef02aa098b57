"""Make the embedded model."""

from pathlib import Path

from rasen import command
from rasen.nano.make import make


def train_nano(settings: dict, folder: Path):
    """Fit nano's codec, train its decoder, and keep checkpoints at log-spaced steps."""
    make(folder, settings["seed"], settings["steps"])


if __name__ == "__main__":
    command.run(train_nano)
