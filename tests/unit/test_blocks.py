"""A network divided over devices, and one that computes its layers twice, are the same network."""

import pytest
import torch
from tiny import every_layer

from rasen.errors import RasenError
from rasen.measure.activations import DumpSettings, dump
from rasen.measure.blocks import blocks, computed_twice, divide
from rasen.measure.gradient import correct_network
from rasen.measure.interpolate import network_at_point
from rasen.measure.recovery import loss_recovered
from rasen.study.recipe import Recipe


@pytest.fixture(params=["musicgen", "causal_lm"])
def model(request):
    """(family, recipe, a batch) of a music model and of a language model."""
    if request.param == "musicgen":
        family, codes = request.getfixturevalue("family"), request.getfixturevalue("codes")
        return family, Recipe("musicgen", str(family.folder)), next(codes.batches(7))
    family = request.getfixturevalue("language")
    part = {"tokens": torch.arange(12).view(2, 6) % 7, "lengths": torch.tensor([6, 4])}
    return family, Recipe("causal_lm", str(family.folder)), part


def test_layers_are_divided_in_order_by_size(model, monkeypatch):
    """On the meta device, which takes the place of other GPUs: what lies where."""
    family, _, _ = model
    network = family.build("meta", "float32")
    assert len(blocks(network)) == 3
    went = []
    monkeypatch.setattr(torch.nn.Module, "to", lambda module, device: went.append(device))
    divide(network, ["meta", "meta:1"])
    assert went[0] == "meta"
    assert went[-1] == "meta:1"
    assert went == sorted(went)


@pytest.fixture
def two_devices(monkeypatch):
    """`cpu` and `meta` as two devices: torch refuses to compute across them, and what is sent back
    from `meta`, which holds no numbers, arrives as zeros."""
    genuine = torch.Tensor.to

    def to(tensor, *arguments, **named):
        if tensor.is_meta and "cpu" in (str(argument) for argument in arguments):
            return torch.zeros_like(tensor, device="cpu")
        return genuine(tensor, *arguments, **named)

    monkeypatch.setattr(torch.Tensor, "to", to)
    return ["cpu", "meta"]


def test_every_tensor_is_sent_where_it_is_needed(model, two_devices, codes, tmp_path):
    family, recipe, part = model
    network = network_at_point(family, recipe, "cpu", two_devices)
    places = [{p.device.type for p in block.parameters()} for block in blocks(network)]
    assert places[0] == {"cpu"}
    assert places[-1] == {"meta"}
    assert [values.device.type for values in every_layer(family, network, part)][-1] == "cpu"
    loss, _ = family.losses(network, part)
    assert loss.device.type == "cpu"
    if "codes" in part:
        with computed_twice(network):
            network.requires_grad_(True)
            family.losses(network, part)[0].sum().backward()
            network.requires_grad_(False)
        table = loss_recovered(family, network, codes, 3, {"keep": lambda x: x}, "cpu", 3)
        assert len(table) == 1
        dump(family, network, codes, tmp_path / "a.h5", DumpSettings(), "cpu", 7)


def test_a_divided_network_computes_the_same(model):
    family, recipe, part = model
    whole = network_at_point(family, recipe, "cpu")
    divided = network_at_point(family, recipe, "cpu", ["cpu", "cpu:0"])
    pairs = [
        *zip(every_layer(family, whole, part), every_layer(family, divided, part), strict=True)
    ]
    with torch.no_grad():
        pairs += zip(family.losses(whole, part), family.losses(divided, part), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_a_network_without_layers_cannot_be_divided():
    with pytest.raises(RasenError, match=r"a Linear has no list of layers .* set gpus: 1"):
        divide(torch.nn.Linear(2, 2), ["cpu", "cpu:0"])


def kept_bytes(family, network, part):
    """What autograd keeps for the backward pass of one batch, and the gradients."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network.requires_grad_(True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = family.losses(network, part)[0].sum()
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    loss.backward()
    gradients = [p.grad for p in network.parameters()]
    network.requires_grad_(False)
    return sum(size for place, size in kept.items() if place not in weights), gradients


def test_layers_computed_twice_give_equal_gradients_and_keep_less(model):
    family, recipe, part = model
    plain, expected = kept_bytes(family, network_at_point(family, recipe, "cpu"), part)
    network = network_at_point(family, recipe, "cpu")
    with computed_twice(network):
        less, gradients = kept_bytes(family, network, part)
    for ours, theirs in zip(gradients, expected, strict=True):
        assert ours is theirs is None or torch.equal(ours, theirs)
    assert less < 0.6 * plain
    assert not any("forward" in vars(block) for block in blocks(network)), "as it was before"


def test_a_gradient_step_with_checkpointing_is_the_step_without(family, at, codes):
    networks = [at("trained"), at("trained")]
    tables = [
        correct_network(family, network, codes, 0.3, 2, "cpu", 3, twice)
        for network, twice in zip(networks, (False, True), strict=True)
    ]
    assert tables[0].equals(tables[1])
    for one, two in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(one, two)
