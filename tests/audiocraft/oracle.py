"""Reference values from the real audiocraft 1.3.0, for the test of the `audiocraft` family.

    python oracle.py OUT_DIR

Runs with the python of the environment `envs/audiocraft.txt`, never with the main one. It builds a
tiny MusicGen language model with audiocraft's own builder, exports it with audiocraft's own
exporter, loads it with audiocraft's own loader, and writes what that model computes:

    OUT_DIR/state_dict.bin            as `audiocraft.utils.export.export_lm` writes it: float32,
                                      keys best_state, xp.cfg, version, exported
    OUT_DIR/released/state_dict.bin   the same model as the first releases hold it: float16, keys
                                      best_state and xp.cfg only
    OUT_DIR/oracle.npz                sequences, logits, layer outputs, cross entropy (see `main`)
    OUT_DIR/oracle.json               versions, key names and shapes, the scalars of oracle.npz
    OUT_DIR/init_stats.json           statistics of every parameter of a larger model straight
                                      after audiocraft's official initialisation

Nothing here needs a network: the modules that could reach one are stand-ins.
"""

import importlib
import importlib.abc
import importlib.machinery
import json
import os
import sys
import tempfile
import types
import warnings
import zlib
from pathlib import Path
from unittest import mock

import numpy as np
import torch

# audiocraft imports these at module top, and the language model uses none of them. Leaving them
# out keeps the environment at a dozen packages. Each stand-in can be imported and subclassed, but
# raises when called: should any value below come to depend on one, this script stops.
STAND_INS = {
    "av": "reads audio files; no audio is read here",
    "dora": "experiment launcher; only training uses it",
    "flashy": "training loop; MusicGenSolver is never instantiated",
    "huggingface_hub": "downloads; the checkpoint is a local folder",
    "julius": "resampling; no audio is read here",
    "librosa": "chroma filters of the melody conditioner",
    "num2words": "text normalisation, off in MusicGen",
    "soundfile": "reads audio files; no audio is read here",
    "spacy": "text normalisation, off in MusicGen",
    "torchaudio": "resampling and spectrograms; its wheels need CUDA libraries even on a CPU torch",
    "torchmetrics": "evaluation metrics; only training uses them",
    "tqdm": "progress bars of data preparation",
}

SEED = 20230608
BATCH, STEPS, LONG_STEPS = 3, 24, 1500
DESCRIPTIONS = ["slow piano in a large hall", "drums", "two flutes"]


class _StandInFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the names of STAND_INS, and anything below them, as empty modules."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in STAND_INS:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _StandIn(spec.name)

    def exec_module(self, module):
        pass


