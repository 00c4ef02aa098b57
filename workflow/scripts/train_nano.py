"""Make the embedded model."""

from pathlib import Path

from rasen import command
from rasen.nano.make import NanoSettings, make_nano


def train_nano(settings: NanoSettings, folder: Path) -> None:
    """Fit nano's codec, train its decoder, and keep checkpoints at log-spaced steps."""
    make_nano(settings, folder)


if __name__ == "__main__":
    command.run(train_nano)
