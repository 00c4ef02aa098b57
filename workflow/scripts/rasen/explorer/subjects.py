"""What the explorer can show: for each subject its tables, its data, and how to make it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasen.explorer import (
    features,
    helix,
    note_sounds,
    perplexity,
    points,
    probes,
    similarity,
    songbloom,
    songs,
)
from rasen.explorer.part import Part

Tables = Mapping[str, Path]


@dataclass(frozen=True)
class Subject:
    """tables: those it needs (names below results/tables); absent: how to have it made."""

    title: str
    tables: tuple[str, ...]
    parts: Callable[[Tables, dict[str, Any]], Iterable[Part]]
    absent: str
    command: str


SUBJECTS = (
    Subject("Points", ("points",), points.parts, "a model in `models`", "snakemake"),
    Subject(
        "Perplexity", ("perplexity",), perplexity.parts,
        "`perplexity: STIMULI` of a model", "snakemake perplexity",
    ),
    Subject("Helix", ("helix",), helix.parts, "`helix: NOTES` of a model", "snakemake helix"),
    Subject("Probes", ("probes",), probes.parts, "`probes: [TASK]` of a model", "snakemake probes"),
    Subject(
        "Similarity of layers", ("similarity",), similarity.parts,
        "`similarity: STIMULI` of a model", "snakemake probes",
    ),
    Subject(
        "SAE features", ("features",), features.parts, "`sae: STIMULI` of a model",
        "snakemake sae",
    ),
    Subject(
        "Songs", ("songs", "quarantine", "recordings", "sections"), songs.parts, "`songs`",
        "`snakemake songs`, then `snakemake explorer`",
    ),
    Subject(
        "Training runs of SongBloom", ("training",), songbloom.training_parts,
        "`songbloom: {runs}`", "`snakemake songbloom`, then `snakemake explorer`",
    ),
    Subject(
        "Songs of SongBloom", ("generated",), songbloom.generated_parts, "`songbloom: {generate}`",
        "`snakemake generated`, then `snakemake explorer`",
    ),
    Subject(
        "Scores", ("scores",), songbloom.score_parts, "`scores`",
        "`snakemake scores`, then `snakemake explorer`",
    ),
)  # fmt: skip


def parts_of_subjects(tables: Tables, contract: dict[str, Any]) -> Iterable[Part]:
    """The data of every subject whose tables are there."""
    for subject in SUBJECTS:
        if all(name in tables for name in subject.tables):
            yield from subject.parts(tables, contract)
    yield from note_sounds.parts(tables)  # heard in several views


def absent_subjects(tables: Tables) -> list[dict[str, str]]:
    """What is not there: title, the setting that asks for it, and the command that makes it."""
    return [
        {"title": subject.title, "setting": subject.absent, "command": subject.command}
        for subject in SUBJECTS
        if not all(name in tables for name in subject.tables)
    ]
