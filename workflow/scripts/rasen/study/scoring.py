"""What the config says of scores, as the settings of the jobs: models as their folders."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rasen.study.checkpoints import local_folder
from rasen.study.registry import TRANSFORMERS_FILES
from rasen.study.song_models import certificate_of

REFERENCES = ("real", "vae")  # names in the place of a sheet's: the references, plain and decoded
WEIGHT_FILES = {"model": ("*.safetensors", "*.bin"), "audio": ("*.safetensors",)}
WEIGHT_FILES["text"] = TRANSFORMERS_FILES
HEARD_WITH = ("whisper", "beam", "onset", "offset", "chunk")  # of songs.align


def score_weights(config: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(place in the config, weights, patterns of weight files) of MuQ-MuLan, where MCC is asked
    for; all other models are those of `songs`."""
    scores = config.get("scores") or {}
    if "mcc" in scores.get("metrics", ()) and scores["mulan"]:
        for key, weights in mulan(config).items():
            yield f"scores.mulan.{key}", weights, WEIGHT_FILES[key]


def mulan(config: Mapping[str, Any]) -> dict[str, str]:
    """The three models of MuQ-MuLan; its MuQ is that of the sketches where none is named."""
    named = config["scores"]["mulan"]
    return {**named, "audio": named["audio"] or config["songs"]["sketch"]["model"]}


def score_model_files(config: Mapping[str, Any]) -> list[str]:
    """The certificates of MuQ-MuLan."""
    return [certificate_of(place.removeprefix("scores.")) for place, *_ in score_weights(config)]


def hearing_settings(config: Mapping[str, Any]) -> str:
    """The settings of `transcribe_scored`, as JSON."""
    songs = config["songs"]
    chosen = {key: songs["align"][key] for key in HEARD_WITH}
    chosen["whisper"] = chosen["whisper"] and local_folder(chosen["whisper"])
    return _json(chosen | {"dictionary": songs["phonemes"]["dictionary"]})


def structure_settings(config: Mapping[str, Any]) -> str:
    """The settings of `section_scored`; nobody annotates generated songs, so `given` is novelty."""
    structure = config["songs"]["structure"]
    if structure["backend"] != "allin1":
        return _json({"backend": "novelty"})
    return _json({"backend": "allin1", "model": local_folder(structure["model"])})


def embedding_settings(config: Mapping[str, Any]) -> str:
    """The settings of `embed_scored`: models of the metrics that are asked for."""
    scores, sketch = config["scores"], config["songs"]["sketch"]
    chosen = {
        "muq": local_folder(sketch["model"]) if "fad" in scores["metrics"] else None,
        "layer": fad_layer(config),
        "window": sketch["window"],
        "seconds": scores["fad"]["seconds"],
    }
    if "mcc" in scores["metrics"]:
        folders = {key: local_folder(weights) for key, weights in mulan(config).items()}
        chosen["mulan"] = folders["model"]
        chosen |= {f"mulan_{key}": folders[key] for key in ("audio", "text")}
    return _json(chosen)


def fad_layer(config: Mapping[str, Any]) -> int:
    """The layer of MuQ that FAD reads: that of the sketches where none is named."""
    layer: int | None = config["scores"]["fad"]["layer"]
    return config["songs"]["sketch"]["layer"] if layer is None else layer


def gather_settings(config: Mapping[str, Any]) -> str:
    """The settings of `gather_scores`."""
    scores, sketch = config["scores"], config["songs"]["sketch"]
    seconds = f"{scores['fad']['seconds']:g}"
    model = local_folder(sketch["model"])
    chosen = {key: scores[key] for key in ("metrics", "seconds_per_flag", "draws")}
    chosen["few"] = scores["fad"]["few"]
    chosen["embedding"] = f"MuQ {model} layer {fad_layer(config)}, means of {seconds} s"
    named = scores["mulan"]
    chosen["prompt"] = f"MuQ-MuLan {local_folder(named['model'])}" if named else ""
    return _json(chosen)


def contradictions_of_scores(config: Mapping[str, Any]) -> Iterator[str]:
    """What contradicts itself in `scores`, without the place of the section."""
    scores = config.get("scores")
    if not scores:
        return
    songs = config.get("songs")
    if not songs:
        yield ": the models that score are those of `songs`; write that section too"
        return
    if "mcc" in scores["metrics"] and not scores["mulan"]:
        yield ".metrics: mcc needs MuQ-MuLan; name it in scores.mulan, or take mcc out"
    if "per" in scores["metrics"] and songs["align"]["whisper"] is None:
        yield ".metrics: per needs a Whisper; name one in songs.align.whisper, or take per out"
    hears = {"per", "ser"} & set(scores["metrics"])
    if hears and songs["separate"]["model"] is None:
        yield (
            f".metrics: {', '.join(sorted(hears))} needs vocals; name a Demucs in "
            "songs.separate.model"
        )


def _json(chosen):
    return json.dumps(chosen, sort_keys=True)
