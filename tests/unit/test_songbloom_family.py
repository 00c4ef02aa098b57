"""The family `songbloom`: layers of both transformers, the sketch's loss, routes, its codecs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from safetensors.torch import load_file

from rasen.errors import RasenError
from rasen.families import open_family
from rasen.families.songbloom_layers import draws
from rasen.io import inputs
from rasen.io.hashes import hash_file
from rasen.measure.gradient import correct_network
from rasen.measure.interpolate import load_at_point
from rasen.measure.lens import layer_losses
from rasen.measure.perplexity import clip_losses
from rasen.measure.recovery import loss_recovered, replaced
from rasen.networks.codebook import Codebook, save_codebook
from rasen.networks.songbloom_checkpoint import read_about
from rasen.networks.songbloom_init import initialised
from rasen.study.recipe import Initialisation, Recipe

DEPTH, DIT, PATCH, CODES = tiny.DEPTH, 2, 16, tiny.CARD
FRAMES = (64, 32, 48)
TIMES = [0.25, 1.0]


@pytest.fixture(scope="module", params=[False, True], ids=["ours", "public"])
def folder(request, tmp_path_factory):
    about = {"run": "demo", "codebook": "c" * 16}
    return tiny.songbloom(tmp_path_factory.mktemp("model"), public=request.param, about=about)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips of several lengths, as `encode` gives them."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("inputs") / "clips.h5"
    encoded = [
        {
            "latents": rng.standard_normal((frames, 64), dtype=np.float32),
            "sketch": rng.integers(CODES, size=frames).astype(np.int32),
            "seed": np.array([number + 5]),
        }
        for number, frames in enumerate(FRAMES)
    ]
    names = pd.DataFrame({"clip": [f"clip{number}" for number in range(len(FRAMES))]})
    inputs.write_inputs(path, encoded, names)
    return inputs.Inputs(path)


def opened(folder, point="trained", times=TIMES, seed=0, **more):
    initial = Initialisation("official", seed)
    recipe = Recipe(
        "songbloom", str(folder), point, initial=initial, options={"times": times}, **more
    )
    return load_at_point(recipe, "cpu")


def whole_batch(clips):
    return next(clips.batches(len(FRAMES)))


@torch.inference_mode()
def hidden(family, network, batch, layers=None):
    layers = range(len(family.layers)) if layers is None else layers
    return dict(family.hidden(network, batch, layers))


def network_batch(family, batch):
    """What the network itself reads of such clips: nothing is told of them."""
    clips = len(batch["lengths"])
    none = torch.zeros(clips, dtype=torch.long)
    return {
        "sketch": batch["sketch"].long(), "latents": batch["latents"], "frames": batch["lengths"],
        "last": none.bool(), "ids": none[:, None], "length": none + 1,
        "prompt": torch.zeros(clips, 9, 64), "prompt_frames": none,
    }  # fmt: skip


def test_the_layers_are_what_passes_through_the_network(folder, clips):
    """The decoder's against hooks on a forward pass of the network, the DiT's against a velocity
    that is computed for one patch alone."""
    family, network = opened(folder)
    batch = whole_batch(clips)
    ours = hidden(family, network, batch)
    assert list(ours) == list(range(DEPTH + 1 + len(TIMES) * DIT)) == [*range(len(family.layers))]
    told, seen = network_batch(family, batch), []
    decoder = network.ar_transformer
    modules = [*decoder.layers[:-1], decoder.norm]
    hooks = [m.register_forward_hook(lambda m, given, out: seen.append(out)) for m in modules]
    noise = torch.zeros_like(batch["latents"])
    out = network({**told, "time": noise[:, ::PATCH, 0], "noise": noise})
    for hook in hooks:
        hook.remove()
    rows = family.config.rows
    assert rows == 11
    places = [rows + 1 + t + t // PATCH for t in range(FRAMES[0])]
    assert family.places(seen[0].shape[1]).tolist() == places
    embedded = network.skeleton_emb(told["sketch"])
    for clip, frames in enumerate(FRAMES):
        torch.testing.assert_close(ours[0][clip, :frames], embedded[clip, :frames])
        for layer, values in enumerate(seen, 1):
            wanted = values[clip, places][:frames]
            torch.testing.assert_close(ours[layer][clip, :frames], wanted, rtol=1e-5, atol=1e-5)
    assert family.layer_modules(network)[:DEPTH] == modules
    # patch 2 of clip 0 at the second time, with the noise that all clips share
    blocks, seen = [], []
    hooks = [
        m.register_forward_hook(lambda m, given, out: blocks.append(out))
        for m in network.nar_dit.layers
    ]
    latents = batch["latents"].unflatten(1, (-1, PATCH))
    noise = shared_noise(family, FRAMES[0]).unflatten(0, (-1, PATCH))
    network.velocity(
        (1 - TIMES[0]) * latents[:1, 2] + TIMES[0] * noise[2:3], torch.tensor(TIMES[:1]),
        out.hidden[:1, 2], embedded[:1, 32:48], latents[:1, 1],
    )  # fmt: skip
    for hook in hooks:
        hook.remove()
    for block, values in enumerate(blocks):
        given = ours[DEPTH + 1 + block][0, 32:48]
        torch.testing.assert_close(given, values[0, -PATCH:], rtol=1e-4, atol=1e-4)


def shared_noise(family, frames):
    from rasen.seeds import generator

    normal = generator(0, "songbloom", "noise").standard_normal((frames, 64), dtype=np.float32)
    return torch.from_numpy(normal)


def test_layers_that_are_asked_for_are_those_of_all(folder, clips):
    family, network = opened(folder)
    batch = whole_batch(clips)
    every = hidden(family, network, batch)
    for layers in ([2], [0, DEPTH], [DEPTH + 2], [1, DEPTH + 1, DEPTH + 4]):
        some = hidden(family, network, batch, layers)
        assert list(some) == layers
        assert all(torch.equal(some[layer], every[layer]) for layer in layers)


def test_without_times_only_the_decoder_is_read(folder):
    family, _ = opened(folder, times=[])
    assert len(family.layers) == DEPTH + 1
    assert family.frame_rate == 25
    assert family.layers[-1] == f"output of the decoder's block {DEPTH} after the final norm"


def test_a_clip_is_the_same_alone_and_in_a_batch(folder, clips):
    family, network = opened(folder)
    together = hidden(family, network, whole_batch(clips))
    sums, counts = family.losses(network, whole_batch(clips))
    for number, batch in enumerate(clips.batches(1)):
        for layer, values in hidden(family, network, batch).items():
            found = together[layer][number, : FRAMES[number]]
            torch.testing.assert_close(found, values[0], rtol=1e-4, atol=1e-4)
        loss, count = family.losses(network, batch)
        torch.testing.assert_close(sums[number], loss[0], rtol=1e-5, atol=1e-4)
        assert counts[number].item() == count.item() == FRAMES[number]


def test_frame_t_knows_nothing_of_what_comes_later(folder, clips):
    """The decoder: neither later tokens, nor latents of its own patch; the DiT: its own patch."""
    family, network = opened(folder)
    batch, changed = next(clips.batches(1)), next(clips.batches(1))
    changed["sketch"][:, 20:] = (changed["sketch"][:, 20:] + 1) % CODES
    changed["latents"][:, 16:] += 1  # of the patch in which frame 20 lies
    before, after = hidden(family, network, batch), hidden(family, network, changed)
    for layer in range(DEPTH + 1):
        differ = (before[layer] - after[layer]).abs().amax(2)[0] > 1e-5
        assert not differ[:20].any(), layer
        assert differ[20:].all(), layer
    for layer in range(DEPTH + 1, len(family.layers)):
        assert torch.equal(before[layer][:, :16], after[layer][:, :16])


def test_the_loss_is_the_networks_own(folder, clips):
    family, network = opened(folder)
    batch = whole_batch(clips)
    noise = torch.zeros_like(batch["latents"])
    told = {**network_batch(family, batch), "time": noise[:, ::PATCH, 0], "noise": noise}
    out = network(told)
    sums, counts = family.losses(network, batch)
    torch.testing.assert_close(sums.sum(), out.lm_sum, rtol=1e-5, atol=0)
    assert counts.sum() == out.tokens == sum(FRAMES)
    assert torch.equal(family.targets(batch["lengths"]), counts)
    table = clip_losses(family, network, clips, "cpu", 2)
    assert table["group"].unique().tolist() == ["sketch"]
    assert table["loss"].sum() == pytest.approx(out.lm_sum.item(), rel=1e-5)
    wanted = family.wanted(batch)
    assert torch.equal((wanted >= 0).sum(-1), counts)
    assert wanted.max() < family.cardinality


def test_the_gradient_is_of_both_losses_and_of_all_clips(folder, clips):
    """A step descends L_LM + 0.1 L_flow, with draws that are the clips' own, in any batches."""
    family, network = opened(folder)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    once = correct_network(family, network, clips, 0.02, 1, "cpu", batch=3)
    moved = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(before)
    again = correct_network(family, network, clips, 0.02, 1, "cpu", batch=1)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, moved[name], rtol=1e-4, atol=1e-5)
    assert again["loss_before"][0] == pytest.approx(once["loss_before"][0], rel=1e-5)
    assert once["loss_after"][0] < once["loss_before"][0]
    # the DiT learns from the flow alone, the classifier from the sketch alone
    for name in ("nar_dit.layers.0.ff.ff.2.weight", "skeleton_classifier.0.weight", "bos_token"):
        assert not torch.equal(moved[name], before[name]), name
    blank = "condition_provider.conditioners.lyrics.blank_emb"
    assert torch.equal(moved[blank], before[blank])
    network.load_state_dict(before)
    sums, flow = 0.0, 0.0
    for batch in clips.batches(1):
        told = {**network_batch(family, batch), **draws(batch, PATCH)}
        out = network(told)
        sums, flow = sums + out.lm_sum.item(), flow + out.flow_sum.item()
    wanted = sums / sum(FRAMES) + 0.1 * flow / (sum(FRAMES) / PATCH)
    assert once["loss_before"][0] == pytest.approx(wanted, rel=1e-5)
    times = [draws(batch, PATCH)["time"] for batch in clips.batches(1)]
    assert not torch.equal(times[0][:, :2], times[1][:, :2])


