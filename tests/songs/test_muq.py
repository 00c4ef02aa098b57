"""MuQ through our adaptor: the library's own numbers, windows, and folders that are not MuQ."""

import json
import shutil
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from rasen.errors import RasenError
from rasen.networks.frames import frame_count, pad_to_frames
from rasen.networks.muq import EmbeddingSettings, Muq, open_muq
from rasen.networks.precision import float_type
from rasen.songs.demo.models import make_muq

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("muq")
    make_muq(folder, 0)
    return folder


@pytest.fixture(scope="module")
def muq(folder):
    return open_muq(folder)


def melody(seconds, seed=0):
    """Notes of a quarter second with overtones, at 24 kHz."""
    rng = np.random.default_rng(seed)
    time = np.arange(6000) / 24000
    pitches = 110 * 2 ** (rng.integers(0, 36, round(seconds * 4)) / 12)
    notes = [sum(np.sin(2 * np.pi * f * k * time) / k for k in (1, 2, 3)) for f in pitches]
    return (0.2 * np.concatenate(notes)).astype(np.float32)


def equal(ours, theirs):
    """But for float32's rounding: 32 of its steps (1.2e-7) at the largest number.

    Batches of another size, or another processor, add up in another order: 4 steps were measured
    on three instruction sets of x86. A window that is seen makes thousands
    (`test_the_convolutions_see_no_window`).
    """
    step = np.finfo(np.float32).eps * np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=32 * step)


@torch.inference_mode()
def library_states(muq, sound):
    """All hidden states [L + 1, T, d], block by block through the library's modules alone."""
    net = muq.net
    mel = net.normalize(net.preprocessing(torch.from_numpy(sound)[None], ["melspec_2048"]))
    hidden = net.conv(mel["melspec_2048"])
    states = [hidden]
    positions = net.conformer.embed_positions(hidden)
    for block in net.conformer.layers:
        hidden = block(hidden, attention_mask=None, relative_position_embeddings=positions)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        states.append(hidden)
    states[-1] = net.conformer.layer_norm(hidden)
    return torch.cat(states).numpy()


def test_layers_are_those_of_the_library(muq):
    sound = melody(8)
    states = library_states(muq, sound)
    assert states.shape == (4, 200, 32)
    for layer, state in enumerate(states):
        equal(muq.embed(sound, layer), state)
    assert np.abs(np.diff(states, axis=0)).max(axis=(1, 2)).min() > 0.1  # no two alike


def test_blocks_above_the_layer_do_not_run(muq):
    ran = []
    hooks = [
        block.register_forward_hook(lambda *_, index=index: ran.append(index))
        for index, block in enumerate(muq.blocks)
    ]
    for layer in range(4):
        ran.clear()
        muq.embed(melody(1), layer)
        assert ran == list(range(layer))
    for hook in hooks:
        hook.remove()
    assert len(muq.encoder.layers) == 3


@pytest.mark.parametrize("samples", [1, 15_361, 24_959, 100_003, 143_993])
def test_frames_are_those_of_the_song(muq, samples):
    sound = pad_to_frames(melody(6)[:samples], 24000)
    assert muq.embed(sound, 1).shape == (frame_count(samples, 24000), 32)


def test_unpadded_sound_is_refused(muq):
    with pytest.raises(ValueError, match="pad it"):
        muq.embed(melody(1)[:-1], 1)
    with pytest.raises(ValueError, match="pad it"):
        muq.embed(melody(2).reshape(2, -1), 1)


def test_windows_are_cut_where_they_say(muq):
    sound = melody(20)
    parts = [(0, 0, 5), (4, 5, 9), (8, 9, 13), (12, 13, 16), (14, 16, 20)]  # seconds, window 6
    by_hand = [
        library_states(muq, sound[start * 24000 : (start + 6) * 24000])[2][
            (first - start) * 25 : (last - start) * 25
        ]
        for start, first, last in parts
    ]
    for batch in (1, 2, 10):
        ours = muq.embed(sound, 2, window=6, margin=1, batch=batch)
        equal(ours, np.concatenate(by_hand))


def test_the_convolutions_see_no_window(muq):
    sound = melody(20)
    whole = muq.embed(sound, 0, window=20)
    assert np.array_equal(whole, muq.embed(sound, 0, window=30))
    equal(muq.embed(sound, 0, window=5, margin=1), whole)
    cut = muq.embed(sound, 0, window=5, margin=0)
    assert np.abs(cut - whole).max() > 1e-3  # the margin is what hides the windows


def test_half_precision_is_near(muq):
    sound = melody(4)
    half = Muq(open_muq_model(muq), "cpu", torch.bfloat16).embed(sound, 3)
    full = muq.embed(sound, 3)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - full).max() < 0.2 * np.abs(full).max()


def open_muq_model(muq):
    """An object as the package's MuQ, around the same network."""
    return type("Model", (), {"model": muq.net})()


