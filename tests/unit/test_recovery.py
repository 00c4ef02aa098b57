"""Layers replaced by something else, and what that costs."""

import numpy as np
import pandas as pd
import pytest
import torch
from tiny import every_layer

from rasen.errors import RasenError
from rasen.io.inputs import Inputs, write_inputs
from rasen.measure.interpolate import network_at_point
from rasen.measure.recovery import loss_recovered, replaced
from rasen.study.recipe import Recipe


def keep(x):
    return x


def into(seen):
    """Keep what is shown, in a list, too."""
    return lambda x: seen.append(x) or x


def test_the_layer_itself_recovers_everything_and_its_mean_nothing(family, at, codes):
    network, seen = at("trained"), set()
    for layer in range(1, 4):
        table = loss_recovered(family, network, codes, layer, {"keep": keep}, "cpu", 3)
        assert table["loss"].item() == table["loss_model"].item()
        assert table["loss_mean"].item() != pytest.approx(table["loss"].item(), abs=1e-4)
        needed = table["loss_mean"].item() > table["loss_model"].item()
        assert table["loss_recovered"].item() == pytest.approx(1 if needed else np.nan, nan_ok=True)
        seen.add(needed)
    assert seen == {True, False}, "a random network needs some of its layers, and not others"


def test_noise_costs_and_little_noise_costs_little(family, at, codes):
    noise = torch.Generator().manual_seed(0)

    def with_noise(size):
        return lambda x: x + size * x.std() * torch.randn(x.shape, generator=noise)

    functions = {"little": with_noise(0.01), "much": with_noise(3.0)}
    little, much = loss_recovered(family, at("trained"), codes, 2, functions, "cpu", 7)[
        "loss_recovered"
    ]
    assert little == pytest.approx(1, abs=0.05)
    assert abs(much - 1) > 0.2


def test_what_enters_is_what_hidden_gives(family, at, codes):
    """Frame by frame: the leading column and the padding are left alone."""
    network = at("trained")
    part = next(codes.batches(7))
    hidden, lengths = every_layer(family, network, part), part["lengths"]
    for layer, module in enumerate(family.layer_modules(network), start=1):
        seen = []
        with torch.no_grad(), replaced(module, into(seen), lengths, family.places):
            family.losses(network, part)
        # the loss reads one position less: the last frame of a full clip is only a target
        wanted = [
            h[: min(int(n), h.shape[0] - 1)] for h, n in zip(hidden[layer], lengths, strict=True)
        ]
        torch.testing.assert_close(seen[0], torch.cat(wanted))


def test_the_bos_token_of_a_language_model_is_left_alone(language):
    """No SAE ever saw its frame, so no reconstruction may stand in for it."""
    recipe = Recipe("causal_lm", str(language.folder))
    network = network_at_point(language, recipe, "cpu")
    assert language.prefix == 1
    part = {"tokens": torch.arange(12).view(2, 6) % 7, "lengths": torch.tensor([6, 4])}
    hidden, lengths = every_layer(language, network, part), language.frames(part["lengths"])
    for layer, module in enumerate(language.layer_modules(network), start=1):
        seen = []
        with torch.no_grad(), replaced(module, into(seen), lengths, language.places):
            language.losses(network, part)
        wanted = torch.cat([hidden[layer][0, :5], hidden[layer][1, :3]])
        torch.testing.assert_close(seen[0], wanted)


def test_the_loss_of_a_language_model_without_a_layer_by_hand(language, tmp_path):
    """Document by document, without padding: every position but the BOS token's is replaced."""
    lengths, rng = [6, 9, 4], np.random.default_rng(0)
    texts = [{"tokens": np.array([0, *rng.integers(2, 90, n - 1)], np.int32)} for n in lengths]
    write_inputs(tmp_path / "i.h5", texts, pd.DataFrame({"clip": ["a", "b", "c"]}))
    network = network_at_point(language, Recipe("causal_lm", str(language.folder)), "cpu")
    table = loss_recovered(
        language, network, Inputs(tmp_path / "i.h5"), 1, {"half": lambda x: x / 2}, "cpu", 3
    )

    def loss(change):
        def hook(module, given, output):
            first = output[0] if isinstance(output, tuple) else output
            first = torch.cat([first[:, :1], change(first[:, 1:])], 1)
            return (first, *output[1:]) if isinstance(output, tuple) else first

        handle = network.model.layers[0].register_forward_hook(hook)
        total = 0.0
        with torch.no_grad():
            for text in texts:
                tokens = torch.from_numpy(text["tokens"]).long()
                logits = network(input_ids=tokens[None], use_cache=False).logits[0]
                total += torch.nn.functional.cross_entropy(
                    logits[:-1], tokens[1:], reduction="sum"
                ).item()
        handle.remove()
        return total / (sum(lengths) - len(lengths))

    seen = []
    loss(lambda x: seen.append(x[0]) or x)
    mean = torch.cat(seen).mean(0)
    row = table.iloc[0]
    assert row["loss_model"] == pytest.approx(loss(lambda x: x), rel=1e-5)
    assert row["loss_mean"] == pytest.approx(loss(lambda x: mean.expand_as(x)), rel=1e-5)
    assert row["loss"] == pytest.approx(loss(lambda x: x / 2), rel=1e-5)


def test_a_layer_without_a_module_is_refused(family, at, codes):
    with pytest.raises(RasenError, match="known for layers 1 to 3"):
        loss_recovered(family, at("trained"), codes, 0, {"keep": keep}, "cpu", 3)
