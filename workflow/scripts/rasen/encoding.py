"""Encode stimuli: from a table of clips to a file of model inputs."""

from tqdm import tqdm

from rasen import inputs, stimuli
from rasen.errors import RasenError, one_error


def encode(family, clips, path, device, **attributes):
    """Turn every clip (a row of the DataFrame `clips`) into inputs of `family`, written to `path`.

    All bad clips are told at once, and then nothing is written.
    """
    inputs.write(path, _encoded(family, clips, device), clips, **attributes)


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
    if error := one_error(problems, heading):
        raise error