def test_different_music_has_different_embeddings(muq):
    time = np.arange(24000 * 2) / 24000
    tones = [0.3 * np.sin(2 * np.pi * f * time) for f in (110, 220, 440, 880, 1760)]
    means = [muq.embed(tone, 2).mean(axis=0) for tone in tones]
    spread = muq.embed(melody(8), 2).std(axis=0).mean()
    for index, one in enumerate(means):
        for other in means[index + 1 :]:
            assert np.linalg.norm(one - other) > spread
    assert np.linalg.matrix_rank(muq.embed(melody(8), 2), tol=0.1) > 10


def test_equal_seeds_make_equal_files(folder, tmp_path):
    make_muq(tmp_path / "again", 0)
    make_muq(tmp_path / "other", 1)
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert (tmp_path / "other/model.safetensors").read_bytes() != (
        folder / "model.safetensors"
    ).read_bytes()


def test_the_small_folder_is_one_that_the_library_opens(folder, muq):
    from muq.muq import MuQ

    theirs = MuQ.from_pretrained(folder, strict=True)
    ours = muq.net.state_dict()
    assert len(ours) == 157
    assert all(
        torch.equal(tensor, ours[name]) for name, tensor in theirs.model.state_dict().items()
    )


def broken(folder, tmp_path, **changes):
    """A copy of the folder with another config."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changes))
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stat": {}}, "not a MuQ"),
        ({"stat": {"melspec_mean": 1.0}}, "not a MuQ"),
        ({"w2v2_config": None}, "not a MuQ"),
        ({"w2v2_config": {"hidden_size": 32}}, "not a MuQ"),
        ({"label_rate": 50}, "label_rate is 50"),
        ({"is_flash": True}, "is_flash"),
        ({"encoder_depth": 4}, "does not fit its config.json: Missing.*layers.3"),
        ({"encoder_depth": 2}, "does not fit its config.json: Unexpected.*layers.2"),
        ({"codebook_size": 128}, "does not fit its config.json: size mismatch"),
    ],
)
def test_configs_that_are_refused(folder, tmp_path, changes, reason):
    with pytest.raises(RasenError, match=reason):
        open_muq(broken(folder, tmp_path, **changes))


def test_folders_that_are_refused(folder, tmp_path):
    with pytest.raises(RasenError, match="no such folder; give the folder of a MuQ"):
        open_muq(tmp_path / "nowhere")
    with pytest.raises(RasenError, match=r"holds no config\.json"):
        open_muq(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RasenError, match="not JSON"):
        open_muq(tmp_path)
    shutil.copy(folder / "config.json", tmp_path)
    with pytest.raises(RasenError, match=r"holds no model\.safetensors"):
        open_muq(tmp_path)
    data = (folder / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(data[:-1000])
    with pytest.raises(RasenError, match="damaged or cut short"):
        open_muq(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.conv.linear.bias"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(RasenError, match=r"Missing key.*model\.conv\.linear\.bias"):
        open_muq(tmp_path)


def test_layers_that_do_not_exist(muq):
    for layer in (-1, 4):
        with pytest.raises(RasenError, match="layers 0 to 3"):
            muq.embed(melody(1), layer)


GOOD = {"model": "x", "layer": 1, "window": 30.0}


def test_settings_that_are_refused():
    for change, reason in (({"layer": -1}, "layer: -1 is no layer"), ({"window": 0}, "too short")):
        with pytest.raises(RasenError, match=reason):
            EmbeddingSettings(**{"model": "x", "layer": 1, "window": 30.0} | change)


def test_windows_of_several_songs_share_a_batch(muq):
    """The states of each song alone, whatever its neighbours; a song that failed stays in place."""
    sounds = [melody(seconds, seed) for seed, seconds in enumerate((20, 4, 13, 13, 0.64))]
    sizes = []
    hook = muq.net.conv.register_forward_hook(lambda _, args, out: sizes.append(len(out)))
    failed = ValueError("cut short")
    together = list(
        muq.embed_all([*map(pad, sounds[:2]), failed, *map(pad, sounds[2:])], 2, 6, 1, batch=4)
    )
    hook.remove()
    assert together.pop(2) is failed
    assert sizes[:2] == [4, 1]  # windows of 6 s of the first; the second is shorter than a window
    assert max(sizes) == 4
    for sound, states in zip(sounds, together, strict=True):
        equal(states, muq.embed(pad(sound), 2, window=6, margin=1))


def pad(sound):
    return pad_to_frames(sound, 24000)


def test_bf16_is_near_and_only_where_it_is_asked_for(folder, muq):
    sound = melody(8)
    half = open_muq(folder)
    assert half.dtype == torch.float32
    half.set_precision("bf16")
    ours, whole = half.embed(sound, 2), muq.embed(sound, 2)
    error = np.linalg.norm(ours - whole) / np.linalg.norm(whole)
    assert 1e-5 < error < 0.05


@pytest.mark.parametrize(("slow", "chosen"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_the_faster_arithmetic_is_found_by_measuring(slow, chosen):
    def trial(dtype):
        time.sleep(0.03 if dtype == getattr(torch, slow) else 0.01)

    assert float_type("auto", trial) == getattr(torch, chosen)
