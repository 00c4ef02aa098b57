"""Starts, blends and checkpoints."""

import json
import shutil

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file
from transformers import MusicgenForConditionalGeneration

from rasen.errors import RasenError
from rasen.families import open_family
from rasen.measure.interpolate import initial_tensors
from rasen.study.recipe import Initialisation, Recipe
from rasen.study.registry import TRANSFORMERS_READER
from rasen.weights import init_rules, lazy_tensors
from rasen.weights.certify import certify
from rasen.weights.network_tensors import named_tensors


def equal(network, other):
    return all(
        torch.equal(t, named_tensors(other)[name]) for name, t in named_tensors(network).items()
    )


# --- blends


def test_trained_equals_what_transformers_loads(folder, at):
    theirs = MusicgenForConditionalGeneration.from_pretrained(folder).decoder
    assert equal(at("trained"), theirs)


@pytest.mark.parametrize(("alpha", "end"), [("0.000", "untrained"), ("1.000", "trained")])
def test_blend_is_bit_equal_at_the_ends(at, alpha, end):
    assert equal(at(f"linear-{alpha}"), at(end))


def test_blend_between_is_equation_3(at):
    start, end, middle = (
        named_tensors(at(point)) for point in ("untrained", "trained", "linear-0.300")
    )
    for name in start:
        exact = 0.7 * start[name].double() + 0.3 * end[name].double()
        # three float32 roundings of numbers below 2, at most 6e-8 each (one was seen)
        assert torch.allclose(middle[name].double(), exact, rtol=0, atol=3e-7), name


def test_blend_in_half_precision_is_the_rounded_blend(at):
    exact, half = (
        named_tensors(at("linear-0.300")),
        named_tensors(at("linear-0.300", dtype="float16")),
    )
    assert all(torch.equal(exact[name].half(), half[name]) for name in exact)


def test_every_tensor_moves_along_the_route(at):
    """A tensor that nobody fills would stay as it was allocated."""
    start, end = named_tensors(at("untrained")), named_tensors(at("trained"))
    assert all(torch.isfinite(start[name]).all() for name in start)
    assert all(not torch.equal(start[name], end[name]) for name in start)


# --- theta_init


def test_any_tensor_can_be_made_alone(family):
    whole = {
        name: lazy.read()
        for name, lazy in initial_tensors(family, Initialisation("official")).items()
    }
    for name in reversed(list(whole)):
        again = initial_tensors(family, Initialisation("official"))[name].read()
        assert torch.equal(again, whole[name]), name