class _StandIn(types.ModuleType):
    """A module of which every public attribute is a class that refuses to be instantiated."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        owner = self.__name__

        def refuse(cls, *args, **kwargs):
            raise RuntimeError(f"oracle.py: {owner}.{name} is a stand-in and was called")

        made = type(name, (), {"__new__": refuse})
        setattr(self, name, made)
        return made


class WordTokenizer:
    """In place of the T5 tokenizer: words to ids by a checksum, 0 = padding, 1 = end of text.

    As T5's, it ends every text with the end id, so that an empty text has one position.
    """

    @classmethod
    def from_pretrained(cls, name):
        return cls()

    def __call__(self, texts, return_tensors="pt", padding=True):
        rows = [[2 + zlib.crc32(w.encode()) % 98 for w in t.split()] + [1] for t in texts]
        width = max(len(row) for row in rows)
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        return _Batch(input_ids=ids, attention_mask=mask)


class _Batch(dict):
    """What a Hugging Face tokenizer returns: a dict that can be moved to a device."""

    def to(self, device):
        return _Batch({k: v.to(device) for k, v in self.items()})


class TinyT5(torch.nn.Module):
    """In place of the frozen T5 encoder: a fixed table of 100 rows of t5-base's width, 768.

    It must give the same states whenever it is made, because audiocraft keeps T5 out of the
    checkpoint and makes it anew on loading.
    """

    def __init__(self):
        super().__init__()
        table = torch.randn(100, 768, generator=torch.Generator().manual_seed(SEED))
        self.register_buffer("table", table)

    @classmethod
    def from_pretrained(cls, name):
        return cls()

    def forward(self, input_ids, attention_mask):
        """input_ids [B, N] -> .last_hidden_state [B, N, 768]."""
        return types.SimpleNamespace(last_hidden_state=self.table[input_ids])


def install_stand_ins():
    """Make `import audiocraft` possible without the packages the language model does not use."""
    sys.meta_path.insert(0, _StandInFinder())
    importlib.import_module("flashy.state")  # audiocraft subclasses from it without importing it
    # a decorator of a metric's method, so called at import: it leaves the method as it is
    importlib.import_module("flashy.distrib").rank_zero_only = lambda function: function

    # xformers has no wheel for a CPU torch, yet transformer.py imports xformers.ops at its top. The
    # default attention backend is torch, which takes two things from there: unbind, and the mask
    # class as a mere "causal" flag. There must be no xformers.profiler: its ImportError is caught.
    def no_xformers(*args, **kwargs):
        raise RuntimeError("oracle.py: the xformers attention backend is not available")

    ops = types.ModuleType("xformers.ops")
    ops.unbind = torch.unbind
    ops.LowerTriangularMask = type("LowerTriangularMask", (), {})
    ops.memory_efficient_attention = no_xformers
    xformers = types.ModuleType("xformers")
    xformers.ops = ops
    sys.modules.update({"xformers": xformers, "xformers.ops": ops})

    # audiocraft takes its text encoder from transformers by hub name, and only by a name of its
    # own list. These two classes answer to "t5-base" without the hub, so that the genuine
    # T5Conditioner, with its genuine output_proj (768 -> dim), is built, saved and loaded.
    transformers = types.ModuleType("transformers")
    transformers.T5Tokenizer = WordTokenizer
    transformers.T5EncoderModel = TinyT5
    for name in ("EncodecModel", "RobertaTokenizer"):  # imported, not used
        setattr(transformers, name, type(name, (), {}))
    sys.modules["transformers"] = transformers


def experiment_config(dim, num_heads, num_layers, n_q=4, card=64):
    """The hydra config that audiocraft's trainer would hold for a MusicGen of this size.

    Values are those of the official musicgen_lm model, text2music conditioner and 32 kHz solver,
    except for the sizes. `conditioners.args` is older than that: the loader deletes what it holds,
    so released configs have it.
    """
    from omegaconf import OmegaConf

    return OmegaConf.create(
        {
            "solver": "musicgen",
            "device": "cuda",  # as trained; the loader overrides it
            "dtype": "float32",
            "autocast": True,
            "autocast_dtype": "float16",
            "seed": 2036,
            "sample_rate": 32000,
            "channels": 1,
            "compression_model_checkpoint": "//pretrained/facebook/encodec_32khz",
            "efficient_attention_backend": "torch",
            "dataset": {"batch_size": 128, "segment_duration": 30},
            # the exporter writes interpolations unresolved, so a plain YAML reader meets them
            "generate": {"audio": {"format": "wav", "sample_rate": "${sample_rate}"}},
            "tokens": {"padding_with_special_token": False},
            "classifier_free_guidance": {"training_dropout": 0.3, "inference_coef": 3.0},
            "attribute_dropout": {},
            "fuser": {
                "cross_attention_pos_emb": False,
                "cross_attention_pos_emb_scale": 1,
                "sum": [],
                "prepend": [],
                "cross": ["description"],
                "input_interpolate": [],
            },
            "conditioners": {
                "args": {"merge_text_conditions_p": 0.25, "drop_desc_p": 0.5},
                "description": {
                    "model": "t5",
                    "t5": {
                        "name": "t5-base",
                        "finetune": False,
                        "word_dropout": 0.3,
                        "normalize_text": False,
                    },
                },
            },
            "lm_model": "transformer_lm",
            "codebooks_pattern": {
                "modeling": "delay",
                "delay": {
                    "delays": list(range(n_q)),
                    "flatten_first": 0,
                    "empty_initial": 0,
                },
            },
            "transformer_lm": {
                "dim": dim,
                "num_heads": num_heads,
                "num_layers": num_layers,
                "hidden_scale": 4,
                "n_q": n_q,
                "card": card,
                "dropout": 0.0,
                "emb_lr": None,
                "activation": "gelu",
                "norm_first": True,
                "bias_ff": False,
                "bias_attn": False,
                "bias_proj": False,
                "past_context": None,
                "causal": True,
                "custom": False,
                "memory_efficient": True,
                "attention_as_float32": False,
                "layer_scale": None,
                "positional_embedding": "sin",
                "xpos": False,
                "checkpointing": "none",
                "weight_init": "gaussian",
                "depthwise_init": "current",
                "zero_bias_init": True,
                "norm": "layer_norm",
                "cross_attention": False,  # as in the official config: `fuser.cross` turns it on
                "qk_layer_norm": False,
                "qk_layer_norm_cross": False,
                "attention_dropout": None,
                "kv_repeat": 1,
                "two_step_cfg": False,
            },
        }
    )


def build_lm(cfg, seed):
    """A language model from audiocraft's builder, with audiocraft's own initialisation."""
    from audiocraft.models import builders

    cfg = cfg.copy()
    cfg.device = "cpu"
    torch.manual_seed(seed)
    return builders.get_lm_model(cfg)


def disturb_norms(model, seed):
    """Move every LayerNorm off (1, 0).

    At the official initialisation all LayerNorms are alike, so a key map that swaps two of them
    would pass unseen.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            for tensor in (module.weight.data, module.bias.data):
                tensor += 0.2 * torch.randn(tensor.shape, generator=generator)


