"""Tempo, key and loudness of music whose tempo, key and level are known."""

import fcntl
import os
import subprocess
import sys

import numpy as np
import pytest
from study import ROOT

from rasen.seeds import generator
from rasen.songs import music
from rasen.songs.compiling import LOCK
from rasen.songs.demo import compose

FIXTURES = ROOT / "resources/songs"
SCRIPTS = ROOT / "workflow/scripts"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tempo_and_key_of_an_accompaniment(seed):
    truth, _, band = compose.fixture_song(FIXTURES, "river", seed)
    found = music.describe_music(band, compose.RATE)
    key = compose.LOWEST + int(generator(seed, "key").integers(12))
    assert found["music_key"] == f"{music.NOTES[key % 12]} major"
    assert found["key_fit"] > 0.8
    first = truth["sections"][0]
    true = 60 * compose.BARS * compose.BEATS / (first["end"] - first["start"])
    assert found["tempo"] == pytest.approx(true, rel=0.05)


@pytest.mark.parametrize(("triad", "key"), [((9, 0, 4), "A minor"), ((0, 4, 7), "C major")])
def test_a_key_and_its_relative_differ_in_their_triad(triad, key):
    chroma = np.isin(np.arange(12), [0, 2, 4, 5, 7, 9, 11]).astype(float)
    chroma[list(triad)] += 1
    assert music.find_key(chroma)[0] == key


def test_loudness_of_a_reference_tone():
    """A sine of 997 Hz at full scale in one channel is -3.01 LKFS (ITU-R BS.1770)."""
    rate = 48000
    tone = np.sin(2 * np.pi * 997 * np.arange(4 * rate) / rate)
    assert music.loudness(np.stack([tone, 0 * tone]), rate) == pytest.approx(-3.01, abs=0.06)
    assert music.loudness(0.1 * np.stack([tone, 0 * tone]), rate) == pytest.approx(-23.01, abs=0.06)
    assert music.loudness(np.zeros((2, 4 * rate)), rate) is None
    assert music.loudness(np.ones((1, 100)), rate) is None


COMPILE = "from rasen.songs.music import compile_once; compile_once()"


def test_one_process_compiles_at_a_time(tmp_path):
    """Two at once number numba's files alike, and every later process crashes."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(SCRIPTS)}
    with (tmp_path / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        process = subprocess.Popen([sys.executable, "-c", COMPILE], env=environment)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(20)
        assert not any(tmp_path.rglob("*.nbi"))
    assert process.wait() == 0
    assert any(tmp_path.rglob("*.nbi"))
