"""Which files a config asks for: patterns filled in for every model, point, layer and batch."""

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from rasen.study.checkpoints import local_folder
from rasen.study.registry import FAMILIES


def stimulus_sets(model: Mapping[str, Any], key: str) -> list[str]:
    """The stimulus sets under a model's `activations`, `gradient`, `helix` ..., as a list."""
    named = model[key] or []
    if isinstance(named, dict):
        return [named["data"]]
    return [named] if isinstance(named, str) else named


def has_sound(config: Mapping[str, Any], stimuli: str) -> bool:
    """Whether the clips of a stimulus set can be rendered, unlike texts and windows of tokens."""
    return config["stimuli"][stimuli]["kind"] not in ("text", "windows")


def note_sounds(config: Mapping[str, Any]) -> list[str]:
    """The files of notes to be heard: of sets of which there is a helix or an SAE.

    What a user recorded is apart from what the workflow renders, as it never travels
    (`shared_files`).
    """
    sets = dict.fromkeys(
        name for model in config["models"].values() for name in stimulus_sets(model, "helix")
    )
    of_saes = [model.get("sae") for model in config["models"].values()]
    sets |= dict.fromkeys(
        name for name in of_saes if name and config["stimuli"][name]["kind"] == "notes"
    )
    origins = {"audio": "recorded"}
    return [
        f"results/notes/{origins.get(config['stimuli'][name]['kind'], 'rendered')}/{name}.parquet"
        for name in sets
    ]


def per_point(config: Mapping[str, Any], points: pd.DataFrame, pattern: str, key: str) -> list[str]:
    """`pattern` at every point of every model, for the sets that the model has as `key`.

    Files that several sets share are named once.
    """
    files = [
        pattern.format(model=row.model, point=row.point, stimuli=name)
        for row in points.drop_duplicates(["model", "point"]).itertuples()
        for name in stimulus_sets(config["models"][row.model], key)
    ]
    return list(dict.fromkeys(files))


def per_gradient_point(points: pd.DataFrame, pattern: str) -> list[str]:
    """`pattern` at every gradient-corrected point of every model."""
    corrected = points[points["route"].str.match("gradient")]
    return [
        pattern.format(model=row.model, point=row.point)
        for row in corrected.drop_duplicates(["model", "point"]).itertuples()
    ]


def sae_points(config: Mapping[str, Any], points: pd.DataFrame, model: str) -> list[str]:
    """The points of a model at which SAEs are trained, in order."""
    visited = list(points.loc[points["model"] == model, "point"].unique())
    wanted = visited if config["sae"]["points"] == "all" else config["sae"]["points"]
    return [point for point in wanted if config["models"][model]["sae"] and point in visited]


def sae_seeds(config: Mapping[str, Any]) -> list[int]:
    """Seeds of the SAEs' first weights; the first is that of the main ones."""
    seeds = config["sae"]["seeds"]
    return [config["seed"] + more for more in range(seeds)] if isinstance(seeds, int) else seeds


def point_before(
    config: Mapping[str, Any], points: pd.DataFrame, model: str, point: str
) -> str | None:
    """The point as whose SAEs those of a point start; None for the first, and from random ones."""
    ordered = sae_points(config, points, model)
    place = ordered.index(point)
    return ordered[place - 1] if config["sae"]["warm_start"] and place else None


def per_sae_layer(
    config: Mapping[str, Any], points: pd.DataFrame, pattern: str, key: str = "sae"
) -> list[str]:
    """`pattern` for every layer at every point of the models that have `key` beside SAEs."""
    return [
        pattern.format(model=name, point=point, layer=f"{layer:02d}")
        for name, model in config["models"].items()
        if model[key]
        for layer in config["sae"]["layers"]
        for point in sae_points(config, points, name)
    ]


def per_matched_layer(config: Mapping[str, Any], points: pd.DataFrame, pattern: str) -> list[str]:
    """`pattern` for every layer of the models that have SAEs at two points or seeds or more."""
    return [
        pattern.format(model=name, layer=f"{layer:02d}")
        for name in config["models"]
        if len(sae_points(config, points, name)) * len(sae_seeds(config)) > 1
        for layer in config["sae"]["layers"]
    ]


