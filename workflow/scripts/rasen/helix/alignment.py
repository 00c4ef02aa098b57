"""Helices of a route in one frame: turned about their axes and mirrored, and nothing else.

In the axes of its own fit a helix stands upright and is right-handed, but where its keys begin
around the axis is arbitrary: components have no sign, so that of handedness is arbitrary as well.
From point to point the notes would jump. Here the pooled notes of every point are matched to those
of the next, beginning at the trained end of the route; there each layer is matched to the layer
above it. Instruments are matched to the pooled notes of their point. Matching minimises the summed
squared distance over turns about the axis and a mirror at a plane through it. No height, radius or
distance within a fit changes.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Alignment:
    """First a mirror (y to -y) where `mirrored`, then a turn about z; (...) is one per helix."""

    mirrored: np.ndarray  # (...)
    turn: np.ndarray  # (...) radians, in (-pi, pi]

    def place(self, notes: np.ndarray) -> np.ndarray:
        """Notes (..., key, 3), mirrored and turned."""
        plane = self._place(_plane(notes))
        return np.stack([plane.real, plane.imag, notes[..., 2]], axis=-1).astype(notes.dtype)

    def _place(self, plane):
        mirrored = np.where(self.mirrored[..., None], plane.conj(), plane)
        return mirrored * np.exp(1j * self.turn)[..., None]


def align_route(notes: np.ndarray) -> Alignment:
    """The Alignment of every helix of a route, of shape [point, layer, instrument].

    notes [point, layer, instrument, key, 3], each in the axes of its own fit; the last point is the
    trained end, the last instrument the pooled notes. A helix that was not fitted (NaN) stays as it
    is, and its neighbours are matched to each other.
    """
    planes = _plane(notes)
    pooled = planes[:, :, -1]
    nothing = np.full(planes.shape[-1:], np.nan)
    last_point = _walk(pooled[-1], nothing)  # from the last layer down
    references = _walk(pooled, last_point)  # from the last point back
    return _match(planes, references[:, :, None])


def _walk(path, reference):
    """Aligned planes of a path [step, ..., key], from the last, which is matched to `reference`.

    Where there is no fit stands what the steps before it are matched to.
    """
    aligned = []
    for plane in path[::-1]:
        placed = _match(plane, reference)._place(plane)
        reference = np.where(np.isfinite(placed), placed, reference)
        aligned.append(reference)
    return np.stack(aligned[::-1])


def _match(planes, references):
    """The Alignment by which planes (..., key) come closest to references, broadcast."""
    plain = (planes.conj() * references).sum(axis=-1)
    mirror = (planes * references).sum(axis=-1)
    mirrored = np.abs(mirror) > np.abs(plain)  # not where one is NaN
    return Alignment(mirrored, np.nan_to_num(np.angle(np.where(mirrored, mirror, plain))))


def _plane(notes):
    """The part of notes (..., 3) across the axis, as complex numbers x + iy."""
    return notes[..., 0] + 1j * notes[..., 1]
