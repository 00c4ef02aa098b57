"""The dictionary as a page of Markdown: files first, then every table column by column."""

from rasen.dictionary import helix, probes, routes, sae, scores, songbloom, songs
from rasen.dictionary.files import HEAD
from rasen.dictionary.table import Table

TABLES = (
    *routes.TABLES, *helix.TABLES, *probes.TABLES, *sae.TABLES, *songs.TABLES, *songbloom.TABLES,
    *scores.TABLES,
)  # fmt: skip
OPTIONAL = "*Not in every study.* "
NOTE = """\
## Tables

A share is between 0 and 1; a number without a unit has none. *Not in every study*: the column is
there only where the config or the stimuli give rise to it.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, NOTE, *map(_section, TABLES)])


def _section(table: Table) -> str:
    lines = [f"### `tables/{table.name}.parquet`", "", table.what, ""]
    lines += ["| column | unit | meaning |", "|---|---|---|"]
    for column in table.columns:
        names = ", ".join(f"`{name}`" for name in column.names)
        told = OPTIONAL * column.optional + column.meaning
        lines.append(f"| {names} | {column.unit} | {told} |")
    return "\n".join([*lines, ""])
