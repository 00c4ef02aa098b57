"""Measure how alike the layers of a model at a point are, to each other and to other models."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.measure.alike import compare_point


def measure_similarity(
    activations: Path,
    others: list[Path],
    measures: list[str],
    model: str,
    point: str,
    seed: int,
    rows: Path,
):
    """Write one row per pair of layers and measure.

    others: further files results/activations/{model}/{point}/{stimuli}.h5
    """
    dumps = {(model, point): activations}
    dumps |= {(path.parts[-3], path.parts[-2]): path for path in others}
    parquet.write_table(compare_point((model, point), dumps, measures, seed), rows)


if __name__ == "__main__":
    command.run(measure_similarity)