def hand_label_sheets(config: Mapping[str, Any], stem: str) -> list[str]:
    """Sheets to be labelled by hand (.tsv), one per text model, for its first layer of SAEs; and
    the agreement of those that were filled in (.parquet)."""
    files = []
    for name, model in config["models"].items():
        if model["sae"] and config["stimuli"][model["sae"]]["kind"] == "text":
            file = stem.format(model=name, layer=f"{config['sae']['layers'][0]:02d}")
            files += [f"{file}.tsv", *[f"{file}.parquet"] * (name in config["sae"]["hand"])]
    return files


def clap_tags(config: Mapping[str, Any], stimuli: str) -> str | list[str]:
    """The tags of a stimulus set by CLAP; [] where none are asked for, or it has no sound."""
    if config["sae"]["label"]["clap"] is None or not has_sound(config, stimuli):
        return []
    return f"results/clap/{stimuli}.parquet"


def top_clips(config: Mapping[str, Any], points: pd.DataFrame, pattern: str) -> list[str]:
    """`pattern` for every layer at every point of the models that listen."""
    heard = {
        name: model
        for name, model in config["models"].items()
        if model["sae"] and has_sound(config, model["sae"])
    }
    return [
        path.replace("{stimuli}", model["sae"])
        for name, model in heard.items()
        for path in per_sae_layer(
            {**config, "models": {name: model}},
            points,
            pattern.replace("{stimuli}", "{{stimuli}}"),
        )
    ]


def questions_and_answers(config: Mapping[str, Any], points: pd.DataFrame) -> list[str]:
    """Questions to a language model about every layer at every point, where they are asked for;
    the judged answers of models that have them."""
    label, models = config["sae"]["label"], config["models"]
    question = "results/sae/{model}/questions/{point}-layer-{layer}.json"
    answers = "results/sae/{model}/{point}/layer-{layer}/answers.parquet"
    answered = {**config, "models": {name: models[name] for name in label["answers"]}}
    asked = per_sae_layer(config, points, question) if label["questions"] else []
    return asked + per_sae_layer(answered, points, answers)


def per_batch(batches: Iterable[str], pattern: str) -> list[str]:
    """`pattern` for every batch of songs."""
    return [pattern.format(batch=batch) for batch in batches]


RUN_SETTINGS = ("preset", "network", "init_from", "data", "train")


def run_settings(config: Mapping[str, Any], run: str) -> str:
    """What a training run's result depends on, as JSON."""
    settings = {key: config["songbloom"]["runs"][run][key] for key in RUN_SETTINGS}
    if settings["init_from"]:
        settings["init_from"] = local_folder(settings["init_from"])
    return json.dumps(settings, sort_keys=True)


def vocabulary_argument(songs: Mapping[str, Any]) -> str:
    """The option of a command line that names the vocabulary of the lyrics, where one is given."""
    vocabulary = songs["phonemes"]["vocabulary"]
    return shlex.join(["--vocabulary", vocabulary]) if vocabulary else ""


def sheets(config: Mapping[str, Any]) -> list[str]:
    """The sheets that a config names: of stimuli, songs, songs to make, songs to score."""
    stimuli = [each["sheet"] for each in config["stimuli"].values() if "sheet" in each]
    named = [config.get("songs"), config["songbloom"]["generate"]]
    of_scores = (config.get("scores") or {}).get("sheets", {})
    return [*stimuli, *(each["sheet"] for each in named if each), *of_scores.values()]


def environments(config: Mapping[str, Any]) -> list[str]:
    """The environments in which the jobs of a config run."""
    families = [FAMILIES[model["family"]] for model in config["models"].values()]
    needed = {"core", *(family.environment for family in families)}
    needed |= {family.encoding for family in families if family.encoding}
    if songs := config.get("songs"):
        needed |= {"songs", *["allin1"] * (songs["structure"]["backend"] == "allin1")}
    return sorted(needed)


def title_of_sae_figure(name: str) -> str:
    """The words for results/figures/sae/{model}/{name}.svg in the report: "flow-layer-4"."""
    kind, _, layer = name.partition("-layer-")
    titles = {
        "grid": "SAEs by size and sparsity",
        "dead": "What the normalisation does",
        "labels": "Features that a label names",
        "words": "The words that activate features",
        "flow": "Features that go on, die and are born",
    }
    return titles[kind] + (f", layer {layer}" if layer else "")