def test_untrained_is_where_the_training_begins(folder):
    family, network = opened(folder, "untrained", seed=7)
    first = initialised(family.config, 7).state_dict()
    assert network.state_dict().keys() == first.keys()
    assert all(torch.equal(first[name], t) for name, t in network.state_dict().items())


def test_the_middle_of_the_line_and_a_step_of_a_run(folder, tmp_path):
    _, start = opened(folder, "untrained")
    _, end = opened(folder)
    _, middle = opened(folder, "linear-0.500")
    for name, tensor in middle.state_dict().items():
        between = (start.state_dict()[name] + end.state_dict()[name]) / 2
        torch.testing.assert_close(tensor, between)
    step = tiny.songbloom(tmp_path / "step", seed=4)
    _, network = opened(folder, "step-000025", checkpoint=str(step))
    stored = load_file(step / "model.safetensors")
    assert torch.equal(network.bos_token, stored["model.bos_token"])


def test_an_export_is_the_same_model_with_its_vocabulary_and_notes(folder, tmp_path, clips):
    family, network = opened(folder)
    family.export(network, tmp_path / "out")
    again, loaded = opened(tmp_path / "out")
    told = read_about(tmp_path / "out")
    assert told == read_about(folder)
    assert told.tokens == tiny.TOKENS
    assert told.about == {"run": "demo", "codebook": "c" * 16}
    batch = whole_batch(clips)
    before, after = hidden(family, network, batch), hidden(again, loaded, batch)
    assert all(torch.equal(before[layer], after[layer]) for layer in before)


