"""The models of songs and scores, each with the checksums that the config gives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rasen.errors import suggestion
from rasen.study.scoring import score_weights
from rasen.study.song_models import SONG_MODELS, song_weights


@dataclass(frozen=True)
class CheckedModel:
    """A model as the config names it, the patterns of its files, {file name: SHA-256}."""

    weights: str
    files: tuple[str, ...]
    sha256: Mapping[str, str]


def checked_models(config: Mapping[str, Any]) -> dict[str, CheckedModel]:
    """{place below its section: model}: `sketch.model`, `align.aligners.en`, `mulan.text`."""
    return {
        place: CheckedModel(weights, files, config[section]["sha256"].get(place, {}))
        for section, place, weights, files in _models(config)
    }


def unknown_checksums(config: Mapping[str, Any]) -> Iterator[str]:
    """Checksums of models that there are not, with their places."""
    for section in ("songs", "scores"):
        known = [place for of, place, _, _ in _models(config) if of == section]
        for place in (config.get(section) or {}).get("sha256", {}):
            if place not in known:
                yield f"{section}.sha256.{place}: no such model; {suggestion(place, known)}"


def _models(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """(section, place below it, weights, patterns of their files)."""
    of_songs = (
        (place, weights, SONG_MODELS[kind].weight_files)
        for place, weights, kind in song_weights(config)
    )
    for place, weights, files in (*of_songs, *score_weights(config)):
        section, below = place.split(".", 1)
        yield section, below, weights, files
