"""A table of results/tables in words: what a row is, and every column with its unit."""

import re
from dataclasses import dataclass

SHARED = {  # columns that mean the same wherever they stand: (unit, meaning)
    "model": ("", "name of the model in the config"),
    "route": ("", "name of the route, such as `linear`, `linear+seed1`, `gradient`, `step`"),
    "point": ("", "one set of weights, such as `untrained`, `linear-0.900`, `step-000500`"),
    "position": ("", "place on the route: alpha (linear, gradient), or the training step (step)"),
    "stimuli": ("", "name of the stimulus set in the config"),
    "layer": ("", "0 is what enters the first block, n the output of block n"),
    "song": ("", "name of the song in the sheet"),
}
LINE = re.compile(r"(\??)([\w, *]+?)(?: \[([^\]]+)\])?(?:: (.+))?")


@dataclass(frozen=True)
class Column:
    """One or more columns with one meaning; optional ones are there only where it says so."""

    names: tuple[str, ...]
    unit: str
    meaning: str
    optional: bool


@dataclass(frozen=True)
class Table:
    """`name`.parquet; what: a paragraph or more of Markdown."""

    name: str
    what: str
    columns: tuple[Column, ...]

    def words(self) -> dict[str, Column]:
        """{name of a column: what is said of it}."""
        return {name: column for column in self.columns for name in column.names}


def table(name: str, what: str, text: str) -> Table:
    """A Table whose columns stand in a text, a line each: `name, name [unit]: meaning`.

    A line without a meaning takes the one that its columns share with other tables; a `?` in front
    marks columns that are not always there.
    """
    columns = [column for line in text.strip().splitlines() for column in _columns(name, line)]
    names = [name for column in columns for name in column.names]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"{name}: {', '.join(sorted(twice))} described twice")
    return Table(name, what.strip(), tuple(columns))


def _columns(table_name, line):
    found = LINE.fullmatch(line.strip())
    if not found:
        raise ValueError(f"{table_name}: '{line}' is no line `name, name [unit]: meaning`")
    names = tuple(found[2].split(", "))
    if found[4]:
        yield Column(names, found[3] or "", found[4], bool(found[1]))
        return
    for name in names:
        yield Column((name,), *SHARED[name], bool(found[1]))
