"""Tags by CLAP, zero-shot: which of some descriptions fits each clip best.

The weights are the user's: a local folder that transformers' ClapModel opens. The result is a tag
table like any other, so the same nulls and the same held-out test apply to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from rasen.errors import RasenError

Prompts = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class ClapSettings:
    """The model's local folder, the descriptions, and by how much the best must be ahead."""

    weights: str
    prompts: Prompts
    margin: float = 0.0


@torch.inference_mode()
def clap_tags(
    folder: Path | str,
    clips: Iterable[np.ndarray],
    prompts: Prompts,
    margin: float = 0.0,
    batch: int = 8,
    device: str = "cpu",
) -> pd.DataFrame:
    """A table with one row per clip and, for each column, the value whose prompt fits best.

    folder: ClapModel with its processor;  clips: samples [time] of each (mono, float) at the rate
    `sampling_rate(folder)`;  prompts: {column: {value: description}}, such as
    {"instrument": {"piano": "the sound of a piano", ...}}
    margin: what the best cosine must be above the second; else the value is missing (None)
    Only the first seconds that the model can hear (10 for the published ones) count.
    """
    model, processor = _open_clap(folder)
    model = model.to(device).eval()
    text = {
        column: _unit_rows(model.get_text_features(**_tokens(processor, values).to(device)))
        for column, values in prompts.items()
    }
    rows = []
    remaining = iter(clips)
    while clips_of_batch := list(islice(remaining, batch)):
        rows += _best_values(model, processor, clips_of_batch, text, prompts, margin)
    return pd.DataFrame(rows)


def sampling_rate(folder: Path | str) -> int:
    """Samples per second that the model expects."""
    return _open_clap(folder)[1].feature_extractor.sampling_rate


def _open_clap(folder):
    from transformers import ClapModel, ClapProcessor

    try:
        model = ClapModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        return model, ClapProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise RasenError(f"{folder}: no CLAP model with its processor ({reason})") from None


def _tokens(processor, values):
    return processor.tokenizer(list(values.values()), padding=True, return_tensors="pt")


def _best_values(model, processor, clips, text, prompts, margin):
    """One dict per clip: the best value of every column."""
    extractor = processor.feature_extractor
    clips = [clip[: extractor.nb_max_samples] for clip in clips]  # else it cuts at random
    inputs = extractor(clips, sampling_rate=extractor.sampling_rate, return_tensors="pt")
    audio = _unit_rows(model.get_audio_features(**inputs.to(model.device)))
    rows: list[dict[str, str | None]] = [{} for _ in clips]
    for column, values in prompts.items():
        names = list(values)
        best = (audio @ text[column].T).topk(min(2, len(names)), dim=1)
        for row, cosines, places in zip(rows, best.values, best.indices, strict=True):
            clear = len(names) == 1 or float(cosines[0] - cosines[1]) >= margin
            row[column] = names[places[0]] if clear else None
    return rows


def _unit_rows(features):
    features = getattr(features, "pooler_output", features)  # transformers 5 gives an output object
    return torch.nn.functional.normalize(features, dim=-1)
