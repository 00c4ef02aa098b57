"""The VAE against stable-audio-tools itself; chunks that cannot be seen; what is refused."""

import copy
import json
import sys
import types

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from encode_latents import encode_latents
from safetensors.torch import load_file, save_file

from rasen.errors import RasenError
from rasen.io import hashes, parquet
from rasen.networks.frames import frame_count, pad_to_frames
from rasen.networks.oobleck import PREFIXES
from rasen.networks.torchaudio_guard import import_torchaudio
from rasen.networks.vae import LatentSettings, open_vae, receptive_field, sample_latents
from rasen.songs.demo.models import make_vae, vae_config

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vae")
    make_vae(folder, 0)
    return folder


@pytest.fixture(scope="module")
def vae(folder):
    return open_vae(folder)


@pytest.fixture(scope="module")
def oracle(folder):
    """stable-audio-tools' own model with the folder's weights, every one of them found."""
    import_torchaudio()
    sys.modules.setdefault("k_diffusion", types.ModuleType("k_diffusion"))  # only its samplers'
    from stable_audio_tools.models.autoencoders import create_autoencoder_from_config
    from stable_audio_tools.models.utils import load_ckpt_state_dict

    model = create_autoencoder_from_config(json.loads((folder / "vae.json").read_text()))
    model.load_state_dict(load_ckpt_state_dict(str(folder / "vae.safetensors")), strict=True)
    return model.eval()


def noise(frames, seed=0):
    """Stereo noise [2, time] with a swell."""
    rng = np.random.default_rng(seed)
    swell = np.sin(np.linspace(0, 20, frames * 1920)) ** 2
    return (0.2 * swell * rng.standard_normal((2, frames * 1920))).astype(np.float32)


@torch.inference_mode()
def theirs(oracle, sound):
    """Mean and scale [T, 64] as the oracle's bottleneck computes them before it draws."""
    mean, scale = oracle.encode_audio(torch.from_numpy(sound)[None], skip_bottleneck=True).chunk(
        2, 1
    )
    scale = torch.nn.functional.softplus(scale) + 1e-4
    return mean[0].T.numpy(), scale[0].T.numpy()


def equal(ours, theirs):
    """But for float32's rounding: 64 of its steps (1.2e-7) at the largest number.

    Convolutions of other lengths, or on another processor, add up in another order: 12 steps were
    measured on three instruction sets of x86. A margin too small, at which a chunk is seen, makes
    a thousand (`test_smaller_margins_would_be_seen`).
    """
    step = np.finfo(np.float32).eps * np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=64 * step)


@pytest.mark.parametrize("count", [1, 5, 142, 300])  # one frame, less than a chunk, one, three
def test_latents_are_those_of_stable_audio_tools(vae, oracle, count):
    sound = noise(count)
    mean, scale = vae.encode(sound)
    assert mean.shape == scale.shape == (count, 64)
    assert mean.std() > 0.05
    for ours, other in zip((mean, scale), theirs(oracle, sound), strict=True):
        equal(ours, other)


def test_scale_is_what_the_bottleneck_draws_with(vae, oracle):
    sound = noise(20)
    mean, scale = vae.encode(sound)
    with torch.inference_mode():
        torch.manual_seed(3)
        drawn = oracle.encode_audio(torch.from_numpy(sound)[None])[0].T.numpy()
        torch.manual_seed(3)
        normal = torch.randn(1, 64, 20)[0].T.numpy()
    equal(mean + scale * normal, drawn)


@pytest.mark.parametrize("count", [1, 5, 300])
def test_sound_is_that_of_stable_audio_tools(vae, oracle, count):
    latents = np.random.default_rng(1).standard_normal((count, 64), dtype=np.float32)
    with torch.inference_mode():
        other = oracle.decode_audio(torch.from_numpy(latents.T.copy())[None])[0].numpy()
    ours = vae.decode(latents)
    assert ours.shape == (2, count * 1920)
    assert ours.std() > 0.01
    equal(ours, other)


