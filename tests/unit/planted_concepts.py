"""Features with concepts planted in one layer, for the tests of probes."""

import numpy as np

GROUPS, EACH = 40, 15


def groups(count=GROUPS, each=EACH):
    return np.repeat(np.arange(count), each)


def noise(rng, rows=GROUPS * EACH, dim=24):
    return rng.standard_normal((rows, dim)).astype(np.float32)


def classes(rng, rows=GROUPS * EACH, count=4):
    return rng.integers(0, count, rows)


def linear_layers(rng, y, layers=4, at=2, strength=3.0, dim=24):
    """{layer: features}: the classes y lie in one layer, along random directions."""
    directions = rng.standard_normal((y.max() + 1, dim)) / np.sqrt(dim)
    found = {layer: noise(rng, len(y), dim) for layer in range(layers)}
    found[at] += (strength * directions[y]).astype(np.float32)
    return found


def rows_of(table, **equal):
    """Rows of a table whose columns have these values."""
    for name, value in equal.items():
        table = table[table[name] == value]
    return table


def value_of(table, column="value", **equal):
    """The one value of the rows with these values."""
    found = rows_of(table, **{"row": "probe", "split": "grouped"} | equal)
    assert len(found) == 1, found
    return found[column].iloc[0]
