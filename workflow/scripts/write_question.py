"""Write the question to a language model (or people): what do the examples have in common?"""

from pathlib import Path

from rasen import command
from rasen.io import hdf5, parquet
from rasen.measure.features import tags_of_clips
from rasen.sae.features.exchange import write_question as write
from rasen.sae.features.tally import open_tally


def write_question(tally: Path, top: Path, examples: Path, clips: Path, question: Path) -> None:
    """Texts are shown by their strong examples in context, sounds by the names of the top clips."""
    table = parquet.read_table(clips)
    with open_tally(tally) as counts:
        tags = tags_of_clips(table, counts.clips.number)
    with hdf5.open_file(tally) as file:
        about = {name: str(file.attrs[name]) for name in ("model", "point", "layer", "sae")}
    shown = parquet.read_table(examples)
    if "context" not in shown:
        shown = parquet.read_table(top)
    shown["clip"] = table["clip"].to_numpy()[shown["clip"]]
    write(shown, question, [] if tags is None else list(tags.table["tag"]), about)


if __name__ == "__main__":
    command.run(write_question)