def test_encoding_is_repeatable(vae):
    sound = noise(30)
    for one, again in zip(vae.encode(sound), vae.encode(sound), strict=True):
        assert np.array_equal(one, again)


@pytest.mark.parametrize(("chunk", "batch"), [(4, 1), (17, 3), (64, 2), (128, 8)])
def test_chunks_cannot_be_seen(vae, chunk, batch):
    sound = noise(90)
    for ours, whole in zip(
        vae.encode(sound, chunk, batch), vae.encode(sound, chunk=1000), strict=True
    ):
        equal(ours, whole)
    latents = np.random.default_rng(1).standard_normal((90, 64), dtype=np.float32)
    equal(vae.decode(latents, chunk, batch), vae.decode(latents, chunk=1000))


def test_margins_are_what_the_network_sees_and_no_more(vae):
    """By gradients: outputs of frame 20 depend on inputs within the reach, to its very ends."""
    sound = torch.from_numpy(noise(41))[None].requires_grad_()
    vae.net.encoder(sound)[0, :, 20].abs().sum().backward()
    seen = sound.grad[0].abs().sum(dim=0).nonzero()[:, 0] - 20 * 1920
    first, last = receptive_field(vae.net.encoder, 0, 0)
    assert (int(seen.min()), int(seen.max())) == (first, last)
    assert vae.encoder_margin == 7
    latents = torch.randn(1, 64, 41, requires_grad=True)
    vae.net.decoder(latents)[0, :, 20 * 1920 : 21 * 1920].abs().sum().backward()
    seen = latents.grad[0].abs().sum(dim=0).nonzero()[:, 0] - 20
    assert (int(seen.min()), int(seen.max())) == receptive_field(vae.net.decoder, 0, 1919)
    assert vae.decoder_margin == 9


def test_smaller_margins_would_be_seen(vae, monkeypatch):
    sound, whole = noise(90), vae.encode(noise(90), chunk=1000)[0]
    monkeypatch.setattr(vae, "encoder_margin", 4)
    assert np.abs(vae.encode(sound, 16)[0] - whole).max() > 1e-4


@pytest.mark.parametrize("samples", [1, 30_721, 48_001, 143_993, 200_003])
def test_latents_are_in_step_with_the_sketch(vae, samples):
    sound = pad_to_frames(noise(110)[:, :samples], 48000)
    assert len(vae.encode(sound)[0]) == frame_count(samples, 48000)


def test_samples_follow_their_seed_and_moments():
    mean = np.full((500, 64), 2, dtype=np.float32)
    scale = np.full((500, 64), 0.5, dtype=np.float32)
    one = sample_latents(mean, scale, 0, "river")
    assert one.dtype == np.float32
    assert np.array_equal(one, sample_latents(mean, scale, 0, "river"))
    assert not np.array_equal(one, sample_latents(mean, scale, 1, "river"))
    assert not np.array_equal(one, sample_latents(mean, scale, 0, "tsuki"))
    assert abs(one.mean() - 2) < 0.01
    assert abs(one.std() - 0.5) < 0.01


def test_shapes_that_are_refused(vae):
    for sound in (noise(2)[:, :-1], noise(2)[:1], noise(2)[0], noise(2)[:, :0]):
        with pytest.raises(ValueError, match="give stereo, whole frames"):
            vae.encode(sound)
    with pytest.raises(ValueError, match="give \\[frames, 64\\]"):
        vae.decode(np.zeros((64, 10)))


# files


