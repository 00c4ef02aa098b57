"""SAEs on disk, as SAELens reads them: cfg.json and sae_weights.safetensors.

    W_enc [d, n]   W_dec [n, d]   b_enc [n]   b_dec [d]   threshold [n] (batchtopk, matryoshka)

`SAE.load_from_disk` of sae-lens >= 6 loads the folder; sae-lens is not needed to write one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from shutil import rmtree
from typing import Any

from safetensors.torch import load_file, save_file

from rasen.errors import RasenError
from rasen.io.atomic import write_text
from rasen.sae import normalise
from rasen.sae.model import SAE
from rasen.sae.settings import Setting
from rasen.sae.training_weights import TrainingWeights

CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
ARCHITECTURES = {
    "topk": "topk",
    "batchtopk": "jumprelu",  # with its threshold, as SAELens stores them
    "matryoshka": "jumprelu",
    "relu": "standard",
}
UNDERSTOOD: dict[str, list[Any]] = {  # values of SAELens' settings; the first is its default
    "architecture": sorted(set(ARCHITECTURES.values())),
    "normalize_activations": sorted(set(normalise.SAELENS.values())),
    "apply_b_dec_to_input": [True],
    "rescale_acts_by_decoder_norm": [False],
    "reshape_activations": ["none"],
}


def as_saelens(
    weights: TrainingWeights,
    setting: Setting,
    rms: float = 1.0,
    threshold: float | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> SAE:
    """The SAE that training weights stand for, in SAELens' terms.

    rms:       of the training rows, see rasen.sae.normalise
    threshold: one number in the units of training, for batchtopk and matryoshka
    metadata:  what cfg.json says of the activations
    """
    n, d = weights.decoder.shape
    factor = normalise.stored_factor(setting.normalise, d, rms)
    tensors = {
        "W_enc": weights.encoder.detach().T.contiguous(),
        "W_dec": weights.decoder.detach().clone(),
        "b_enc": weights.b_enc.detach() * factor,
        "b_dec": weights.b_dec.detach() * factor,
    }
    if threshold is not None:
        tensors["threshold"] = (0 * tensors["b_enc"]) + threshold * factor
    config = {
        "architecture": ARCHITECTURES[setting.kind],
        "d_in": d,
        "d_sae": n,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": normalise.SAELENS[setting.normalise],
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": "6.0.0",  # the format's; older ones are migrated on loading
            "sae_lens_training_version": None,
            "model_name": None,
            "hook_name": None,
            **(metadata or {}),
            "trained_by": "rasen",
            "settings": asdict(setting),
        },
    }
    if setting.kind == "topk":
        config |= {"k": setting.k, "rescale_acts_by_decoder_norm": False}
    return SAE(tensors, config)


def as_training(sae: SAE, setting: Setting, rms: float = 1.0) -> TrainingWeights:
    """The training weights that a stored SAE stands for on rows whose `rms` may be another one."""
    factor = normalise.stored_factor(setting.normalise, sae.d, rms)
    weights = TrainingWeights(
        encoder=sae.encoder.clone(),
        decoder=sae.decoder.clone(),
        b_enc=sae.b_enc / factor,
        b_dec=sae.b_dec / factor,
    )
    for tensor in weights.tensors():
        tensor.requires_grad_()
    return weights


def save(sae: SAE, folder: Path | str) -> None:
    """Write an SAE's folder; its config comes last, so a folder that has one is whole."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).unlink(missing_ok=True)
    tensors = {
        "W_enc": sae.encoder.T.contiguous(),
        "W_dec": sae.decoder,
        "b_enc": sae.b_enc,
        "b_dec": sae.b_dec,
    }
    if sae.threshold is not None:
        tensors["threshold"] = sae.threshold
    save_file({name: tensor.cpu() for name, tensor in tensors.items()}, folder / WEIGHTS)
    write_text(folder / CONFIG, json.dumps(sae.config, indent=1))


def remove_others(folder: Path | str, names: Iterable[str]) -> None:
    """Remove the SAEs in a folder that have none of these names, left by other settings."""
    kept = set(names)
    for config in Path(folder).glob(f"*/{CONFIG}"):
        if config.parent.name not in kept:
            rmtree(config.parent)


def load(folder: Path | str, device: str = "cpu") -> SAE:
    """The SAE in a folder that `train` (or SAELens, of the same architectures) has written."""
    folder = Path(folder)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RasenError(f"{folder}: no SAE there ({CONFIG} is missing); train it first") from None
    for key, known in UNDERSTOOD.items():
        if config.get(key, known[0]) not in known:
            raise RasenError(
                f"{folder}: {key} is {config[key]!r}; Rasen reads {', '.join(map(str, known))}"
            )
    return SAE(load_file(folder / WEIGHTS, device=device), config)
