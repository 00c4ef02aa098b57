"""Before a run: which of the user's folders and files are needed, and are not there or wrong."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyarrow import parquet

from rasen.errors import RasenError, suggestion
from rasen.io.sheets import read_sheet
from rasen.study.checkpoints import (
    CODEBOOK,
    hub_id,
    local_folder,
    made_by_rule,
    model_files,
    model_weights,
    training_runs,
)
from rasen.study.scoring import REFERENCES, score_weights
from rasen.study.song_models import song_weights

DEMO_SONGS = [f"resources/datasets/demo-songs/{song}.flac" for song in ("river", "tsuki", "broken")]
SPLITS = ("train", "valid", "test")
SONG_FILES = ("sketch.codebook", "phonemes.dictionary", "phonemes.vocabulary")


def present_recordings(paths: Iterable[str]) -> list[str]:
    """Those of a sheet's files that are there, or that the demo makes; the others' songs are
    quarantined."""
    return [path for path in paths if path in DEMO_SONGS or (path and Path(path).is_file())]


def score_files(config: Mapping[str, Any], scored: str, column: str) -> list[str]:
    """Files that a sheet of scores names in a column and that are there, or that the demo makes.

    scored: the sheet's name, or `real` or `vae`, whose songs are the references of all sheets
    """
    sheets = config["scores"]["sheets"]
    if scored in REFERENCES and column == "audio":
        if scored == "vae":
            return []  # made by a rule, from the references
        column = "reference"
    chosen = sheets.values() if scored in REFERENCES else [sheets[scored]]
    return files_of_sheets(chosen, column)


def files_of_sheets(sheets: Iterable[str], *columns: str) -> list[str]:
    """Files that sheets name in some columns and that are there, or that the demo makes.

    Those of a sheet below results/ are left to the rule that makes it: it writes the sheet anew
    when they change. As inputs they would be new ones in the run after that which made the sheet.
    """
    paths = set()
    for sheet in sheets:
        if "results" in Path(os.path.normpath(sheet)).parts[:1]:
            continue
        try:
            table = read_sheet(sheet, numbers=False)
        except RasenError:  # a rule makes it, or the job that reads it says what is wrong
            continue
        for column in table.columns.intersection(columns):
            named = table[column].str.strip()
            paths |= {os.path.normpath(Path(sheet).parent / path) for path in named if path}
    return sorted(path for path in present_recordings(paths) if not set("{}") & set(path))


def sheet_input(stimuli: Mapping[str, Any]) -> str | list[str]:
    """The sheet of a stimulus set as an input of a rule, or [] where there is none (yet)."""
    path = stimuli.get("sheet")
    return path if path and Path(path).is_file() else []


def clips_left_out(config: Mapping[str, Any]) -> list[str]:
    """A line for every set of stimuli of which a model could not use some clips."""
    lines = []
    for model in config["models"]:
        for file in sorted(Path("results/inputs", model).glob("*.quarantine.parquet")):
            if count := parquet.read_metadata(file).num_rows:
                stimuli = file.name.removesuffix(".quarantine.parquet")
                lines.append(f"{count} clips of {stimuli} are left out for {model}; why: {file}")
    return lines


def needed_names(jobs: Iterable[Any]) -> set[str]:
    """Models and stimulus sets that some jobs will open, "runs.NAME" for the start of a training
    run, "songs" and "scores" for those of these.

    A rule says with its parameter `needs` what it opens: models, stimuli, runs, songs, scores.
    Rules without it read results alone; what those came from may be elsewhere.
    """
    names = set()
    for job in jobs:
        for what in job.params.get("needs", "").split():
            whole = what in ("songs", "scores")  # the section, not an entry of it
            named = what if whole else job.wildcards[what.removesuffix("s")]
            names.add(f"runs.{named}" if what == "runs" else named)
    return names


def missing_files(config: Mapping[str, Any], names: set[str]) -> list[str]:
    """Local folders and files of what is named (`needed_names`) that are not there, each with its
    cure."""
    problems = []
    # a stimulus set may have the name "songs", too
    songs = {"songs": config["songs"]} if "songs" in names and config.get("songs") else {}
    chosen: dict[str, Any] = songs | {
        part: {name: entry for name, entry in config[part].items() if name in names}
        for part in ("models", "stimuli")
    }
    runs = training_runs(config)
    chosen["songbloom"] = {"runs": {n: run for n, run in runs.items() if f"runs.{n}" in names}}

    def need(place: str, path: str, exists: bool, cure: str) -> None:
        if not exists:
            problems.append(f"config: {place}: {path} does not exist; {cure}")

    of_scores = score_weights(config) if "scores" in names else ()
    for place, weights, _ in (*model_weights(chosen), *song_weights(chosen), *of_scores):
        if not hub_id(weights) and not made_by_rule(weights):
            path = local_folder(weights)
            need(place, path, Path(path).is_dir(), "give a local checkpoint folder or a hub id")
    for place, path in model_files(chosen):
        need(place, path, path == CODEBOOK or Path(path).is_file(), "correct the path")
    for place in SONG_FILES if songs else ():
        part, key = place.split(".")
        if path := config["songs"][part][key]:
            need(f"songs.{place}", path, Path(path).is_file(), "correct the path")
    for name, stimuli in chosen["stimuli"].items():
        for key in ("sheet", "soundfont"):
            if path := stimuli.get(key):
                need(f"stimuli.{name}.{key}", path, Path(path).is_file(), "correct the path")
    return problems


def wrong_splits(config: Mapping[str, Any], names: set[str]) -> list[str]:
    """Values other than train, valid and test in the columns of sheets that tasks follow.

    names: of the stimulus sets that jobs will open
    """
    asked = {name for model in config["models"].values() for name in model["probes"]}
    problems = []
    for name in sorted(asked):
        task = config["tasks"][name]
        sheet = Path(config["stimuli"][task["stimuli"]].get("sheet") or "")
        if task["stimuli"] not in names or sheet.suffix not in (".tsv", ".csv"):
            continue
        try:
            table = read_sheet(sheet, numbers=False)
        except RasenError:  # the job that lists the clips says what is wrong
            continue
        column, label = task["split"] or "split", task["label"]
        if column not in table:
            continue
        if task["kind"] != "tags" and label in table:
            table = table[table[label] != ""]  # the others do not count
        wrong = table[~table[column].isin(SPLITS)]
        for value, lines in wrong.groupby(column).groups.items():
            problems.append(
                f"config: tasks.{name}.split: {sheet}: '{value}' in {len(lines)} lines from line "
                f"{lines[0] + 2} on; {suggestion(str(value), SPLITS)}"
            )
    return problems
