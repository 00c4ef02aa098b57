"""Write the table of points: model, route, point, position."""

from pathlib import Path

from rasen import command
from rasen.io import parquet
from rasen.study.routes import table_of_points


def list_points(routes: dict, table: Path) -> None:
    """Write rows [model, route, point, position] of the routes that the config asks for."""
    parquet.write_table(table_of_points(routes), table)


if __name__ == "__main__":
    command.run(list_points)
