"""Join the tables of a layer's SAEs that were trained in several jobs."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.sae.saelens_format import remove_others
from rasen.sae.trainer import mark_best


def join_shards(shards: list[Path], outliers_of: Path, metrics: Path, outliers: Path) -> None:
    """One table of metrics, in which the best learning rate is that of all shards.

    outliers_of: the outliers of one shard; they are those of all, as all have the same test rows
    """
    table = mark_best(parquet.read_tables(shards).drop(columns=["best", "best_at_edge"]))
    remove_others(metrics.parent, table["sae"])
    parquet.write_table(parquet.read_table(outliers_of), outliers)
    parquet.write_table(table, metrics)


if __name__ == "__main__":
    command.run(join_shards)