def export(model, cfg, out_dir):
    """Write OUT_DIR/state_dict.bin through audiocraft's own exporter."""
    from audiocraft.utils.export import export_lm

    with tempfile.TemporaryDirectory() as scratch:
        training = Path(scratch) / "checkpoint.th"
        torch.save(
            {
                "best_state": {"model": model.state_dict()},
                "fsdp_best_state": {},
                "xp.cfg": cfg,
            },
            training,
        )
        # The exporter reads the trainer's file, which holds a pickled omegaconf object; audiocraft
        # 1.3.0 is older than torch's refusal of such files by default.
        with (
            mock.patch.dict(os.environ, TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD="1"),
            warnings.catch_warnings(action="ignore"),
        ):
            export_lm(training, out_dir / "state_dict.bin")


def export_as_released(source, target):
    """Rewrite a checkpoint the way the first MusicGen releases hold it: float16, two keys."""
    package = torch.load(source, map_location="cpu", weights_only=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.half() for name, tensor in package["best_state"].items()}
    torch.save({"best_state": state, "xp.cfg": package["xp.cfg"]}, target)


def conditions_of(model, descriptions):
    """audiocraft's condition tensors {"description": ([B, N, dim], [B, N])} of some texts."""
    from audiocraft.modules.conditioners import ConditioningAttributes

    attributes = [ConditioningAttributes(text={"description": text}) for text in descriptions]
    return model.condition_provider(model.condition_provider.tokenize(attributes))


def null_conditions(model, batch):
    """The unconditional condition tensors of classifier-free guidance, as `generate` makes them."""
    from audiocraft.modules.conditioners import (
        ClassifierFreeGuidanceDropout,
        ConditioningAttributes,
    )

    attributes = [ConditioningAttributes(text={"description": "any"}) for _ in range(batch)]
    attributes = ClassifierFreeGuidanceDropout(p=1.0)(attributes)
    return model.condition_provider(model.condition_provider.tokenize(attributes))


def run_with_hooks(model, sequence, condition_tensors):
    """Forward pass that also keeps what passes between the blocks.

    sequence [B, K, S] -> logits [B, K, S, card], embedded [B, S, d] (tokens + positions, the
    input of block 0), blocks [L, B, S, d] (raw output of each), normed [B, S, d] (after out_norm).
    """
    kept = {}

    def keep(name):
        def hook(module, inputs, output):
            kept[name] = output.clone()

        return hook

    def keep_input(module, inputs):
        kept["embedded"] = inputs[0].clone()

    layers = model.transformer.layers
    hooks = [layer.register_forward_hook(keep(i)) for i, layer in enumerate(layers)]
    hooks.append(layers[0].register_forward_pre_hook(keep_input))
    hooks.append(model.out_norm.register_forward_hook(keep("normed")))
    logits = model(sequence, [], condition_tensors)
    for hook in hooks:
        hook.remove()
    blocks = torch.stack([kept[i] for i in range(len(layers))])
    return logits, kept["embedded"], blocks, kept["normed"]