def test_a_layer_can_be_replaced_where_the_sketch_stands(folder, clips):
    family, network = opened(folder)
    batch = whole_batch(clips)
    layers = hidden(family, network, batch)
    lengths = batch["lengths"]
    there = torch.arange(FRAMES[0])[None] < lengths[:, None]
    for layer in (1, DEPTH):
        seen = []

        def keep(values, seen=seen):
            seen.append(values)
            return values

        module = family.layer_modules(network)[layer - 1]
        with torch.no_grad(), replaced(module, keep, lengths, family.places):
            family.losses(network, batch)
        torch.testing.assert_close(seen[0], layers[layer][there], rtol=1e-4, atol=1e-4)
    found = loss_recovered(family, network, clips, 2, {"same": lambda x: x}, "cpu", 2)
    assert found["loss"][0] == pytest.approx(found["loss_model"][0], rel=1e-6)
    assert found["loss_mean"][0] != pytest.approx(found["loss_model"][0], rel=1e-3)
    # the sketch's loss does not need the DiT
    found = loss_recovered(family, network, clips, DEPTH + 1, {"same": lambda x: x}, "cpu", 2)
    assert np.isnan(found["loss_recovered"][0])


def test_the_lens_reads_the_decoders_layers_alone(folder, clips):
    family, network = opened(folder)
    table = layer_losses(family, network, clips, "cpu", 2)
    assert sorted(table["layer"].unique()) == list(range(DEPTH + 1))
    last = table[table["layer"] == DEPTH]["loss"].sum()
    assert last == pytest.approx(clip_losses(family, network, clips, "cpu", 2)["loss"].sum())


