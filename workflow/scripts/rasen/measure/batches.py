"""Stimuli in batches that the model may be shown, with a bar that counts them."""

from collections.abc import Iterator

from tqdm import tqdm

from rasen.families import Batch, Family
from rasen.io.inputs import Inputs


def batches(family: Family, inputs: Inputs, size: int, device: str, what: str) -> Iterator[Batch]:
    """Batches {field: [clip, time, ...], "lengths": [clip]} of at most `size` clips, in order.

    Clips of one batch have one length where padding would change what a clip gives.
    """
    total = len(inputs.parts(size, family.padded))
    yield from tqdm(inputs.batches(size, device, family.padded), what, total, disable=None)