@pytest.mark.parametrize("rule", ["official", "hf"])
def test_seeds_differ_and_repeat(family, rule):
    name = "model.decoder.layers.1.fc1.weight"
    first, same, other = (
        initial_tensors(family, Initialisation(rule, seed))[name].read() for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_thread_count_does_not_change_a_draw():
    rules, shape = [init_rules.truncated(0.02)], (3, init_rules.BLOCK // 2)
    one = init_rules.draw_tensor(rules, shape, 0, "x")
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        assert torch.equal(init_rules.draw_tensor(rules, shape, 0, "x"), one)
    finally:
        torch.set_num_threads(threads)


def test_truncated_normal_has_its_moments_and_limits():
    values = init_rules.draw_tensor([init_rules.truncated(0.5)], (2000, 1000), 0, "x").double()
    assert values.abs().max() <= 1.5 * (1 + 1e-6)
    assert values.std().item() == pytest.approx(0.5 * 0.9866, rel=2e-3)  # of a normal cut at 3
    assert values.mean().item() == pytest.approx(0, abs=2e-3)


def test_transformers_rule_is_the_one_transformers_uses(family):
    """Widths of a network that transformers initialised itself, tensor by tensor."""
    from transformers import MusicgenForCausalLM

    torch.manual_seed(0)
    theirs = MusicgenForCausalLM(family.config).state_dict()
    for name, lazy in initial_tensors(family, Initialisation("hf")).items():
        ours = lazy.read()
        if theirs[name].std() == 0:
            assert torch.equal(ours, theirs[name]), name
        else:
            assert ours.std().item() == pytest.approx(theirs[name].std().item(), rel=0.12), name


def test_rule_of_a_language_model_is_read_off_its_class(language):
    rules = language.init_rules("official")
    assert rules["model.layers.0.mlp.up_proj.weight"][-1].std == language.config.initializer_range
    assert (
        initial_tensors(language, Initialisation("official"))["model.norm.weight"].read().unique()
        == 1
    )


def test_special_rows_and_scaled_layers_are_read_off_too(tmp_path):
    """GPT-2 divides by the root of its depth; OPT sets the padding row to zero."""
    from transformers import GPT2Config, GPT2LMHeadModel, OPTConfig, OPTForCausalLM

    small = {"vocab_size": 16, "bos_token_id": 0, "eos_token_id": 0}
    config = GPT2Config(n_embd=8, n_layer=4, n_head=2, n_positions=8, **small)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    rules = open_family("causal_lm", tmp_path / "gpt2").init_rules("official")
    assert rules["transformer.h.0.mlp.c_proj.weight"][-1].std == pytest.approx(0.02 / 8**0.5)

    config = OPTConfig(
        hidden_size=8, ffn_dim=8, num_hidden_layers=1, num_attention_heads=2, pad_token_id=1,
        word_embed_proj_dim=8, max_position_embeddings=8, **small,
    )  # fmt: skip
    OPTForCausalLM(config).save_pretrained(tmp_path / "opt")
    made = initial_tensors(open_family("causal_lm", tmp_path / "opt"), Initialisation("official"))
    rows = made["model.decoder.embed_tokens.weight"].read().abs().sum(1)
    assert rows[1] == 0
    assert (rows > 0).sum() == 15


def test_zeros_and_permuted_controls(family, at):
    assert not any(
        t.any() for t in named_tensors(at("untrained", initial=Initialisation("zeros"))).values()
    )
    shuffled = named_tensors(at("untrained", initial=Initialisation("permuted", 1)))
    for name, trained in named_tensors(at("trained")).items():
        assert torch.equal(shuffled[name].flatten().sort()[0], trained.flatten().sort()[0]), name
        assert not torch.equal(shuffled[name], trained), name


def test_half_precision_weights_can_be_permuted():
    values = torch.arange(100).to(torch.bfloat16)
    shuffled = init_rules.permuted_tensor(values, 0, "x")
    assert torch.equal(shuffled.sort()[0], values.float())
    assert not torch.equal(shuffled, values.float())


# --- checkpoints


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "model")


def test_sharded_checkpoints_are_read(folder, tmp_path):
    model = MusicgenForConditionalGeneration.from_pretrained(folder)
    model.save_pretrained(tmp_path, max_shard_size="50KB")
    assert len(lazy_tensors.weight_files(tmp_path)) > 1
    whole, shards = lazy_tensors.read_folder(folder), lazy_tensors.read_folder(tmp_path)
    assert set(whole) == set(shards)
    assert all(torch.equal(whole[name].read(), shards[name].read()) for name in whole)


def test_a_missing_shard_is_named(folder, tmp_path):
    model = MusicgenForConditionalGeneration.from_pretrained(folder)
    model.save_pretrained(tmp_path, max_shard_size="50KB")
    lost = lazy_tensors.weight_files(tmp_path)[1]
    lost.unlink()
    with pytest.raises(RasenError, match=lost.name):
        lazy_tensors.read_folder(tmp_path)


def test_pytorch_files_are_read_without_running_code(folder, tmp_path):
    state = load_file(folder / "model.safetensors")
    torch.save(state, tmp_path / "pytorch_model.bin")
    found = lazy_tensors.read_folder(tmp_path)
    assert all(torch.equal(found[name].read(), state[name]) for name in state)

    class Evil:
        def __reduce__(self):
            return print, ("code ran",)

    torch.save({"x": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(RasenError, match="not plain weights"):
        lazy_tensors.read_folder(tmp_path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_number_formats_survive(tmp_path, dtype):
    tensors = {"a": torch.arange(7).to(dtype), "b": torch.zeros(0, 3).to(dtype)}
    save_file(tensors, tmp_path / "model.safetensors")
    found = lazy_tensors.read_folder(tmp_path)
    assert all(torch.equal(found[name].read(), tensors[name]) for name in tensors)
    assert found["b"].shape == (0, 3)


@pytest.mark.parametrize("bytes_kept", [0, 5, 1000, -1])
def test_truncated_weights_are_refused(copy, bytes_kept):
    path = copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:bytes_kept])
    with pytest.raises(RasenError, match=r"model\.safetensors: damaged or cut short"):
        certify(copy, TRANSFORMERS_READER)


def test_nan_weights_are_refused_by_name(copy):
    state = load_file(copy / "model.safetensors")
    state["decoder.lm_heads.2.weight"][3, 4] = float("nan")
    save_file(state, copy / "model.safetensors")
    with pytest.raises(RasenError, match=r"lm_heads\.2\.weight holds NaN"):
        certify(copy, TRANSFORMERS_READER)


def test_certificate_changes_with_the_content_alone(copy, folder):
    assert (
        certify(copy, TRANSFORMERS_READER)["hash"] == certify(folder, TRANSFORMERS_READER)["hash"]
    )
    state = load_file(copy / "model.safetensors")
    state["decoder.lm_heads.2.weight"][3, 4] += 1e-3
    save_file(state, copy / "model.safetensors")
    assert (
        certify(copy, TRANSFORMERS_READER)["hash"] != certify(folder, TRANSFORMERS_READER)["hash"]
    )


def test_another_architecture_is_refused_with_the_first_differences(copy, tmp_path):
    config = json.loads((copy / "config.json").read_text())
    config["decoder"]["num_hidden_layers"] = tiny.DEPTH + 1
    config["decoder"]["ffn_dim"] = 7
    (copy / "config.json").write_text(json.dumps(config))
    family = open_family("musicgen", copy)
    with pytest.raises(RasenError, match="not a checkpoint of this architecture") as error:
        family.load(copy)
    assert "more" in str(error.value)
    assert "layers.3" in str(error.value) or "fc1" in str(error.value)


def test_another_family_is_refused(text_folder, folder):
    with pytest.raises(RasenError, match="a 'llama' checkpoint, not MusicGen"):
        open_family("musicgen", text_folder)
    with pytest.raises(RasenError, match="not a causal language model"):
        open_family("causal_lm", folder)


def test_missing_weights_are_refused_with_the_cure(tmp_path):
    with pytest.raises(RasenError, match="local checkpoint folder or a hub id"):
        open_family("musicgen", tmp_path / "nowhere")
    with pytest.raises(RasenError, match="no such folder"):
        certify(tmp_path / "nowhere", TRANSFORMERS_READER)
    with pytest.raises(RasenError, match="holds no weights"):
        certify(tmp_path, TRANSFORMERS_READER)


def test_export_opens_in_transformers_and_equals_the_point(family, at, tmp_path):
    network = at("linear-0.500")
    family.export(network, tmp_path)
    opened = MusicgenForConditionalGeneration.from_pretrained(tmp_path)
    assert equal(opened.decoder, network)
    original = load_file(family.folder / "model.safetensors")
    exported = load_file(tmp_path / "model.safetensors")
    assert np.array_equal(
        original["audio_encoder.quantizer.layers.0.codebook.embed"],
        exported["audio_encoder.quantizer.layers.0.codebook.embed"],
    )


def test_a_language_model_at_a_point_can_be_exported(language, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from rasen.measure.interpolate import network_at_point

    fields = {"point": "linear-0.500", "initial": Initialisation("official")}
    recipe = Recipe("causal_lm", str(language.folder), **fields)
    network = network_at_point(language, recipe, "cpu")
    language.export(network, tmp_path)
    assert equal(AutoModelForCausalLM.from_pretrained(tmp_path), network)
    assert AutoTokenizer.from_pretrained(tmp_path)("a")["input_ids"]