def written(folder, config=None, tensors=None, name="vae.safetensors"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vae.json").write_text(json.dumps(config or vae_config()))
    if tensors is not None and name.endswith(".safetensors"):
        save_file(tensors, folder / name)
    elif tensors is not None:
        torch.save({"state_dict": tensors, "global_step": 7}, folder / name)
    return folder


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_both_formats_and_every_prefix(folder, vae, tmp_path, prefix, suffix):
    tensors = load_file(folder / "vae.safetensors")
    tensors = {prefix + name: tensor for name, tensor in tensors.items()}
    tensors["discriminator.layers.0.weight"] = torch.zeros(3)
    written(tmp_path, tensors=tensors, name="another_name" + suffix)
    for path in (tmp_path, tmp_path / "vae.json"):
        opened = open_vae(path)
        sound = noise(3)
        assert np.array_equal(opened.encode(sound)[0], vae.encode(sound)[0])


def test_a_checkpoint_that_the_oracle_saved(oracle, vae, tmp_path):
    state = {f"autoencoder.{name}": tensor for name, tensor in oracle.state_dict().items()}
    assert len(state) == 365
    opened = open_vae(written(tmp_path, tensors=state, name="model.ckpt"))
    latents = np.random.default_rng(1).standard_normal((3, 64), dtype=np.float32)
    assert np.array_equal(opened.decode(latents), vae.decode(latents))


def test_a_folder_that_diffusers_saved(tmp_path):
    from diffusers import AutoencoderOobleck

    torch.manual_seed(0)
    theirs = AutoencoderOobleck(
        encoder_hidden_size=128, downsampling_ratios=[2, 4, 4, 6, 10], decoder_channels=2,
        channel_multiples=[1, 1, 1, 1, 1], sampling_rate=48000,
    ).eval()  # fmt: skip
    theirs.save_pretrained(tmp_path)
    sound = noise(4)
    with torch.inference_mode():
        posterior = theirs.encode(torch.from_numpy(sound)[None]).latent_dist
        back = theirs.decode(posterior.mean).sample[0].numpy()
    vae = open_vae(tmp_path)
    mean, scale = vae.encode(sound)
    equal(mean, posterior.mean[0].T.numpy())
    equal(scale, posterior.std[0].T.numpy())
    equal(vae.decode(mean), back)


def test_equal_seeds_make_equal_files(folder, tmp_path):
    make_vae(tmp_path / "again", 0)
    make_vae(tmp_path / "other", 1)
    for name in ("vae.json", "vae.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    other = load_file(tmp_path / "other/vae.safetensors")
    same = load_file(folder / "vae.safetensors")
    assert not torch.equal(other["encoder.layers.0.weight_v"], same["encoder.layers.0.weight_v"])


def changed(path, value):
    """vae_config with one entry changed: `a.b.c` is config["a"]["b"]["c"]."""
    config = copy.deepcopy(vae_config())
    *parents, last = path.split(".")
    inner = config
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return config


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("model.encoder.config.use_snake", False, "use_snake is not true"),
        ("model.decoder.config.use_snake", False, "use_snake is not true"),
        ("model.decoder.config.final_tanh", True, "final_tanh is not false"),
        ("model.decoder.config", {}, "final_tanh is not false"),  # true when it is not given
        ("model.encoder.config.antialias_activation", True, "antialias_activation"),
        ("model.decoder.config.use_nearest_upsample", True, "use_nearest_upsample"),
        ("model.decoder.soft_clip", True, "soft_clip"),
        ("model.pretransform", {"type": "pqmf"}, "pretransform"),
        ("model.encoder.type", "dac", "the encoder is not oobleck"),
        ("model.decoder.type", "taae", "the decoder is not oobleck"),
        ("model.bottleneck.type", "rvq", "the bottleneck is rvq, not vae"),
        ("model.bottleneck", None, "the bottleneck is None, not vae"),
        ("model.encoder.config.in_channels", 1, "other channels than io_channels"),
        ("model.out_channels", 1, "other channels than io_channels"),
        ("model.decoder.config.c_mults", [1, 2, 4, 8, 8], "differ in c_mults"),
        ("model.decoder.config.strides", [10, 6, 4, 4, 2], "differ in strides"),
        ("model.encoder.config.strides", [2, 4, 4, 5, 12], "an odd stride"),
        ("model.encoder.config.latent_dim", 64, "latent_dim is not twice"),
        ("model.decoder.config.latent_dim", 128, "the decoder's latent_dim"),
        ("model", {}, "describes no autoencoder"),
        ("model", [1], "not a model config"),
        ("model.encoder.config.strides", 1920, "not a model config"),
        ("model.encoder.config.strides", [30, 64], "c_mults and strides differ in length"),
        ("sample_rate", 44100, "1920 samples per latent at 44100 Hz are 22.97 frames per second"),
    ],
)
def test_configs_that_are_refused(folder, tmp_path, path, value, reason):
    tensors = load_file(folder / "vae.safetensors")
    with pytest.raises(RasenError) as error:
        open_vae(written(tmp_path, changed(path, value), tensors))
    assert reason in str(error.value)


