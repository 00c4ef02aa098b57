"""Where weights lie, and the recipe by which a point's weights come about."""

import re
from pathlib import Path

from rasen import points

MANAGED = "resources/models"  # where downloads go
MADE_HERE = {  # folders that a rule makes: the file by which Snakemake knows each
    f"{MANAGED}/nano": "training.json",  # the embedded model, its training run inside
    f"{MANAGED}/demo-muq": "model.safetensors",  # small ones to try the songs with
    f"{MANAGED}/demo-vae": "vae.safetensors",
}
DEMO_SONGS = [f"resources/datasets/demo-songs/{song}.flac" for song in ("river", "tsuki", "broken")]
SONG_MODELS = (  # place in the config, what it is
    ("separate.model", "demucs"),
    ("align.whisper", "whisper"),
    ("align.aligners", "aligner"),
    ("structure.model", "allin1"),
    ("sketch.model", "muq"),
    ("latents.model", "vae"),
)
_HUB = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*(/[\w.-]+)?)(@(?P<revision>[\w./-]+))?")


def hub_id(weights):
    """(id, revision or None) when `weights` names a checkpoint on the hub, else None.

    A hub id has at most one slash and is not a folder here.
    """
    match = _HUB.fullmatch(weights)
    if match and not Path(weights).expanduser().is_dir():
        return match["id"], match["revision"]
    return None


def folder(weights):
    """The local folder of a checkpoint: where it is, or where its download goes."""
    if hub := hub_id(weights):
        name = "--".join(part for part in hub[0].split("/"))
        revision = f"@{hub[1].replace('/', '-')}" if hub[1] else ""
        return f"{MANAGED}/{name}{revision}"
    return str(Path(weights).expanduser())


def made_by_workflow(weights):
    """What a rule makes that brings these weights, or []: a download's folder, a file of nano."""
    path = folder(weights)
    if hub_id(weights):
        return path
    made = [f"{home}/{file}" for home, file in MADE_HERE.items() if Path(path).is_relative_to(home)]
    return made[0] if made else []


def all_weights(config):
    """(place in the config, weights, family) of every checkpoint and codec that is named there."""
    for name, model in config["models"].items():
        family = model["family"]
        yield f"models.{name}.weights", model["weights"], family
        if model["codec"]:
            yield f"models.{name}.codec", model["codec"], "musicgen"
        for step in (model["checkpoints"] or {}).get("steps", []):
            weights = weights_of(model, f"step-{step:06d}")
            yield f"models.{name}.checkpoints.weights", weights, family


def song_weights(config):
    """(place in the config, weights, kind) of every model that the songs need."""
    songs = config.get("songs")
    for place, kind in SONG_MODELS if songs else ():
        part, key = place.split(".")
        if part == "structure" and songs[part]["backend"] != kind:
            continue
        named = songs[part][key]
        for language, weights in named.items() if isinstance(named, dict) else [("", named)]:
            yield f"songs.{place}" + f".{language}" * bool(language), weights, kind


def song_files(config, part):
    """What a rule makes or fetches that brings the models of a part of the songs."""
    named = [w for place, w, _ in song_weights(config) if place.startswith(f"songs.{part}.")]
    return [file for weights in named if (file := made_by_workflow(weights))]


def recordings(paths):
    """Those of a sheet's files that are there, or that the demo makes; the others' songs are
    quarantined."""
    return [p for p in paths if p in DEMO_SONGS or (p and Path(p).is_file())]


def downloads(config):
    """{folder name: (hub id, family or kind)} of all that has to come from the hub."""
    return {
        Path(folder(weights)).name: (weights, family)
        for _, weights, family in (*all_weights(config), *song_weights(config))
        if hub_id(weights)
    }


def sets(model, key):
    """The stimulus sets under a model's `activations`, `gradient` or `perplexity`, as a list."""
    named = model[key] or []
    return [named] if isinstance(named, str) else named


def checkpoint(point):
    """The checkpoint that a point rests on: "trained", or a step."""
    return point if points.parse(point).kind == "step" else "trained"


def weights_of(model, name):
    """`weights` of a model's checkpoint "trained" or "step-000500"."""
    if name == "trained":
        return model["weights"]
    return model["checkpoints"]["weights"].format(step=int(name.removeprefix("step-")))


def recipe(model, point, options=(), corrected=None):
    """What rasen.families.walk.open_at needs for a model at a point, and not more."""
    parsed = points.parse(point)
    chosen = {key: model[key] for key in options if model[key] is not None}
    if "codec" in chosen:
        chosen["codec"] = folder(chosen["codec"])
    made = {
        "family": model["family"],
        "weights": folder(model["weights"]),
        "dtype": model["dtype"],
        "point": point,
        "options": chosen,
    }
    if parsed.kind in ("untrained", "linear"):
        made["initial"] = model["controls"][parsed.start] if parsed.start else model["initial"]
    if parsed.kind == "step":
        made["checkpoint"] = folder(weights_of(model, point))
    if corrected:
        made["corrected"] = corrected
    return made


def sheet(stimuli):
    """The sheet of a stimulus set as an input, or [] (none, or not there yet: see `missing`)."""
    path = stimuli.get("sheet")
    return path if path and Path(path).is_file() else []


def missing(config, names):
    """Local folders and files that are not there, each with its cure.

    names: the models and stimulus sets that will be read ("songs": those of the songs as well);
    others may be elsewhere.
    """
    found = []
    songs = {"songs": config["songs"]} if "songs" in names else {}
    config = songs | {
        part: {name: each for name, each in config[part].items() if name in names}
        for part in ("models", "stimuli")
    }

    def need(place, path, exists, cure):
        if not exists:
            found.append(f"config: {place}: {path} does not exist; {cure}")

    for place, weights, _ in (*all_weights(config), *song_weights(config)):
        if not hub_id(weights) and not made_by_workflow(weights):
            path = folder(weights)
            need(place, path, Path(path).is_dir(), "give a local checkpoint folder or a hub id")
    for place in ("sketch.codebook", "phonemes.dictionary", "phonemes.vocabulary") if songs else ():
        part, key = place.split(".")
        if path := config["songs"][part][key]:
            need(f"songs.{place}", path, Path(path).is_file(), "correct the path")
    for name, stimuli in config["stimuli"].items():
        for key in ("sheet", "soundfont"):
            if path := stimuli.get(key):
                need(f"stimuli.{name}.{key}", path, Path(path).is_file(), "correct the path")
    return found
