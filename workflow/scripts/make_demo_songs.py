"""Make songs to try the tool with: shipped vocals over accompaniments made from a seed."""

from pathlib import Path

import soundfile

from rasen import command
from rasen.songs.demo import compose

KEPT = 0.3  # of the broken song's file


def make_demo_songs(source: Path, songs: list[Path]):
    """Write each song's mix as FLAC; `broken` is another one, cut short."""
    for path in songs:
        name = path.stem if path.stem != "broken" else "yue"
        _, vocals, accompaniment = compose.song(source, name, seed=0)
        partial = path.with_name(path.stem + ".partial.flac")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(partial, (vocals + accompaniment).T, compose.RATE, "PCM_16")
        if path.stem == "broken":
            whole = partial.read_bytes()
            partial.write_bytes(whole[: int(KEPT * len(whole))])
        partial.replace(path)


if __name__ == "__main__":
    command.run(make_demo_songs)
