"""Write the card of the data set of songs."""

import json
from pathlib import Path

from rasen import command
from rasen.io import atomic, hashes, parquet
from rasen.songs import card, layout
from rasen.songs.index import Filters


def write_songs_card(
    songs: Path, quarantine: Path, batches: int, results: Path, filters: Filters, weights: str,
    page: Path,
) -> None:  # fmt: skip
    """Write the page. weights: JSON, [{setting, weights, folder, licence}] of every model."""
    models = [
        {
            "setting": model["setting"],
            "weights": model["weights"],
            "hash": hashes.hash_folder(model["folder"]),
            "licence": model["licence"],
        }
        for model in json.loads(weights)
    ]
    text = card.write_card(
        parquet.read_table(songs),
        parquet.read_table(quarantine),
        parquet.read_tables(layout.ledgers(results, "tag_structure", batches)),
        filters,
        models,
    )
    atomic.write_text(page, text)


if __name__ == "__main__":
    command.run(write_songs_card)
