"""Demucs from a folder: vocals out of the fixture songs, and stems that add up to the mix."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import save_file
from schema_defaults import default_settings
from study import ROOT

from rasen.errors import RasenError
from rasen.songs import stems
from rasen.songs.demo import compose

FIXTURES = ROOT / "resources/songs"
SETTINGS = default_settings(
    stems.SeparationSettings, "separate", model=str(FIXTURES / "models/demucs")
)
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def separator():
    return stems.open_separator(SETTINGS, "cpu")


@pytest.fixture(scope="module")
def river():
    """Vocals and accompaniment [2, time] of a fixture song."""
    return compose.fixture_song(FIXTURES, "river", 0)[1:]


def sdr(truth, found):
    """Signal-to-distortion ratio in dB."""
    return 10 * np.log10((truth**2).sum() / ((truth - found) ** 2).sum())


@pytest.mark.parametrize("name", ["river", "tsuki", "yue"])
def test_vocals_come_out_of_the_mix(separator, name):
    """The mixes have the vocals at about 3 dB; the small Demucs was trained on other songs."""
    _, vocals, band = compose.fixture_song(FIXTURES, name, 0)
    found, rest = stems.separate(separator, vocals + band, compose.RATE, name)
    assert sdr(vocals, vocals + band) < 3.5
    assert sdr(vocals, found) > 8
    assert sdr(band, rest) > 5
    assert found.shape == vocals.shape


def test_stems_add_up_to_the_mix(separator, river, tmp_path):
    mix = sum(river)[:, 10 * compose.RATE : 15 * compose.RATE]
    vocals, rest = stems.separate(separator, mix, compose.RATE, "river")
    assert np.abs(vocals + rest - mix).max() <= 2**-24
    for kind, off in (("flac", 2.0**-22), ("wav", 2.0**-24)):
        for loud in (1.0, 8.0):
            told = stems.write_stems(tmp_path, loud * vocals, loud * rest, 44100, kind)
            both = [stems.read_stem(tmp_path, name)[0] for name in ("vocals", "accompaniment")]
            assert np.abs(sum(both) - told["gain"] * loud * mix).max() <= loud * off
            for path in tmp_path.iterdir():
                path.unlink()
        assert (told["gain"] < 1) == (kind == "flac")  # float goes beyond full scale, FLAC cannot


def test_a_song_always_sounds_alike(separator, river):
    mix = sum(river)[:, : 4 * compose.RATE]
    assert np.array_equal(*(stems.separate(separator, mix, 44100, "a")[0] for _ in range(2)))
    shifted = stems.open_separator(replace(SETTINGS, shifts=2), "cpu")
    first = [stems.separate(shifted, mix, 44100, name)[0] for name in ("a", "a", "b")]
    assert np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], first[2])


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_any_rate_and_mono(separator, river, rate):
    from rasen.songs import recording

    sound = recording.to_mono(sum(river)[:, : 3 * 44100], 44100, rate)[None]
    vocals, rest = stems.separate(separator, sound, rate, "a")
    assert vocals.shape == rest.shape == (2, 3 * 44100)
    assert np.isfinite(vocals).all()


def test_a_tenth_of_a_second(separator, river):
    vocals, _ = stems.separate(separator, sum(river)[:, :4410], 44100, "a")
    assert vocals.shape == (2, 4410)


def test_folders_that_are_no_bag_are_refused(tmp_path):
    with pytest.raises(RasenError, match=r"needs one .yaml file .* found 0"):
        stems.open_separator(replace(SETTINGS, model=str(tmp_path)), "cpu")
    (tmp_path / "x.yaml").write_text("models: [abc]\n")
    (tmp_path / "abc.th").write_bytes(b"a pickle")
    with pytest.raises(RasenError, match=r"abc.safetensors: no such file \(pickled .th"):
        stems.open_separator(replace(SETTINGS, model=str(tmp_path)), "cpu")


@pytest.mark.parametrize(
    "metadata",
    [
        {"klass": "subprocess.Popen", "args": '[["touch", "%s"]]', "kwargs": "{}"},
        {"klass": "demucs.htdemucs.HTDemucs", "structure": '{"a": [{"_class": "this.that"}]}'},
        {"args": "[]"},
    ],
)
def test_a_checkpoint_that_names_another_class_is_refused(tmp_path, metadata):
    """Demucs imports and calls the class that a file's metadata names."""
    ran = tmp_path / "ran"
    metadata = {key: value.replace("%s", str(ran)) for key, value in metadata.items()}
    save_file({"x": np.zeros(1, np.float32)}, tmp_path / "abc.safetensors", metadata)
    (tmp_path / "x.yaml").write_text("models: [abc]\n")
    with pytest.raises(RasenError, match=r"abc.safetensors: names the class .* Demucs"):
        stems.open_separator(replace(SETTINGS, model=str(tmp_path)), "cpu")
    assert not ran.exists()


def test_flac_keeps_24_bits(tmp_path):
    sound = np.full((2, 100), 1 / 3, np.float32)
    stems.write_stems(tmp_path, sound, sound, 44100, "flac")
    assert soundfile.info(tmp_path / "vocals.flac").subtype == "PCM_24"
    assert np.abs(stems.read_stem(tmp_path, "vocals")[0] - sound).max() < 2**-23


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"overlap": 1}, r"songs\.separate\.overlap: 1 is no share"),
        ({"shifts": -1}, r"songs\.separate\.shifts: -1 is negative"),
        ({"format": "mp3"}, r"songs\.separate\.format: 'mp3' is not one of flac, wav"),
    ],
)
def test_settings_that_are_refused(change, reason):
    with pytest.raises(RasenError, match=reason):
        replace(SETTINGS, **change)