def test_padding_of_conditions_that_is_not_attended_to(tmp_path, clips):
    """`see_padding: false`: hidden layers keep to the network's mask, too."""
    family, network = opened(tiny.songbloom(tmp_path / "m", see_padding=False), times=[])
    batch = whole_batch(clips)
    told = network_batch(family, batch)
    sketch = network.embed_sketch(told)
    sequence = network.sequence(sketch, told["latents"])
    rows, filled = network.conditions(told)
    read = network.decode(sequence, rows, network.mask(filled, sequence.shape[1]))
    wanted = read[:, family.places(family.config.rows + read.shape[1]) - family.config.rows]
    found = hidden(family, network, batch)[DEPTH]
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-4, atol=1e-4)


def test_half_precision_gives_nearly_the_same(folder, clips):
    family, network = opened(folder)
    _, half = opened(folder, dtype="bfloat16")
    batch = whole_batch(clips)
    exact, rounded = hidden(family, network, batch), hidden(family, half, batch)
    for layer, values in exact.items():
        assert rounded[layer].dtype == torch.bfloat16
        error = (rounded[layer].float() - values).square().mean() / values.square().mean()
        assert error < 0.01, layer


# --- codecs


def codecs(tmp_path, codes=CODES, layer=None):
    book = Codebook(np.eye(codes, 4, dtype=np.float32), {"layer": str(layer)} if layer else {})
    path = tmp_path / "codebook.safetensors"
    save_codebook(book, path)
    return {"muq": "m", "muq_layer": 2, "codebook": str(path), "vae": "v"}


def test_clips_of_less_than_a_patch_are_refused(folder):
    family = open_family("songbloom", folder, {})
    with pytest.raises(RasenError, match=r"0.638 s are less than one patch \(0.64 s\)"):
        family.encode(np.zeros(30624, np.float32), "cpu")


@pytest.mark.parametrize(
    ("codes", "layer", "message"),
    [
        (CODES + 1, None, f"has {CODES + 1} codes, the model {CODES}; give the codebook"),
        (CODES, 3, "is of layer 3, muq_layer is 2; make them agree"),
        (CODES, None, "another codebook .* than .* was trained on .c{16}.; give that one"),
    ],
)
def test_a_codebook_of_another_model_is_refused(folder, tmp_path, codes, layer, message):
    family = open_family("songbloom", folder, codecs(tmp_path, codes, layer))
    with pytest.raises(RasenError, match=message):
        family.codebook()


def test_the_codebook_of_the_training_is_taken(tmp_path):
    options = codecs(tmp_path)
    about = {"codebook": hash_file(options["codebook"])[:16]}
    family = open_family("songbloom", tiny.songbloom(tmp_path / "m", about=about), options)
    assert family.codebook().vectors.shape == (CODES, 4)


@pytest.mark.parametrize("gone", ["config.yaml", "model.safetensors"])
def test_missing_files_are_told(tmp_path, gone):
    folder = tiny.songbloom(tmp_path / "m")
    Path(folder, gone).unlink()
    with pytest.raises(RasenError, match=r"not a SongBloom: wanted config.yaml and model"):
        open_family("songbloom", folder, {})
