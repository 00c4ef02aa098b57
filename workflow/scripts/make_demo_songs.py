"""Make songs to try the tool with: shipped vocals over accompaniments made from a seed."""

from pathlib import Path

import soundfile

from rasen import command
from rasen.io.atomic import whole_file
from rasen.songs.demo import compose

KEPT = 0.3  # of the broken song's file


def make_demo_songs(source: Path, songs: list[Path]) -> None:
    """Write each song's mix as FLAC; `broken` is another one, cut short."""
    for path in songs:
        name = path.stem if path.stem != "broken" else "yue"
        _, vocals, accompaniment = compose.fixture_song(source, name, seed=0)
        with whole_file(path) as partial:
            mix = (vocals + accompaniment).T
            soundfile.write(partial, mix, compose.RATE, "PCM_16", format="FLAC")
            if path.stem == "broken":
                content = partial.read_bytes()
                partial.write_bytes(content[: int(KEPT * len(content))])


if __name__ == "__main__":
    command.run(make_demo_songs)
