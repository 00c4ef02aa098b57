"""Helices of a route in one frame: turns and mirrors are undone, and nothing else changes."""

import numpy as np
import pandas as pd
import pytest

from rasen.helix.aligned import align_tables
from rasen.helix.alignment import Alignment, align_route
from rasen.helix.fitting import fit
from rasen.helix.layers import CURVE, PLACE, fit_layers
from rasen.helix.settings import HelixSettings

SETTINGS = HelixSettings(bootstrap=20, draws=199, null_draws=19)
POINTS, LAYERS, INSTRUMENTS, KEYS = 6, 3, 4, 24


def path_of_helices(rng, drift=0.0, noise=0.0):
    """Notes [point, layer, instrument, key, 3] on upright helices that change along the route."""
    point = np.arange(POINTS)[:, None, None, None]
    key = np.arange(KEYS)
    radius = 1 + 0.1 * point + np.zeros((1, LAYERS, INSTRUMENTS, 1))
    angle = 2 * np.pi / 12 * key + drift * point
    height = np.broadcast_to(0.1 * key - 1, (POINTS, LAYERS, INSTRUMENTS, KEYS))
    notes = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=-1)
    return notes + noise * rng.standard_normal(notes.shape)


def scrambled(rng, notes):
    """The same, each turned and mirrored at random, but for the last layer of the last point."""
    mirrored = rng.random(notes.shape[:3]) < 0.5
    turn = rng.uniform(-np.pi, np.pi, notes.shape[:3])
    mirrored[-1, -1, -1] = turn[-1, -1, -1] = 0
    return Alignment(mirrored, turn).place(notes)


def rms(notes):
    """Root mean square distance of the pooled notes of neighbouring points."""
    return np.sqrt((np.diff(notes[:, :, -1], axis=0) ** 2).sum(-1).mean())


def test_random_turns_and_mirrors_of_a_known_path_are_undone_exactly(rng):
    known = path_of_helices(rng)
    given = scrambled(rng, known)
    placed = align_route(given).place(given)
    np.testing.assert_allclose(placed, known, atol=1e-12)
    assert rms(given) > 1 > 5 * rms(placed)


def test_the_frame_does_not_depend_on_how_fits_were_turned(rng):
    """Also where helices change on the way, so that no turn makes neighbours equal."""
    known = path_of_helices(rng, drift=0.3, noise=0.3)
    one, other = scrambled(rng, known), scrambled(rng, known)
    placed = [align_route(notes).place(notes) for notes in (one, other)]
    np.testing.assert_allclose(*placed, atol=1e-12)
    for ours in placed:  # the trained end
        np.testing.assert_allclose(ours[-1, -1, -1], known[-1, -1, -1], atol=1e-12)
    assert rms(placed[0]) < min(rms(one), rms(known))  # the best turns, drift is not kept


def test_heights_and_radii_stay(rng):
    known = scrambled(rng, path_of_helices(rng, noise=0.3))
    placed = align_route(known).place(known)
    np.testing.assert_array_equal(placed[..., 2], known[..., 2])
    np.testing.assert_allclose(*(np.hypot(x[..., 0], x[..., 1]) for x in (placed, known)))


def test_a_point_without_a_fit_is_stepped_over(rng):
    given = scrambled(rng, path_of_helices(rng, noise=0.1))
    gap = given.copy()
    gap[3, 1], gap[-1, 0] = np.nan, np.nan  # one on the way; the trained end of another layer
    placed = align_route(gap).place(gap)
    assert np.isnan(placed[3, 1]).all()
    assert np.isnan(placed[-1, 0]).all()
    assert np.isfinite(np.delete(placed, [3, 5], axis=0)).all()
    whole = align_route(given).place(given)
    np.testing.assert_array_equal(placed[4, 1], whole[4, 1])
    assert np.abs(placed[2, 1] - whole[2, 1]).max() < 0.5  # near, by the point after the gap
    assert np.abs(placed[4, 0] - whole[4, 0]).max() < 0.5  # near, by the layer above


@pytest.fixture(scope="module")
def fitted():
    """Notes of three points: a layer of helices, in which one has no fit, and a layer of noise."""
    rng = np.random.default_rng(5)
    angle = 2 * np.pi / 12 * np.arange(KEYS)
    clean = np.stack([np.cos(angle), np.sin(angle), np.arange(KEYS) / 8], axis=1)
    features = [
        {layer: (1 - layer) * clean @ rng.standard_normal((3, 20))
         + (0.1 + layer) * rng.standard_normal((3, KEYS, 20)) for layer in range(2)}
        for _ in range(3)
    ]  # fmt: skip
    features[1][0][1] = 1.0  # constant: no fit
    tables = [fit_layers(each, ["a", "b", "c"], SETTINGS, 0, lowest=40)[1] for each in features]
    tables = [table.rename(columns={"label": "layer"}) for table in tables]
    return [table.assign(features="network", stimuli="notes") for table in tables]


VISITED = pd.DataFrame(
    {"model": "m", "route": "step", "point": ["p0", "p1", "p2"], "position": [0.0, 1.0, 2.0]}
)


def test_the_formula_of_the_table_gives_the_fitted_curve(fitted):
    """Also after mirrors: the curve of a fit to the aligned notes themselves."""
    notes, curves = align_tables(fitted, VISITED)
    assert (curves["omega"] < 0).any()
    checked = 0
    keys = ["point", "layer", "instrument"]
    for row in curves.itertuples():
        places = notes.query(" and ".join(f"{key} == @row.{key}" for key in keys))
        assert places["pitch"].tolist() == list(range(40, 40 + KEYS))
        x = places[PLACE].to_numpy(np.float64)
        if row.instrument == "b" and row.point == "p1" and row.layer == 0:
            assert np.isnan(x).all()
            assert np.isnan([row.omega, row.turn, row.radius, row.level, row.rise]).all()
            continue
        t = np.arange(KEYS)
        r = row.radius + row.radius_slope * t
        angle = row.omega * t + row.turn
        curve = np.stack([r * np.cos(angle), r * np.sin(angle), row.level + row.rise * t], axis=1)
        np.testing.assert_allclose(curve, fit(x).curve(), atol=1e-5)
        checked += 1
    assert checked == len(curves) - 1 == 3 * 2 * 4 - 1


def test_tables_have_a_row_per_note_and_per_fit(fitted):
    notes, curves = align_tables(fitted, VISITED)
    keys = ["model", "route", "point", "position", "stimuli", "layer", "features", "instrument"]
    assert list(notes) == [*keys, "key", "pitch", *PLACE]
    assert list(curves) == [
        *keys, "omega", "turn", "radius", "radius_slope", "level", "rise", "lowest", "keys"
    ]  # fmt: skip
    assert len(notes) == KEYS * len(curves)
    assert not notes.duplicated([*keys, "key"]).any()
    assert (notes[PLACE].dtypes == np.float32).all()
    given = pd.concat(fitted).query("key == 0")[CURVE].abs().to_numpy()
    np.testing.assert_array_equal(curves[CURVE].abs().to_numpy(), given)  # beside their own fits
