"""Encode stimuli: from a table of clips to a file of model inputs, and the clips left out of it.

Clips are encoded in parts, each a file of its own until all are there: a job that was killed goes
on with the part at which it stopped. A clip that cannot be used is left out, with the reason.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from rasen import stimuli
from rasen.errors import RasenError, raise_all
from rasen.families import Family
from rasen.io import inputs
from rasen.io.hashes import short_hash
from rasen.stimuli.recordings import ChangedRecording

PART = 512  # clips


def encode_clips(
    family: Family, clips: pd.DataFrame, path: Path, device: str, workers: int = 1, code: str = "",
    **attributes: Any,
) -> pd.DataFrame:  # fmt: skip
    """Turn every clip (a row of the DataFrame `clips`) into inputs of `family`, written to `path`.

    workers: threads, each with a clip of its own
    code:    hash of the code; parts that another version has left are not used

    Returns the clips that are left out, with columns clip and reason. Raises where none of the
    first part can be used: then the model may be at fault, not the clips.
    """
    folder = path.with_name(f"{path.stem}.parts")
    files: list[Path] = []
    reasons: dict[str, str] = {}
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        each = pool.map if workers > 1 else map
        for start in tqdm(range(0, len(clips), PART), "encode", unit="part", disable=None):
            rows = clips.iloc[start : start + PART]
            key = short_hash(json.dumps([code, attributes, rows.to_json()]))
            file = folder / f"{start:07d}-{key}.h5"
            if not file.exists():
                _encode_part(partial(_encode, family, device), rows, file, each)
            files.append(file)
            reasons |= json.loads(inputs.Inputs(file).attributes["left_out"])
            if len(reasons) == start + len(rows):
                shutil.rmtree(folder)
                problems = [f"clip {clip}: {reason}" for clip, reason in reasons.items()]
                raise_all(problems, f"{len(reasons)} of {len(clips)} clips cannot be used:")
    used = clips[~clips["clip"].isin(reasons)].reset_index(drop=True)
    inputs.write_inputs(path, _joined(files), used, **attributes)
    shutil.rmtree(folder)
    return pd.DataFrame({"clip": list(reasons), "reason": list(reasons.values())}, dtype=str)


def _encode_part(
    encode: Callable[[Any], Any], rows: pd.DataFrame, file: Path,
    each: Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]],
) -> None:  # fmt: skip
    """Encode some clips, in order, into a file of model inputs; reasons of others beside them."""
    clips = list(rows.itertuples(index=False))
    # The first one alone: it opens the codec (or tokenizer) that all others use.
    made = [encode(clips[0]), *each(encode, clips[1:])]
    used = [not isinstance(result, str) for result in made]
    inputs.write_inputs(
        file,
        [result for result, good in zip(made, used, strict=True) if good],
        rows[used],
        left_out={row.clip: why for row, why in zip(clips, made, strict=True) if type(why) is str},
    )


def _encode(family, device, row):
    """The inputs of a clip {field: array [time, ...]}, or the reason why there are none."""
    try:
        return family.encode(stimuli.render(row, family), device)
    except ChangedRecording:
        raise
    except RasenError as error:
        return str(error)


def _joined(files: Iterable[Path]) -> Iterator[dict[str, np.ndarray]]:
    """The clips of several files of inputs, one after another."""
    for file in files:
        for batch in inputs.Inputs(file).batches(1):
            yield {name: values[0].numpy() for name, values in batch.items() if name != "lengths"}
