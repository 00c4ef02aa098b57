"""Compare hand labels with the automatic ones."""

from pathlib import Path

from rasen import command, tables
from rasen.sae import features as stage


def measure_agreement(hand: Path, features: list[Path], model: str, layer: int, agreement: Path):
    """Share of equal labels and Cohen's kappa, a row a point and one for all."""
    found, _ = stage.sheet.agreement(stage.sheet.read(hand), tables.gather(features))
    tables.write(found.assign(model=model, layer=layer), agreement)


if __name__ == "__main__":
    command.run(measure_agreement)
