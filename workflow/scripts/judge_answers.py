"""Read the answer of a language model and judge its labels on held-out clips."""

from pathlib import Path

from rasen import command
from rasen.io import hdf5, parquet
from rasen.measure import features as measure
from rasen.sae.features.exchange import read_answer
from rasen.sae.features.tally import open_tally


def judge_answers(answer: Path, tally: Path, clips: Path, seed: int, answers: Path) -> None:
    """One row per answered feature: its label and, where that is a tag, how well it detects it."""
    with hdf5.open_file(tally) as file:
        origin = {name: str(file.attrs[name]) for name in ("model", "point", "sae")}
        origin |= {"layer": int(file.attrs["layer"])}
    with open_tally(tally) as counts:
        given = read_answer(answer, range(counts.features))
        table = measure.judge_answers(counts, parquet.read_table(clips), given, seed)
    parquet.write_table(table.assign(**origin), answers)


if __name__ == "__main__":
    command.run(judge_answers)