def test_other_clocks_channels_and_latents_are_told_at_once(tmp_path):
    config = vae_config()
    config["model"]["io_channels"], config["model"]["latent_dim"] = 1, 32
    config["sample_rate"] = 44100
    for side, channels, latent in (("encoder", "in_channels", 64), ("decoder", "out_channels", 32)):
        inner = config["model"][side]["config"]
        inner |= {channels: 1, "latent_dim": latent, "strides": [2, 4, 4, 8, 8]}
    with pytest.raises(RasenError) as error:
        open_vae(written(tmp_path, config, {}))
    message = str(error.value)
    assert "2048 samples per latent at 44100 Hz are 21.53 frames per second" in message
    assert "1920 at 48000 Hz are wanted, 25 per second" in message
    assert "1 channels; stereo is wanted" in message
    assert "32 latents; 64 are wanted" in message


def test_a_whole_stable_audio_is_refused_for_its_rate(tmp_path):
    inner = vae_config()["model"]
    for side in ("encoder", "decoder"):
        inner[side]["config"]["strides"] = [2, 4, 4, 8, 8]
    config = {"sample_rate": 44100, "model": {"pretransform": {"type": "ae", "config": inner}}}
    with pytest.raises(RasenError, match=r"21\.53 frames per second"):
        open_vae(written(tmp_path, config, {}))


def test_files_that_are_refused(folder, tmp_path):
    tensors = load_file(folder / "vae.safetensors")
    with pytest.raises(RasenError, match="no such file or folder"):
        open_vae(tmp_path / "nowhere")
    with pytest.raises(RasenError, match="no config JSON"):
        open_vae(tmp_path)
    with pytest.raises(RasenError, match=r"no checkpoint \(.ckpt or .safetensors\)"):
        open_vae(written(tmp_path))
    written(tmp_path, tensors=tensors, name="one.ckpt")
    written(tmp_path, tensors=tensors, name="two.safetensors")
    with pytest.raises(RasenError, match="more than one checkpoint"):
        open_vae(tmp_path)
    assert open_vae(tmp_path / "vae.json", weights=tmp_path / "one.ckpt")
    with pytest.raises(RasenError, match="no such file"):
        open_vae(tmp_path / "vae.json", weights=tmp_path / "three.ckpt")
    written(tmp_path, tensors=tensors, name="vae.safetensors")
    assert open_vae(tmp_path)  # of the same name as the config
    (tmp_path / "vae.safetensors").write_bytes((folder / "vae.safetensors").read_bytes()[:-9])
    with pytest.raises(RasenError, match="damaged or cut short"):
        open_vae(tmp_path)
    (tmp_path / "vae.json").write_text("[")
    with pytest.raises(RasenError, match="not JSON"):
        open_vae(tmp_path)


class Evil:
    def __reduce__(self):
        return print, ("run",)


