"""The loss of every layer, read by the model's own final norm and heads."""

import numpy as np
import pytest
import tiny
import torch

from rasen.families import open_family
from rasen.measure.interpolate import load_at_point
from rasen.measure.lens import layer_losses, only_first
from rasen.measure.perplexity import clip_losses
from rasen.study.recipe import Recipe


def test_the_last_layer_has_the_models_own_loss(family, at, codes):
    network = at("trained")
    table = layer_losses(family, network, codes, "cpu", 3)
    own = clip_losses(family, network, codes, "cpu", 3)
    last = table[table["layer"] == tiny.DEPTH]
    assert np.array_equal(last["loss"], own["loss"])
    assert sorted(table["layer"].unique()) == [0, 1, 2, 3]
    assert table.groupby("layer")["loss"].sum().nunique() == 4
    assert len(network.model.decoder.layers) == tiny.DEPTH  # as before


def test_a_layer_is_read_by_final_norm_and_heads(family, at, codes):
    """By hand: hidden states of a layer through the norm and the heads."""
    network = at("trained")
    batch = next(codes.batches(1))
    with torch.inference_mode():
        hidden = dict(family.hidden(network, batch, [0, 1, 2]))[1]
        normed = network.model.decoder.layer_norm(hidden)
        logits = torch.stack(
            [head(normed) for head in network.lm_heads], 1
        )  # [1, book, time, code]
        with only_first(network, 1):
            loss, _ = family.losses(network, batch)
    # codebook 0 at time t is predicted at the position before, which has seen t - 1
    wanted = batch["codes"][0, 1:, 0].long()
    own = torch.nn.functional.cross_entropy(logits[0, 0, :-1], wanted, reduction="sum")
    with torch.inference_mode(), only_first(network, 1):
        first = family.losses(network, {k: v[:, :1] if k == "codes" else v * 0 + 1
                                        for k, v in batch.items()})[0][0, 0]  # fmt: skip
    assert loss[0, 0].item() == pytest.approx((own + first).item(), rel=1e-5)


@pytest.mark.parametrize("name", ["muq", "causal_lm"])
def test_other_families(tmp_path, name):
    make = {"muq": tiny.muq, "causal_lm": tiny.llama}[name]
    folder = make(tmp_path / name)
    family, network = load_at_point(Recipe(name, str(folder), options={"window": 65}), "cpu")
    sound = np.sin(np.cumsum(np.random.default_rng(0).uniform(0, 1, 24000))).astype(np.float32)
    clip = family.encode("la la la" if name == "causal_lm" else sound, "cpu")
    batch = {key: torch.from_numpy(values)[None] for key, values in clip.items()}
    batch["lengths"] = torch.tensor([len(next(iter(clip.values())))])
    losses = []
    with torch.inference_mode():
        for layer in range(tiny.DEPTH + 1):
            with only_first(network, layer):
                losses.append(family.losses(network, batch)[0].item())
        assert losses[-1] == family.losses(network, batch)[0].item()
    assert len(set(losses)) == tiny.DEPTH + 1
    assert open_family(name, folder, {"window": 65}).layers