def cross_entropy(logits, codes, mask):
    """audiocraft's training loss, by its own method: (mean, per codebook [K]).

    `MusicGenSolver._compute_cross_entropy` makes no use of self, so it is called unbound.
    """
    from audiocraft.solvers.musicgen import MusicGenSolver

    mean, per_codebook = MusicGenSolver._compute_cross_entropy(None, logits, codes, mask)
    return mean, torch.stack(per_codebook)


def init_statistics(cfg, seed):
    """Shape and moments of every parameter straight after audiocraft's initialisation."""
    stats = {}
    for name, parameter in build_lm(cfg, seed).named_parameters():
        values = parameter.detach().double()
        mean, std = values.mean(), values.std(correction=0)
        fourth = ((values - mean) ** 4).mean()
        stats[name] = {
            "shape": list(values.shape),
            "mean": mean.item(),
            "std": std.item(),
            "min": values.min().item(),
            "max": values.max().item(),
            # 3 for a normal, 2.83 for one truncated at 3 sigma, 1.8 for a uniform
            "kurtosis": (fourth / std**4).item() if std > 0 else None,
        }
    return stats


@torch.no_grad()
def main(out_dir):
    """Write everything the module's docstring lists.

    oracle.npz (B clips, K codebooks, T steps, S columns, N text positions, d width, L blocks):
      codes               [B, K, T]        random tokens
      sequence            [B, K, S=T+1]    what compute_predictions feeds: delayed codes after one
                                           column of the special token (= card)
      sequence_mask       [K, S]           False where a column holds the special token
      sequence_full       [B, K, S=T+K]    the same with the tail that generation has
      logits_null         [B, K, T+1, card]  unconditional logits of `sequence`
      logits_null_full    [B, K, T+K, card]  unconditional logits of `sequence_full`
      embedded_null       [B, T+1, d]      input of block 0
      blocks_null         [L, B, T+1, d]   raw output of each block
      normed_null         [B, T+1, d]      after out_norm
      prediction_logits   [B, K, T, card]  compute_predictions, aligned with codes; NaN if masked
      prediction_mask     [B, K, T]        where the prediction is valid
      ce, ppl             []               mean over codebooks; exp of it
      ce_codebook, ppl_codebook  [K]
      ce_clip             [B]              ce of each clip alone
      ce_clip_codebook    [B, K]
      text_states         [B, N, 768]      what the text encoder gave
      text_mask           [B, N]
      text_condition      [B, N, d]        output_proj(text_states) * text_mask
      logits_text         [B, K, T+1, card]  logits of `sequence` under the texts
      ce_text             []
      released_logits_null, released_ce    from released/state_dict.bin (float16 on disk)
      long_codes          [1, K, 1500]     30 seconds, a length MusicGen was trained on
      long_logits_null    [1, K, 1501, card]  unconditional logits of its sequence
      long_ce             []
      positions           [1501, d]        audiocraft's sinusoids (they are not in the checkpoint)
    """
    torch.set_num_threads(1)
    install_stand_ins()
    import audiocraft
    from audiocraft.models.loaders import load_lm_model
    from audiocraft.modules.transformer import create_sin_embedding

    out_dir.mkdir(parents=True, exist_ok=True)
    cfg = experiment_config(dim=32, num_heads=4, num_layers=3)
    built = build_lm(cfg, SEED)
    disturb_norms(built, SEED + 1)
    export(built, cfg, out_dir)
    export_as_released(out_dir / "state_dict.bin", out_dir / "released" / "state_dict.bin")

    model = load_lm_model(str(out_dir))
    for name, tensor in built.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), f"{name} changed on its way"

    generator = torch.Generator().manual_seed(SEED + 2)
    codes = torch.randint(0, model.card, (BATCH, model.n_q, STEPS), generator=generator)
    pattern = model.pattern_provider.get_pattern(STEPS)
    sequence, _, sequence_mask = pattern.build_pattern_sequence(
        codes, model.special_token_id, keep_only_valid_steps=True
    )
    sequence_full, _, _ = pattern.build_pattern_sequence(codes, model.special_token_id)

    null = null_conditions(model, BATCH)
    assert not null["description"][0].any(), "the null condition should be zeros"
    logits_null, embedded, blocks, normed = run_with_hooks(model, sequence, null)
    logits_full = model(sequence_full, [], null)

    predicted = model.compute_predictions(codes, [], null)
    ce, ce_codebook = cross_entropy(predicted.logits, codes, predicted.mask)
    by_clip = [
        cross_entropy(predicted.logits[i : i + 1], codes[i : i + 1], predicted.mask[i : i + 1])
        for i in range(BATCH)
    ]

    conditioner = model.condition_provider.conditioners["description"]
    tokens = conditioner.tokenize(DESCRIPTIONS)
    text = conditions_of(model, DESCRIPTIONS)
    under_text = model.compute_predictions(codes, [], text)

    long_codes = torch.randint(0, model.card, (1, model.n_q, LONG_STEPS), generator=generator)
    long_null = null_conditions(model, 1)
    long_sequence, _, _ = model.pattern_provider.get_pattern(LONG_STEPS).build_pattern_sequence(
        long_codes, model.special_token_id, keep_only_valid_steps=True
    )
    long_predicted = model.compute_predictions(long_codes, [], long_null)
    positions = create_sin_embedding(torch.arange(LONG_STEPS + 1).view(1, -1, 1), model.dim)[0]

    released = load_lm_model(str(out_dir / "released"))
    released_null = null_conditions(released, BATCH)
    released_predicted = released.compute_predictions(codes, [], released_null)

    arrays = {
        "codes": codes,
        "sequence": sequence,
        "sequence_mask": sequence_mask,
        "sequence_full": sequence_full,
        "logits_null": logits_null,
        "logits_null_full": logits_full,
        "embedded_null": embedded,
        "blocks_null": blocks,
        "normed_null": normed,
        "prediction_logits": predicted.logits,
        "prediction_mask": predicted.mask,
        "ce": ce,
        "ppl": ce.exp(),
        "ce_codebook": ce_codebook,
        "ppl_codebook": ce_codebook.exp(),
        "ce_clip": torch.stack([one[0] for one in by_clip]),
        "ce_clip_codebook": torch.stack([one[1] for one in by_clip]),
        "text_states": conditioner.t5(**tokens).last_hidden_state,
        "text_mask": tokens["attention_mask"],
        "text_condition": text["description"][0],
        "logits_text": model(sequence, [], text),
        "ce_text": cross_entropy(under_text.logits, codes, under_text.mask)[0],
        "released_logits_null": released(sequence, [], released_null),
        "released_ce": cross_entropy(released_predicted.logits, codes, released_predicted.mask)[0],
    }
    arrays |= {
        "long_codes": long_codes,
        "long_logits_null": model(long_sequence, [], long_null),
        "long_ce": cross_entropy(long_predicted.logits, long_codes, long_predicted.mask)[0],
        "positions": positions,
    }
    arrays = {name: tensor.numpy() for name, tensor in arrays.items()}
    np.savez(out_dir / "oracle.npz", **arrays)

    summary = {
        "audiocraft": audiocraft.__version__,
        "torch": torch.__version__,
        "best_state": {name: list(t.shape) for name, t in model.state_dict().items()},
        "scalars": {name: float(a) for name, a in arrays.items() if a.ndim == 0},
    }
    (out_dir / "oracle.json").write_text(json.dumps(summary, indent=1) + "\n")
    larger = experiment_config(dim=256, num_heads=8, num_layers=4, card=2048)
    stats = init_statistics(larger, SEED + 3)
    (out_dir / "init_stats.json").write_text(json.dumps(stats, indent=1) + "\n")
    print(json.dumps(summary["scalars"], indent=1))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python oracle.py OUT_DIR")
    main(Path(sys.argv[1]))
