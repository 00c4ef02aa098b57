"""All scores as one table, a page beside the paper's, and what could not be scored."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rasen import command
from rasen.errors import RasenError
from rasen.io import parquet
from rasen.io.atomic import write_text
from rasen.scores import table as score_table
from rasen.songs import layout, scored
from rasen.songs.ledger import passed
from rasen.songs.listening import read_ratings
from rasen.songs.lyrics import read_lyrics
from rasen.songs.reasons import SongError


@dataclass(frozen=True)
class GatherSettings:
    """What is computed of what was measured; of `scores` in the config.

    embedding, prompt: what FAD and MCC rest on, in words
    """

    metrics: tuple[str, ...]
    seconds_per_flag: float
    few: bool
    draws: int
    embedding: str
    prompt: str


class Gathered:
    """The rows of every system so far, and what is left out."""

    def __init__(self, stages: Path, songs: Path, sheets: list) -> None:
        self.stages, self.songs, self.sheets = stages, songs, sheets
        self.read = pd.concat([self.ledger("read", sheet) for sheet in sheets], ignore_index=True)
        self.rows: dict[str, list] = {system: [] for system in self.read["system"].unique()}
        self.out = [parquet.read_table(stages / "left_out.parquet")]
        self.out.append(scored.left_out(self.read, self.read))

    def ledger(self, stage, sheet):
        return parquet.read_table(self.stages / stage / f"{sheet}.parquet")

    def systems(self, metric, *after):
        """(system, its songs) that passed these stages; of others it is told that they lack it."""
        found = []
        for sheet in self.sheets:
            for stage in after:
                lacking = self.ledger(stage, sheet)
                self.out.append(scored.left_out(lacking, self.read, metric))
            paths = [self.stages / stage / f"{sheet}.parquet" for stage in ("read", *after)]
            found.append(passed(self.songs, *paths))
        for system, own in pd.concat(found).groupby("system", sort=False):
            yield system, list(own.itertuples(index=False))

    def lack(self, system, song, metric, reason, detail):
        row = (system, song, metric, reason, str(detail))
        self.out.append(pd.DataFrame([row], columns=list(scored.LEFT_OUT)))

    def file(self, row, name):
        return self.songs / row.song / name


def gather_scores(
    sheets: list, stages: Path, songs: Path, settings: GatherSettings, seed: int,
    listening: list, key: Path, table: Path, page: Path, left_out: Path,
) -> None:  # fmt: skip
    """Write the table, the page (Markdown) and the table of what is left out.

    sheets: names, the references' among them, each with a ledger per stage below `stages`
    listening: filled sheets of listeners;  key: which song each of their clips is
    """
    gathered = Gathered(stages, songs, sheets)
    for metric, add in (("per", add_per), ("ser", add_ser), ("fad", add_fad), ("mcc", add_mcc)):
        if metric in settings.metrics:
            add(gathered, settings, seed)
    if listening:
        ratings, wrong = read_ratings(listening, key)
        gathered.out.append(wrong)
        for system, own in ratings.groupby("system", sort=False):
            gathered.rows.setdefault(system, [])
            gathered.rows[system] += score_table.rating_rows(own, settings.draws, seed)
    found = score_table.as_table(gathered.rows)
    missing = pd.concat(gathered.out, ignore_index=True)[list(scored.LEFT_OUT)]
    missing = missing.astype(str).drop_duplicates()
    parquet.write_table(found, table)
    parquet.write_table(missing, left_out)
    write_text(page, score_table.markdown(found, missing))


def add_per(gathered, settings, seed):
    for system, songs in gathered.systems("per", "stems", "transcribe"):
        heard = {
            row.name: json.loads(gathered.file(row, scored.HEARD).read_text(encoding="utf-8"))
            for row in songs
        }
        pairs = {name: (each["reference"], each["heard"]) for name, each in heard.items()}
        gathered.rows[system] += score_table.phoneme_rows(pairs, settings.draws, seed)


def add_ser(gathered, settings, seed):
    for system, songs in gathered.systems("ser", "stems", "sections"):
        pairs = {}
        for row in songs:
            try:
                target = asked_sections(row.lyrics, settings.seconds_per_flag)
            except SongError as error:
                gathered.lack(system, row.name, "ser", error.reason, error)
                continue
            found = pd.read_csv(gathered.file(row, layout.STRUCTURE), sep="\t")
            found = found[["start", "end", "label"]].itertuples(index=False, name=None)
            pairs[row.name] = list(found), target
        if pairs:
            gathered.rows[system] += score_table.section_rows(pairs, settings.draws, seed)


def add_fad(gathered, settings, seed):
    frames = {
        system: {row.name: np.load(gathered.file(row, scored.FRAMES)) for row in songs}
        for system, songs in gathered.systems("fad", "embedded")
    }
    real = frames.pop(scored.REAL, None)
    for system, own in frames.items():
        if real is None:
            gathered.lack(system, "", "fad", "no_reference", "no sheet names one that can be read")
            continue
        for metric in ("fad", "fad_infinity"):
            infinite = metric == "fad_infinity"
            try:
                gathered.rows[system] += score_table.frechet_rows(
                    own, real, settings.embedding, infinite, settings.few, seed
                )
            except RasenError as error:  # too few rows
                gathered.lack(system, "", metric, "few_rows", error)


def add_mcc(gathered, settings, seed):
    systems = dict(gathered.systems("mcc", "embedded"))
    real = {row.name: row for row in systems.get(scored.REAL, [])}
    for system, songs in systems.items():
        for metric, column in (("mcc_audio", "reference"), ("mcc_text", "text")):
            pairs = {}
            for row in songs:
                prompt = _prompt(gathered, row, real, column)
                if prompt is None and system in (scored.REAL, scored.DECODED):
                    continue  # a reference answers no prompt
                if prompt is None:
                    detail = f"the sheet names no {column}, or none that can be read"
                    gathered.lack(system, row.name, metric, f"no_{column}", detail)
                else:
                    own = gathered.file(row, scored.PROMPT)
                    pairs[row.name] = np.load(own), np.load(prompt)
            if pairs:
                gathered.rows[system] += score_table.cosine_rows(
                    pairs, metric, settings.prompt, settings.draws, seed
                )


def _prompt(gathered, row, real, column):
    """The file with the vector of a song's prompt, or None; a reference has none of its own."""
    if column == "text":
        return gathered.file(row, scored.TEXT) if row.text else None
    other = real.get(row.name) if row.reference and row.system != scored.REAL else None
    return None if other is None else gathered.file(other, scored.PROMPT)


def asked_sections(lyrics, seconds_per_flag):
    """The sections that a file of lyrics asks for."""
    if not lyrics:
        raise SongError("no_lyrics", "the sheet names none")
    read_lyrics(lyrics)  # which tells what is wrong with the file
    text = Path(lyrics).read_text(encoding="utf-8-sig")
    if sections := scored.asked_sections(text, seconds_per_flag):
        return sections
    raise SongError("no_lyrics", f"{lyrics}: names no sections, such as [verse]")


if __name__ == "__main__":
    command.run(gather_scores)
