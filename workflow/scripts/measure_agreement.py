"""Compare hand labels with the automatic ones."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.sae.features.sheet import agreement as agreement_of
from rasen.sae.features.sheet import read_label_sheet


def measure_agreement(
    hand: Path, features: list[Path], model: str, layer: int, agreement: Path
) -> None:
    """Share of equal labels and Cohen's kappa, a row per point and one for all."""
    table, _ = agreement_of(read_label_sheet(hand), parquet.read_tables(features))
    parquet.write_table(table.assign(model=model, layer=layer), agreement)


if __name__ == "__main__":
    command.run(measure_agreement)
