"""Running a model at a point: losses, gradient steps, activations."""

import h5py
import numpy as np
import pytest
import tiny
import torch

from rasen.device import pick_device
from rasen.errors import RasenError
from rasen.families.musicgen import delayed
from rasen.io import hdf5
from rasen.measure import activations, gradient, perplexity
from rasen.measure.activations import DumpSettings
from rasen.measure.interpolate import network_at_point
from rasen.measure.summary import summarise_losses
from rasen.nano.codec import RATE, encode, fit_codec
from rasen.seeds import generator
from rasen.stimuli.melodies import melody
from rasen.study.recipe import Recipe
from rasen.weights.network_tensors import named_tensors, save_network

# Two float32 means of the same losses, added up in another order: some units in the last place,
# 1.2e-7 each. One wrong target of the few dozen would move the mean by 1e-2.
SAME_MEAN = 2e-6


def equal_clips(count=3, time=20, seed=1):
    rng = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, tiny.CARD, (count, time, tiny.BOOKS), generator=rng)
    return {"codes": codes, "lengths": torch.full((count,), time)}


# --- losses and perplexity


def test_loss_is_transformers_own_over_the_delayed_sequence(family, at):
    network, batch = at("trained"), equal_clips()
    sums, counts = family.losses(network, batch)
    time = batch["codes"].shape[1]
    labels = delayed(batch["codes"], batch["lengths"], family.special)[:, 1 : time + 1]
    theirs = network(labels=labels).loss.item()
    assert (sums.sum(0) / counts.sum(0)).mean().item() == pytest.approx(theirs, rel=SAME_MEAN)
    assert counts[0].tolist() == [20, 19, 18, 17]
    assert torch.equal(counts, family.targets(batch["lengths"]))


def test_delayed_is_transformers_own_pattern(family, at):
    batch = equal_clips()
    time = batch["codes"].shape[1]
    column = torch.full((3 * tiny.BOOKS, 1), family.special)
    rows = batch["codes"].transpose(1, 2).reshape(3 * tiny.BOOKS, time)
    _, mask = at("trained").build_delay_pattern_mask(
        torch.cat([column, rows], 1), family.special, max_length=time + tiny.BOOKS
    )
    ours = delayed(batch["codes"], batch["lengths"], family.special)
    # transformers marks what is still to be generated with -1; we know those tokens.
    theirs = mask.view(3, tiny.BOOKS, -1).transpose(1, 2)
    assert torch.equal(torch.where(theirs == -1, ours, theirs), ours)


def test_padding_changes_no_loss(family, at, codes):
    network = at("linear-0.500")
    together = perplexity.clip_losses(family, network, codes, "cpu", 7)
    alone = perplexity.clip_losses(family, network, codes, "cpu", 1)
    assert np.allclose(together["loss"], alone["loss"], rtol=1e-5)
    assert (together["targets"] == alone["targets"]).all()


def test_loss_of_a_language_model_is_transformers_own(language):
    recipe = Recipe("causal_lm", str(language.folder))
    network = network_at_point(language, recipe, "cpu")
    tokens = torch.from_numpy(language.encode("a tune in C major", "cpu")["tokens"])[None]
    padded = torch.nn.functional.pad(tokens, (0, 5))
    batch = {"tokens": padded, "lengths": torch.tensor([tokens.shape[1]])}
    sums, counts = language.losses(network, batch)
    theirs = network(input_ids=tokens.long(), labels=tokens.long()).loss.item()
    assert (sums / counts).item() == pytest.approx(theirs, rel=SAME_MEAN)


def test_summary_is_exp_of_the_mean_and_its_interval_covers_it(family, at, codes):
    losses = perplexity.clip_losses(family, at("trained"), codes, "cpu", 4)
    table = summarise_losses(losses, 500, 0).set_index("group")
    by_book = losses.groupby("group")[["loss", "targets"]].sum()
    mean = (by_book["loss"] / by_book["targets"]).mean()
    assert table.loc["mean", "perplexity"] == pytest.approx(np.exp(mean))
    assert (table["low"] <= table["perplexity"]).all()
    assert (table["perplexity"] <= table["high"]).all()
    assert (table["low"] < table["high"]).all()
    again = summarise_losses(losses, 500, 0).set_index("group")
    assert table.equals(again)


# --- gradient


