"""Studies of songs: the checkout's config and fixture songs in a folder of their own."""

import shutil

import soundfile
from study import ROOT, Study

from rasen.songs.demo import compose

FIXTURES = ROOT / "resources/songs"


def new_study(folder):
    """The checkout's own config and demo songs in a folder of its own, with the default splits."""
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "resources").mkdir()
    (folder / "resources/songs").symlink_to(FIXTURES)
    study = Study(folder)
    study.edit(lambda config: [config["songs"].update(batch=32), config["songs"].pop("splits")])
    return study


def songs_alone(folder):
    """A study without models, whose songs' vocals are given: no Demucs either. Nothing is run.

    Two songs are good, one of them an instrumental; two have no vocals.
    """
    study = new_study(folder)

    def change(config):
        songs = config["songs"]
        songs["separate"] = {"model": None}
        config.clear()
        config["songs"] = songs

    study.edit(change)
    folder = study.folder / "audio"
    folder.mkdir()
    _, vocals, band = compose.fixture_song(FIXTURES, "river", 0)
    soundfile.write(folder / "mix.flac", (vocals + band).T, compose.RATE)
    other = compose.fixture_song(FIXTURES, "river", 5)[2]
    soundfile.write(folder / "band.flac", other.T, compose.RATE)
    soundfile.write(folder / "voice.wav", vocals.mean(axis=0), compose.RATE)
    lyrics = "../resources/songs/lyrics/river.txt"
    rows = [
        ("song", "audio", "lyrics", "language", "vocals"),
        ("river", "../audio/mix.flac", lyrics, "en-US", "../audio/voice.wav"),
        ("bare", "../audio/mix.flac", lyrics, "EN", ""),
        ("lost", "../audio/mix.flac", lyrics, "EN", "../audio/none.wav"),
        ("band", "../audio/band.flac", "inst", "", ""),
    ]
    text = "".join("\t".join(row) + "\n" for row in rows)
    (study.folder / "config/songs.tsv").write_text(text)
    return study
