"""The notes in three dimensions: colours that can be seen, names, and points that differ."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from rasen.figures.helix_curves import NAMES, PITCH_CLASSES, draw_curves, most_different


def lab(colour):
    """CIELAB (D65), in which a distance of 2 can just be seen."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(to_xyz @ linear / [0.9505, 1, 1.089])  # all far above the linear part
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one, two):
    return np.linalg.norm(lab(one) - lab(two))


def test_no_pitch_class_is_pale_and_none_is_like_another():
    assert lab("white") == pytest.approx([100, 0, 0], abs=0.1)
    assert min(distance(colour, "white") for colour in PITCH_CLASSES) > 45
    assert min(distance(colour, "black") for colour in PITCH_CLASSES) > 40
    pairs = [(a, b) for a in range(12) for b in range(a)]
    assert min(distance(PITCH_CLASSES[a], PITCH_CLASSES[b]) for a, b in pairs) > 20


def test_neighbours_differ_also_in_lightness_and_the_map_is_a_circle():
    light = np.array([lab(colour)[0] for colour in PITCH_CLASSES])
    assert np.abs(light - np.roll(light, 1)).min() > 15
    hue = np.array([np.degrees(np.arctan2(*lab(colour)[:0:-1])) for colour in PITCH_CLASSES])
    step = (np.roll(hue, -1) - hue) % 360
    assert step.min() > 20
    assert step.max() < 40


def notes(positions, places):
    """Notes of 48 keys from C3: a helix of radius 1 that is moved by a place along x."""
    keys = np.arange(48)
    angle = 2 * np.pi * keys / 12
    one = {"key": keys, "pitch": 48 + keys, "y": np.sin(angle), "z": keys / 24 - 1}
    tables = [
        pd.DataFrame(one | {"x": np.cos(angle) + place, "position": position, "route": "linear"})
        for position, place in zip(positions, places, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)


def test_the_points_that_are_shown_differ():
    """Six of ten panels were alike: points near the trained end, where nothing changes."""
    positions = [0, 0.25, 0.5, 0.75, 0.9, 0.92, 0.94, 0.96, 0.98, 1]
    places = [0, 1, 2, 3, 4, 4.001, 4.002, 4.003, 4.004, 4.005]
    assert most_different(notes(positions, places), 5)[:4] == [0, 0.25, 0.5, 0.75]
    late = [0, 0, 0, 0, 1, 1, 2, 2, 3, 4]
    assert most_different(notes(positions, late), 5) == [0, 0.9, 0.94, 0.98, 1]
    assert most_different(notes(positions, [0] * 10), 5)[-1] == 1
    assert most_different(notes([0, 1], [0, 1]), 5) == [0, 1]


def test_every_panel_has_the_names_of_its_notes(tmp_path):
    positions = [0, 0.25, 0.5, 0.75, 1]
    fit = {"omega": 2 * np.pi / 12, "turn": 0, "radius": 1, "radius_slope": 0, "level": -1,
           "rise": 1 / 24}  # fmt: skip
    curves = pd.DataFrame([fit | {"position": position} for position in positions])
    draw_curves(notes(positions, range(5)), curves, {0.25: "octave"}, "nano", tmp_path / "a.svg")
    draw_curves(notes(positions, range(5)), curves, {0.25: "octave"}, "nano", tmp_path / "b.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert svg == (tmp_path / "b.svg").read_text()
    assert [svg.count(f"  C{octave}<") for octave in (3, 4, 5, 6)] == [5, 5, 5, 5]
    assert all(svg.count(f">{name}<") == 1 for name in NAMES), "the key"
    assert all(svg.count(f"  {name}<") == 5 for name in NAMES[1:]), "the highest octave"
    assert ">nano: the notes" in svg
    assert "octave" in svg