def whole_loss(family, network, codes):
    """The mean over books of the mean over targets of all clips, in one graph."""
    batch = next(codes.batches(len(codes)))
    sums, counts = family.losses(network, batch)
    return (sums.sum(0) / counts.sum(0)).mean()


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_one_step_equals_a_hand_made_sgd_step(family, at, codes, batch):
    by_hand = at("linear-0.250").requires_grad_(True)
    before = whole_loss(family, by_hand, codes)
    before.backward()
    torch.optim.SGD(by_hand.parameters(), lr=1.0).step()

    network = at("linear-0.250")
    start = {name: t.clone() for name, t in named_tensors(network).items()}
    table = gradient.correct_network(family, network, codes, 1.0, 1, "cpu", batch)
    for name, tensor in named_tensors(network).items():
        assert torch.allclose(tensor, named_tensors(by_hand)[name], rtol=0, atol=2e-6), name
    assert table["loss_before"][0] == pytest.approx(before.item(), abs=1e-5)
    assert table["loss_after"][0] == pytest.approx(
        whole_loss(family, network, codes).item(), abs=1e-5
    )
    moved = sum((named_tensors(network)[n] - t).double().square().sum() for n, t in start.items())
    size = sum(t.double().square().sum() for t in start.values())
    assert table["change"][0] == pytest.approx((moved / size).sqrt().item(), rel=1e-4)


def test_in_one_batch_the_step_is_bit_equal_to_sgd(family, at, codes):
    by_hand, network = at("linear-0.250").requires_grad_(True), at("linear-0.250")
    batch = next(codes.batches(7))
    sums, _ = family.losses(by_hand, batch)
    (sums.sum(0) / family.targets(batch["lengths"]).sum(0)).mean().backward()
    torch.optim.SGD(by_hand.parameters(), lr=0.3).step()
    gradient.correct_network(family, network, codes, 0.3, 1, "cpu", 7)
    assert all(torch.equal(t, named_tensors(by_hand)[n]) for n, t in named_tensors(network).items())


def test_two_steps_are_one_after_the_other(family, at, codes):
    twice, once = at("linear-0.250"), at("linear-0.250")
    table = gradient.correct_network(family, twice, codes, 0.5, 2, "cpu", 7)
    for _ in range(2):
        gradient.correct_network(family, once, codes, 0.5, 1, "cpu", 7)
    assert all(torch.equal(t, named_tensors(once)[n]) for n, t in named_tensors(twice).items())
    assert table["loss_after"][0] == table["loss_before"][1]
    assert table["loss_after"][1] < table["loss_before"][0]


def test_corrected_weights_come_back_bit_equal(family, at, codes, tmp_path):
    network = at("linear-0.250")
    gradient.correct_network(family, network, codes, 1.0, 1, "cpu", 7)
    save_network(network, tmp_path / "corrected.safetensors")
    again = at("gradient-0.250", corrected=str(tmp_path / "corrected.safetensors"))
    assert all(torch.equal(t, named_tensors(again)[n]) for n, t in named_tensors(network).items())


def test_a_diverging_loss_is_said(family, at, codes):
    with pytest.raises(RasenError, match="try a smaller eta"):
        gradient.correct_network(family, at("trained"), codes, 1e30, 3, "cpu", 7)


# --- activations


def dumped(family, network, codes, path, batch=3, **settings):
    activations.dump(
        family, network, codes, path, DumpSettings(**settings), "cpu", batch, model="tiny"
    )
    return h5py.File(path)


def test_mean_is_over_the_frames_of_each_clip(family, at, codes, tmp_path):
    network = at("trained")
    with dumped(family, network, codes, tmp_path / "a.h5") as file:
        for clip, alone in enumerate(codes.batches(1)):
            hidden = tiny.every_layer(family, network, alone)
            for layer, values in enumerate(hidden):
                wanted = values[0].mean(0).detach().numpy()
                assert np.allclose(file[f"layers/{layer:02d}"][clip], wanted, atol=1e-5)


def test_last_and_all_frames(family, at, codes, tmp_path):
    network = at("trained")
    with (
        dumped(family, network, codes, tmp_path / "all.h5", pool="all") as every,
        dumped(family, network, codes, tmp_path / "last.h5", pool="last") as last,
    ):
        clip, frame = every["rows/clip"][:], every["rows/frame"][:]
        assert np.bincount(clip).tolist() == codes.lengths.tolist()
        ends = np.append(frame[1:] == 0, True)
        assert np.array_equal(every["layers/02"][:][ends], last["layers/02"][:])
        hidden = tiny.every_layer(family, network, next(codes.batches(3)))
        assert np.allclose(every["layers/01"][:30], hidden[1][0].detach().numpy(), atol=1e-6)


