"""Encode stimuli: from a table of clips to a file of model inputs."""

from tqdm import tqdm

from rasen import inputs, stimuli
from rasen.errors import RasenError, one_error


def encode(family, clips, path, device, **attributes):
    """Turn every clip (a row of the DataFrame `clips`) into inputs of `family`, written to `path`.

    All bad clips are told at once, and then nothing is written.
    """
    encoded, problems = [], []
    rows = clips.itertuples(index=False)
    for row in tqdm(rows, desc="encode", unit="clip", total=len(clips), disable=None):
        try:
            encoded.append(family.encode(stimuli.render(row, family), device))
        except RasenError as error:
            problems.append(f"clip {row.clip}: {error}")
    heading = f"{len(problems)} of {len(clips)} clips cannot be used:"
    if error := one_error(problems, heading):
        raise error
    inputs.write(path, encoded, clips, **attributes)
