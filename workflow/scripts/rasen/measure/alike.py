"""How alike layers of dumps are: within a point, to the trained point, and between models."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rasen.measure.tasks import GROUPS, DumpedLayers, read_rows
from rasen.probes.compare import similarity

Name = tuple[str, str, int]  # model, point, layer


class SharedLayers(Mapping[Name, np.ndarray]):
    """The layers of several dumps {(model, point, layer): float32 [rows, dim]}, of the clips that
    all of them have, in one order; read from disk at every access."""

    def __init__(self, dumps: Mapping[tuple[str, str], Path]) -> None:
        self.layers = {key: DumpedLayers(path) for key, path in dumps.items()}
        tables = {key: read_rows(path).clips for key, path in dumps.items()}
        names = [set(table["clip"]) for table in tables.values()]
        shared = set.intersection(*names)
        first = next(iter(tables.values()))
        self.clips = first[first["clip"].isin(shared)].reset_index(drop=True)
        self.places = {}
        for key, table in tables.items():
            place = {name: number for number, name in enumerate(table["clip"])}
            self.places[key] = np.array([place[name] for name in self.clips["clip"]])

    def __getitem__(self, name: Name) -> np.ndarray:
        *key, layer = name
        rows = self.layers[tuple(key)][layer]  # type: ignore[index]
        return rows[self.places[tuple(key)]]  # type: ignore[index]

    def __iter__(self) -> Iterator[Name]:
        return iter((*key, layer) for key, layers in self.layers.items() for layer in layers)

    def __len__(self) -> int:
        return sum(map(len, self.layers.values()))


def pairs_of_point(own: tuple[str, str], dumps: Sequence[tuple[str, str]], layers: Mapping[
    tuple[str, str], Sequence[int]
]) -> Iterator[tuple[Name, Name]]:  # fmt: skip
    """All layers of a point with each other, and with the other dumps: of the same model (its
    trained point) layer by layer, of another one every layer with every layer."""
    for layer in layers[own]:
        for other in layers[own]:
            if other > layer:
                yield (*own, layer), (*own, other)
        for dump in dumps:
            if dump == own:
                continue
            same_model = dump[0] == own[0]
            for other in [layer] if same_model else layers[dump]:
                if other in layers[dump]:
                    yield (*own, layer), (*dump, other)


def compare_point(
    own: tuple[str, str], dumps: Mapping[tuple[str, str], Path], measures: Sequence[str], seed: int
) -> pd.DataFrame:
    """One row per pair and measure: model, point, layer, model_2, point_2, layer_2, measure, value,
    low, high, null, n, groups, components.

    dumps: {(model, point): path}, that of `own` among them; of pooled activations of one set
    """
    shared = SharedLayers(dumps)
    layers = {key: list(of_dump) for key, of_dump in shared.layers.items()}
    column = next((name for name in GROUPS if name in shared.clips), "clip")
    pairs = pairs_of_point(own, list(dumps), layers)
    groups = shared.clips[column].astype(str).to_numpy()
    found = similarity(shared, measures, list(pairs), groups, seed)
    for side, names in (
        ("a", ["model", "point", "layer"]),
        ("b", ["model_2", "point_2", "layer_2"]),
    ):
        found[names] = found[side].tolist()
    first = ["model", "point", "layer", "model_2", "point_2", "layer_2", "measure"]
    return found[[*first, *found.columns.drop([*first, "a", "b"])]]