def test_checkpoints_that_are_refused(folder, tmp_path, capsys):
    tensors = load_file(folder / "vae.safetensors")
    some = {name: tensor for name, tensor in tensors.items() if "decoder.layers.3" not in name}
    with pytest.raises(RasenError, match=r"does not fit vae\.json: Missing key"):
        open_vae(written(tmp_path / "missing", tensors=some))
    more = tensors | {"encoder.layers.9.weight": torch.zeros(2)}
    with pytest.raises(RasenError, match=r"Unexpected key.*encoder\.layers\.9"):
        open_vae(written(tmp_path / "more", tensors=more))
    with pytest.raises(RasenError, match=r"holds no encoder\.layers\.0\.weight_v"):
        open_vae(written(tmp_path / "other", tensors={"weight": torch.zeros(2)}))
    with pytest.raises(RasenError, match="size mismatch"):
        open_vae(written(tmp_path / "wide", vae_config(channels=16), tensors))
    evil = written(tmp_path / "evil")
    torch.save({"state_dict": Evil()}, evil / "vae.ckpt")
    with pytest.raises(RasenError, match="damaged or not plain weights"):
        open_vae(evil)
    assert "run" not in capsys.readouterr().out
    torch.save([1, 2], evil / "vae.ckpt")
    with pytest.raises(RasenError, match="holds no state_dict"):
        open_vae(evil)


def test_an_unknown_number_format_is_refused():
    with pytest.raises(RasenError, match=r"songs\.latents\.dtype: 'int8' is not known"):
        LatentSettings(model="x", dtype="int8", precision="fp32", mono=False)


def test_chunks_of_several_songs_share_a_batch(vae):
    """The latents of each song alone, whatever its neighbours."""
    sounds = [noise(frames, frames) for frames in (48, 16, 33, 64)]
    batches = []
    hook = vae.net.encoder.register_forward_hook(lambda _, args, out: batches.append(len(out)))
    together = list(vae.encode_all(sounds, chunk=4, batch=5))
    hook.remove()
    assert max(batches) == 5
    assert len(batches) <= 1 + -(-sum(len(m) for m in together) // 20) + len(sounds)
    for sound, moments in zip(sounds, together, strict=True):
        equal(moments, np.hstack(vae.encode(sound, chunk=4)))


@pytest.mark.parametrize("mono", [False, True])
def test_a_batch_gets_latents_of_the_mono_mix_when_asked(folder, vae, tmp_path, mono):
    """Songs of each kind, one that cannot be read between them; the VAE is named in the ledger."""
    sounds = {"wide": noise(32, 1), "broken": None, "narrow": np.tile(noise(16, 2)[:1], (2, 1))}
    for name, sound in sounds.items():
        if sound is not None:
            soundfile.write(tmp_path / f"{name}.wav", sound.T, 48000, subtype="FLOAT")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    rows = [{"song": name, "audio": str(tmp_path / f"{name}.wav")} for name in sounds]
    table = pd.DataFrame(rows).assign(key="k", outcome="ok", files="{}")
    parquet.write_table(table, tmp_path / "measured.parquet")
    settings = LatentSettings(str(folder), "float32", "fp32", mono)
    ledger = tmp_path / "ledger.parquet"
    encode_latents(
        tmp_path / "measured.parquet", tmp_path / "songs", settings, "cpu", 1, "code", ledger
    )
    found = parquet.read_table(ledger).set_index("song")
    assert found["outcome"].tolist() == ["ok", "out", "ok"]
    assert found.loc["wide", "vae"] == hashes.hash_folder(folder)
    for name in ("wide", "narrow"):
        home = tmp_path / "songs" / name
        equal(np.load(home / "latents.npy"), np.hstack(vae.encode(sounds[name])))
        assert (home / "latents.mono.npy").exists() is mono
        if mono:
            mix = np.tile(sounds[name].mean(axis=0), (2, 1))
            equal(np.load(home / "latents.mono.npy"), np.hstack(vae.encode(mix)))
    if mono:
        stereo, mixed = (
            np.load(tmp_path / f"songs/wide/{part}.npy") for part in ("latents", "latents.mono")
        )
        assert np.abs(stereo - mixed).max() > 0.01