def test_layers_are_transformers_own_and_say_what_they_are(family, at, tmp_path):
    network, batch = at("trained"), equal_clips()
    family.options["delay"] = False
    try:
        hidden = tiny.every_layer(family, network, batch)
    finally:
        family.options.pop("delay")
    codes = batch["codes"].transpose(1, 2)
    theirs = network(input_ids=codes, output_hidden_states=True).hidden_states
    assert len(hidden) == len(theirs) == len(family.layers) == tiny.DEPTH + 1
    assert all(torch.equal(a, b) for a, b in zip(hidden, theirs, strict=True))
    raw = {}
    hook = network.model.decoder.layers[-1].register_forward_hook(
        lambda module, inputs, output: raw.update(last=output)
    )
    network(input_ids=codes)
    hook.remove()
    last = raw["last"][0] if isinstance(raw["last"], tuple) else raw["last"]
    assert torch.allclose(network.model.decoder.layer_norm(last), hidden[-1], atol=1e-6)
    assert "after the final layer norm" in family.layers[-1]


def test_delay_is_causal_and_shows_each_book_in_time(family, at):
    """Frame t knows book k up to t - k: a change of code (t, k) is first seen at frame t + k."""
    network, batch = at("trained"), equal_clips(1)
    before = tiny.every_layer(family, network, batch)
    for book in range(tiny.BOOKS):
        changed = {**batch, "codes": batch["codes"].clone()}
        changed["codes"][0, 10, book] = (changed["codes"][0, 10, book] + 1) % tiny.CARD
        after = tiny.every_layer(family, network, changed)
        differs = (before[-1] - after[-1]).abs().amax(-1)[0] > 0
        assert differs.nonzero()[0].item() == 10 + book


def test_chosen_layers_and_half_precision(family, at, codes, tmp_path):
    with dumped(
        family, at("trained"), codes, tmp_path / "a.h5", layers=[0, -1], dtype="float16"
    ) as file:
        assert list(file["layers"]) == ["00", "03"]
        assert file["layers/03"].dtype == np.float16
    with pytest.raises(RasenError, match="has 0 to 3"):
        dumped(family, at("trained"), codes, tmp_path / "b.h5", layers=[9])
    assert not (tmp_path / "b.h5").exists()


def test_batch_size_changes_nothing_but_rounding(family, at, codes, tmp_path):
    network = at("trained")
    with (
        dumped(family, network, codes, tmp_path / "a.h5", batch=1) as one,
        dumped(family, network, codes, tmp_path / "b.h5", batch=7) as seven,
    ):
        assert np.allclose(one["layers/03"][:], seven["layers/03"][:], atol=1e-5)


def test_file_describes_itself(family, at, codes, tmp_path):
    with dumped(family, at("trained"), codes, tmp_path / "a.h5") as file:
        assert file.attrs["complete"]
        assert file.attrs["model"] == "tiny"
        assert file.attrs["pool"] == "mean"
        assert "embeddings plus positions" in file.attrs["layers"]
        assert hdf5.read_table(file, "clips")["pitch"].tolist() == list(range(60, 67))
    hdf5.verify(tmp_path / "a.h5")


def test_numbers_that_float16_cannot_hold_are_refused(family, at, codes, tmp_path):
    network = at("trained")
    network.model.decoder.layers[0].fc2.weight.mul_(1e6)
    with pytest.raises(RasenError, match="exceeds float16"):
        dumped(family, network, codes, tmp_path / "a.h5", dtype="float16")
    network.model.decoder.layers[0].fc2.weight.fill_(float("nan"))
    with pytest.raises(RasenError, match="NaN or infinite"):
        dumped(family, network, codes, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_not_a_number_is_said(family, at, codes):
    network = at("trained")
    network.lm_heads[1].weight.fill_(float("nan"))
    with pytest.raises(RasenError, match="the loss of clip clip0 is not a number"):
        perplexity.clip_losses(family, network, codes, "cpu", 4)


def test_subnormal_numbers_count_as_zero_and_change_no_token():
    """In the filters' far taps they cost an Intel processor most of its time, and say nothing."""
    clips = torch.from_numpy(
        np.stack([melody(generator(0, "melody", i), 1.0, RATE) for i in range(4)])
    )
    try:
        torch.set_flush_denormal(False)
        slow = fit_codec(clips, 0)
        tokens, quiet = encode(slow, clips), encode(slow, 1e-30 * clips)
        pick_device("cpu")
        assert float(torch.tensor(1e-30) * 1e-10) == 0
        assert torch.equal(encode(fit_codec(clips, 0), clips), tokens)
        assert torch.equal(encode(slow, 1e-30 * clips), quiet)
    finally:
        torch.set_flush_denormal(False)
