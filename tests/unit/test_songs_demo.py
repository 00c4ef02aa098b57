"""The fixture songs: shipped voices and truths, and the accompaniment made for them."""

import json
from pathlib import Path

import numpy as np
import pytest

from rasen.songs.demo import compose

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "resources" / "songs"
NAMES = ("river", "tsuki", "yue")


@pytest.fixture(scope="module", params=NAMES)
def song(request):
    return compose.fixture_song(FOLDER, request.param, seed=1)


def test_the_mix_is_as_loud_as_told(song):
    _, vocals, band = song
    ratio = 10 * np.log10((vocals**2).sum() / (band**2).sum())
    assert ratio == pytest.approx(compose.VOCAL_SDR, abs=0.01)
    assert np.abs(vocals + band).max() == pytest.approx(compose.PEAK, abs=1e-4)
    assert vocals.shape == band.shape
    assert vocals.dtype == band.dtype == np.float32


def test_the_accompaniment_depends_on_its_seed_alone():
    _, _, first = compose.fixture_song(FOLDER, "river", seed=1)
    _, _, again = compose.fixture_song(FOLDER, "river", seed=1)
    _, _, other = compose.fixture_song(FOLDER, "river", seed=2)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_equal_sections_sound_alike_and_others_do_not(song):
    truth, _, band = song
    spectra, labels = [], [section["label"] for section in truth["sections"]]
    for section in truth["sections"]:
        start = round(section["start"] * compose.RATE)
        part = band.mean(axis=0)[start : start + 6 * compose.RATE]
        power = np.abs(np.fft.rfft(part)) ** 2
        spectra.append(
            np.log(power[: len(power) // 200 * 200].reshape(-1, 200).mean(axis=1) + 1e-6)
        )
    for i in range(len(labels)):
        for j in range(i):
            distance = np.sqrt(((spectra[i] - spectra[j]) ** 2).mean())
            assert (distance < 0.5) == (labels[i] == labels[j]), (labels[i], labels[j], distance)


def test_the_truth_is_of_the_shipped_voice(song):
    truth, vocals, _ = song
    voice = vocals[0] / np.abs(vocals).max()
    assert truth["seconds"] == pytest.approx(len(voice) / compose.RATE)
    covered = np.zeros(len(voice), bool)
    for line in truth["lines"]:
        section = truth["sections"][line["section"]]
        assert section["start"] <= line["start"] < line["end"] <= section["end"]
        starts = [word["start"] for word in line["words"]]
        assert starts == sorted(starts)
        assert [line["start"], line["end"]] == [starts[0], line["words"][-1]["end"]]
        first, last = (round(line[key] * compose.RATE) for key in ("start", "end"))
        covered[first:last] = True
        assert np.abs(voice[first : first + compose.RATE // 10]).max() > 0.05
    assert np.sqrt((voice[~covered] ** 2).mean()) < 0.01 * np.sqrt((voice[covered] ** 2).mean())


@pytest.mark.parametrize("name", NAMES)
def test_the_lyrics_are_what_is_sung(name):
    truth = json.loads((FOLDER / "truth" / f"{name}.json").read_text(encoding="utf-8"))
    rows = (FOLDER / "lyrics" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    assert [row for row in rows if row and row[0] != "["] == [row["text"] for row in truth["lines"]]
    space = " " if truth["language"] == "en" else ""
    assert all(space.join(w["word"] for w in li["words"]) == li["text"] for li in truth["lines"])
    ends = [0.0] + [section["end"] for section in truth["sections"]]
    assert [section["start"] for section in truth["sections"]] == ends[:-1]
    assert ends[-1] == pytest.approx(truth["seconds"])
