"""Make small models in genuine formats, to try the songs with."""

from pathlib import Path

from rasen import command
from rasen.songs.demo import models


def make_demo_models(muq: Path, vae: Path) -> None:
    """Write a MuQ folder and a stable-audio-tools folder with random weights."""
    models.make_muq(muq, seed=0)
    models.make_vae(vae, seed=0)


if __name__ == "__main__":
    command.run(make_demo_models)
