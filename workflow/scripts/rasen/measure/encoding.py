"""Encode stimuli: from a table of clips to a file of model inputs."""

from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from rasen import stimuli
from rasen.errors import RasenError, raise_all
from rasen.families import Family
from rasen.io import inputs


def encode_clips(
    family: Family, clips: pd.DataFrame, path: Path, device: str, **attributes: Any
) -> None:
    """Turn every clip (a row of the DataFrame `clips`) into inputs of `family`, written to `path`.

    All bad clips are reported at once, and then nothing is written.
    """
    inputs.write_inputs(path, _encoded(family, clips, device), clips, **attributes)


def _encoded(family, clips, device):
    """The inputs of every clip in turn; raises at the end when some could not be made."""
    problems = []
    rows = clips.itertuples(index=False)
    for row in tqdm(rows, desc="encode", unit="clip", total=len(clips), disable=None):
        try:
            yield family.encode(stimuli.render(row, family), device)
        except RasenError as error:
            problems.append(f"clip {row.clip}: {error}")
    heading = f"{len(problems)} of {len(clips)} clips cannot be used:"
    raise_all(problems, heading)
