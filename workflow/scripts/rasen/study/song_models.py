"""The models that the songs need: where the config names them, and which files they are."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rasen.study.checkpoints import local_folder, made_by_rule
from rasen.study.registry import TRANSFORMERS_FILES, VAE_FILES


@dataclass(frozen=True)
class SongModel:
    """A kind of model: its place below `songs` in the config, and its files, best first."""

    place: str
    weight_files: tuple[str, ...]


SONG_MODELS = {
    "demucs": SongModel("separate.model", ("*.safetensors",)),
    "whisper": SongModel("align.whisper", ("model.bin",)),
    "aligner": SongModel("align.aligners", TRANSFORMERS_FILES),
    "allin1": SongModel("structure.model", ("*.pth",)),
    "muq": SongModel("sketch.model", ("*.safetensors",)),
    "vae": SongModel("latents.model", VAE_FILES),
}
LICENCES = {  # of weights, to the best of our knowledge: their pages are authoritative
    "adefossez/HTDemucs": "MIT",
    "Systran/faster-whisper-large-v3": "MIT",
    "jonatasgrosman/wav2vec2-large-xlsr-53-english": "Apache-2.0",
    "jonatasgrosman/wav2vec2-large-xlsr-53-japanese": "Apache-2.0",
    "jonatasgrosman/wav2vec2-large-xlsr-53-chinese-zh-cn": "Apache-2.0",
    "OpenMuQ/MuQ-large-msd-iter": "CC-BY-NC-4.0 (no commercial use, of its tokens neither)",
    "CypressYang/SongBloom": "academic use only",
}


def song_weights(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(place in the config, weights, kind) of every model that the songs need."""
    songs = config.get("songs") or {}
    for kind, model in SONG_MODELS.items() if songs else ():
        part, key = model.place.split(".")
        if part == "structure" and songs[part]["backend"] != kind:
            continue
        named = songs[part][key]
        for language, weights in named.items() if isinstance(named, dict) else [("", named)]:
            if weights is not None:
                yield f"songs.{model.place}" + f".{language}" * bool(language), weights, kind


def weights_for_the_card(config: Mapping[str, Any]) -> list[dict[str, str]]:
    """[{setting, weights, folder, licence}] of every model that the songs need."""
    return [
        {
            "setting": place,
            "weights": weights,
            "folder": local_folder(weights),
            "licence": LICENCES.get(weights.split("@")[0], "not known"),
        }
        for place, weights, _ in song_weights(config)
    ]


def config_for_lyrics(config: Mapping[str, Any], lyrics: Iterable[str]) -> Mapping[str, Any]:
    """The config, without Whisper where every song has LRC: files with other names may be text.

    lyrics: paths (empty: a song has none; "inst": it is an instrumental)
    """
    if any(path not in ("", "inst") and not path.lower().endswith(".lrc") for path in lyrics):
        return config
    songs = config["songs"]
    return {**config, "songs": {**songs, "align": {**songs["align"], "whisper": None}}}


def song_model_files(config: Mapping[str, Any], part: str) -> list[str]:
    """The certificates of the models of a part of the songs."""
    places = [place.removeprefix("songs.") for place, _, _ in song_weights(config)]
    return [certificate_of(place) for place in places if place.startswith(f"{part}.")]


def song_model_folders(config: Mapping[str, Any], part: str) -> list[str]:
    """What a rule makes or fetches that brings these models."""
    named = [w for place, w, _ in song_weights(config) if place.startswith(f"songs.{part}.")]
    return [file for weights in named if (file := made_by_rule(weights))]


def certificate_of(place: str) -> str:
    """Where the hashes of a model of the songs are, by its place: `sketch.model`, `mulan.text`."""
    return f"results/weights/songs/{place}.json"


def song_settings(songs: Mapping[str, Any], part: str, *keys: str) -> str:
    """A part of the songs' settings (or some keys of it) as JSON, models as their folders."""
    chosen = {key: songs[part][key] for key in keys or songs[part]}
    for model in SONG_MODELS.values():
        key = model.place.removeprefix(f"{part}.")
        if key in chosen:
            named = chosen[key]
            if isinstance(named, dict):
                chosen[key] = {name: local_folder(weights) for name, weights in named.items()}
            elif named is not None:
                chosen[key] = local_folder(named)
    return json.dumps(chosen, sort_keys=True)
