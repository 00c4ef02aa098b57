"""Write the table of points: model, route, point, position."""

import json
from pathlib import Path

import pandas as pd

from rasen import command, points, tables


def list_points(points_json: str, table: Path):
    """Write rows [model, route, point, position], given as JSON, as parquet."""
    tables.write(pd.DataFrame(json.loads(points_json), columns=points.COLUMNS), table)


if __name__ == "__main__":
    command.run(list_points)
