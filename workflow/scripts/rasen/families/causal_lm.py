"""Any causal language model of transformers (LLaMA, GPT-NeoX, GPT-2, ...), over token windows."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from rasen.errors import RasenError
from rasen.families import Batch, LossFamily, TextFamily
from rasen.families.huggingface import build_network, read_config, recorded_init_rules
from rasen.weights import lazy_tensors
from rasen.weights.init_rules import InitRule
from rasen.weights.lazy_tensors import LazyTensor
from rasen.weights.network_tensors import require_fit

FINAL_NORMS = {"norm", "ln_f", "final_layer_norm", "final_layernorm", "final_norm"}


class CausalLM(LossFamily, TextFamily):
    """A folder that AutoModelForCausalLM opens, its tokenizer beside the weights."""

    def __init__(self, folder: Path | str, options: Mapping[str, Any]) -> None:
        super().__init__(folder, options)
        read_config(folder)  # the plain message when it is missing
        try:
            self.config = AutoConfig.from_pretrained(folder, local_files_only=True)
            self.architecture = AutoModelForCausalLM._model_mapping[type(self.config)]
            depth = self.config.num_hidden_layers
        except (KeyError, ValueError, AttributeError) as error:
            reason = str(error).splitlines()[0]
            raise RasenError(
                f"{folder}: not a causal language model that transformers knows ({reason}); "
                "check `family`"
            ) from None
        self.loss_groups = ["token"]
        self.layers = [
            "embeddings",
            *(f"output of layer {layer}" for layer in range(1, depth)),
            f"output of layer {depth} after the final norm",
        ]

    def build(self, device: str, dtype: str) -> torch.nn.Module:
        return build_network(self.architecture, self.config, device, dtype)

    def load(self, folder: Path | str) -> dict[str, LazyTensor]:
        stored = lazy_tensors.read_folder(folder)
        network = self.build("meta", "float32")
        tensors, known = {}, set()
        for names in _names_of_each(network):  # a tied tensor is stored under one of its names
            known |= set(names)
            for name in names:
                if name in stored:
                    tensors[names[0]] = stored[name]
                    break
        ignored = getattr(network, "_keys_to_ignore_on_load_unexpected", None) or ()
        for name, tensor in stored.items():  # what the network has no place for is refused below
            if name not in known and not _buffer(name, ignored):
                tensors[name] = tensor
        require_fit(network, tensors, folder)
        return tensors

    def init_rules(self, rule: str) -> dict[str, list[InitRule]]:
        # The official rule of a language model is the one its own transformers class carries.
        return recorded_init_rules(self.architecture, self.config)

    def encode(self, stimulus: np.ndarray | str, device: str) -> dict[str, np.ndarray]:
        tokenizer = self.tokenizer()
        tokens = tokenizer(stimulus, add_special_tokens=False)["input_ids"]
        if tokenizer.bos_token_id is not None:
            tokens = [tokenizer.bos_token_id, *tokens]
        if len(tokens) < 2:
            raise RasenError("gives fewer than two tokens; drop the line")
        return {"tokens": np.array(tokens[: self.options["window"]], dtype=np.int32)}

    @cache  # noqa: B019 (a family lives as long as its process)
    def tokenizer(self) -> PreTrainedTokenizerBase:
        try:
            return AutoTokenizer.from_pretrained(self.folder, local_files_only=True)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise RasenError(f"{self.folder}: holds no tokenizer ({reason})") from None

    @property
    def prefix(self) -> int:  # the BOS token
        return int(self.tokenizer().bos_token_id is not None)

    def words(self, inputs: Mapping[str, np.ndarray]) -> list[str]:
        return self._decoded(inputs["tokens"][self.prefix :])

    def _decoded(self, tokens: np.ndarray) -> list[str]:
        ids, which = np.unique(tokens, return_inverse=True)
        words = np.array([self.tokenizer().decode([int(token)]) for token in ids], object)
        return list(words[which])

    def vocabulary(self) -> tuple[list[str], np.ndarray]:
        network = self.build("meta", "float32")
        table = network.get_input_embeddings().weight
        state = network.state_dict(keep_vars=True)
        name = next(name for name, tensor in state.items() if tensor is table)
        vectors = self.load(self.folder)[name].read().float().numpy()
        return self._decoded(np.arange(len(vectors))), vectors

    def frames(self, lengths: torch.Tensor) -> torch.Tensor:
        return lengths - self.prefix

    def hidden(
        self, network: torch.nn.Module, batch: Batch, layers: Sequence[int]
    ) -> Iterator[tuple[int, torch.Tensor]]:
        output = network.base_model(
            input_ids=batch["tokens"].long(),
            attention_mask=_mask(batch),
            output_hidden_states=True,
            use_cache=False,
        )
        for layer in layers:
            yield layer, output.hidden_states[layer][:, self.prefix :]

    def layer_modules(self, network: torch.nn.Module) -> list[torch.nn.Module]:
        count = self.config.num_hidden_layers
        children = list(network.base_model.named_children())
        blocks = [c for _, c in children if isinstance(c, torch.nn.ModuleList) and len(c) == count]
        norms = [child for name, child in children if name in FINAL_NORMS]
        if len(blocks) != 1 or len(norms) != 1:
            raise RasenError(
                f"{self.folder}: cannot tell the layers of a {type(network).__name__} apart; "
                "set `sae` of this model to null"
            )
        return [*blocks[0][:-1], norms[0]]

    def losses(self, network: torch.nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = batch["tokens"].long()
        logits = network(input_ids=tokens, attention_mask=_mask(batch), use_cache=False).logits[
            :, :-1
        ]
        wanted = self.wanted(batch)[:, 0]
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), wanted.flatten(), ignore_index=-1, reduction="none"
        )
        loss = loss.view(wanted.shape).sum(-1, keepdim=True)
        return loss, (wanted != -1).sum(-1, keepdim=True)

    @property
    def cardinality(self) -> int:
        return self.config.get_text_config().vocab_size

    def wanted(self, batch: Batch) -> torch.Tensor:
        tokens = batch["tokens"][:, 1:].long()
        return tokens.masked_fill(~_mask(batch)[:, 1:].bool(), -1)[:, None]

    def targets(self, lengths: torch.Tensor) -> torch.Tensor:
        return (lengths - 1)[:, None]

    def export(self, network: torch.nn.Module, folder: Path) -> None:
        network.save_pretrained(folder)
        self.tokenizer().save_pretrained(folder)


def _mask(batch):
    """1 where a token is real, 0 where it is padding [clip, time]."""
    places = torch.arange(batch["tokens"].shape[1], device=batch["lengths"].device)
    return (places[None] < batch["lengths"][:, None]).long()


def _names_of_each(network):
    """The names of every tensor: one for most, several for tied ones."""
    names: dict[int, list[str]] = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
    return list(names.values())


def _buffer(name, patterns):
    """Tables that old checkpoints store and that are computed today (causal masks, rotary)."""
    known = (*patterns, r"rotary_emb\.inv_freq$", r"attn\.(masked_)?bias$", r"masked_bias$")
    return any(re.search(pattern, name) for pattern in known)


FAMILY = CausalLM
