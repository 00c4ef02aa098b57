"""A clip for the family `songbloom`: the sketch and the latents that the songs' stages give it."""

import numpy as np
import pytest
import soundfile
import tiny
import torch

from rasen import stimuli
from rasen.errors import RasenError
from rasen.families import open_family
from rasen.io import inputs
from rasen.io.hashes import hash_file, hash_folder
from rasen.measure.encoding import encode_clips
from rasen.networks.codebook import Codebook, load_codebook, nearest_codes, save_codebook
from rasen.networks.frames import pad_to_frames
from rasen.networks.muq import open_muq
from rasen.networks.vae import open_vae
from rasen.songs.demo.models import make_muq, make_vae
from rasen.songs.recording import to_mono, to_stereo

torch.set_num_threads(1)
LAYER = 2


@pytest.fixture(scope="module")
def codecs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("codecs")
    make_muq(folder / "muq", 0)
    make_vae(folder / "vae", 0)
    rng = np.random.default_rng(0)
    sound = rng.standard_normal(24000 * 8).astype(np.float32) / 10
    vectors = open_muq(folder / "muq").embed(sound, LAYER)[:: 200 // tiny.CARD][: tiny.CARD]
    save_codebook(Codebook(vectors, {"layer": str(LAYER)}), folder / "codebook.safetensors")
    return {
        "muq": str(folder / "muq"),
        "muq_layer": LAYER,
        "codebook": str(folder / "codebook.safetensors"),
        "vae": str(folder / "vae"),
    }


@pytest.fixture(scope="module")
def about(codecs):
    """What a training run of ours notes of its codecs (Windows.identity)."""
    return {"codebook": hash_file(codecs["codebook"])[:16], "vae": hash_folder(codecs["vae"])}


@pytest.fixture(scope="module")
def family(codecs, about, tmp_path_factory):
    folder = tiny.songbloom(tmp_path_factory.mktemp("model"), about=about)
    return open_family("songbloom", folder, codecs)


def sound(seconds):
    time = np.arange(round(48000 * seconds)) / 48000
    pitch = 220 + 200 * np.floor(time * 2)
    return (0.2 * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def test_a_clip_is_read_as_a_song_is(family, codecs):
    clip = sound(3.0)
    fields = family.encode(clip, "cpu")
    frames = 64  # of 75: whole patches that hold no silence of ours
    mono = pad_to_frames(to_mono(clip[None], 48000, 24000), 24000)
    states = open_muq(codecs["muq"]).embed(mono, LAYER)
    sketch = nearest_codes(load_codebook(codecs["codebook"]), states)
    assert fields["sketch"].dtype == np.int32
    np.testing.assert_array_equal(fields["sketch"], sketch[:frames])
    assert len(np.unique(sketch)) > 2
    stereo = pad_to_frames(to_stereo(clip[None], 48000, 48000), 48000)
    mean, _ = open_vae(codecs["vae"]).encode(stereo)
    np.testing.assert_allclose(fields["latents"], mean[:frames], rtol=1e-5, atol=1e-5)
    again, other = family.encode(clip, "cpu"), family.encode(sound(2.9), "cpu")
    assert fields["seed"] == again["seed"]
    assert fields["seed"] != other["seed"]


def test_encoded_clips_go_through_the_network(family, tmp_path):
    """The file that one environment writes and the other reads: lengths are those of the frames."""
    for name, seconds in (("a", 2.0), ("b", 0.5), ("c", 1.4)):
        soundfile.write(tmp_path / f"{name}.wav", sound(seconds), 48000)
    (tmp_path / "sheet.tsv").write_text("clip\tpath\na\ta.wav\nb\tb.wav\nc\tc.wav\n")
    table = stimuli.clips({"kind": "audio", "sheet": str(tmp_path / "sheet.tsv")})
    out = encode_clips(family, table, tmp_path / "clips.h5", "cpu")
    assert out["clip"].tolist() == ["b"]
    assert "less than one patch" in out["reason"][0]
    read = inputs.Inputs(tmp_path / "clips.h5")
    assert read.lengths.tolist() == [48, 32]
    network = family.build("cpu", "float32")
    for name, tensor in family.load(family.folder).items():
        network.state_dict()[name].copy_(tensor.read())
    loss, count = family.losses(network, next(read.batches(2)))
    assert torch.isfinite(loss).all()
    assert count[:, 0].tolist() == [48, 32]


def test_another_vae_than_the_runs_is_refused(family, codecs, about, tmp_path):
    make_vae(tmp_path / "vae", 1)
    other = open_family("songbloom", family.folder, codecs | {"vae": str(tmp_path / "vae")})
    with pytest.raises(RasenError, match=f"another vae .hash .* was trained on .{about['vae']}"):
        other.encode(sound(1.0), "cpu")
