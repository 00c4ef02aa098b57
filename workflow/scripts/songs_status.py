"""Print and draw where a corpus of songs stands, also while it is being processed."""

from pathlib import Path

from rasen import command
from rasen.figures.songs_status import draw_status
from rasen.songs.status import as_text, corpus_status


def songs_status(results: Path, songs: int, batch: int, figure: Path) -> None:
    """Print three tables and draw one page.

    songs: of the sheet;  batch: songs per job
    """
    status = corpus_status(results, songs, batch)
    print(as_text(status))
    draw_status(status.stages, status.reasons, status.sizes, figure)
    print(f"\n{figure}")


if __name__ == "__main__":
    command.run(songs_status)
