"""Write the table of points: model, route, point, position."""

import json
from pathlib import Path

import pandas as pd

from rasen import command
from rasen.io import parquet
from rasen.study import points


def list_points(points_json: str, table: Path) -> None:
    """Write rows [model, route, point, position], given as JSON, as parquet."""
    parquet.write_table(pd.DataFrame(json.loads(points_json), columns=points.COLUMNS), table)


if __name__ == "__main__":
    command.run(list_points)
