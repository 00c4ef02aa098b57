"""CKA is unbiased and knows turned features; PWCCA knows any invertible map."""

from collections.abc import Mapping

import numpy as np
import pytest

from rasen.errors import RasenError
from rasen.probes import similarity


def turn(rng, dim):
    return np.linalg.qr(rng.standard_normal((dim, dim)))[0]


def brute_force_hsic(x, y):
    """Song et al. 2012, equation 5, with kernels."""
    n = len(x)
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    one = np.ones(n)
    trace = np.trace(k @ m)
    sums = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return (trace + sums - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3))


def brute_force_cka(x, y):
    both = brute_force_hsic(x, y)
    return both / np.sqrt(brute_force_hsic(x, x) * brute_force_hsic(y, y))


@pytest.mark.parametrize("dims", [(12, 20), (90, 70), (30, 90)])
def test_cka_is_the_formula_and_its_interval_a_jackknife(dims, rng):
    """Few and many features for 60 rows; shifted, so that centring matters."""
    x = rng.standard_normal((60, dims[0])) + 5
    y = rng.standard_normal((60, dims[1])) - 2
    y[:, :12] += x[:, :12]
    group = np.repeat(np.arange(15), 4)
    row = similarity({"a": x, "b": y}, ["cka"], groups=group).iloc[0]
    assert row["value"] == pytest.approx(brute_force_cka(x, y), abs=2e-5)
    without = np.array([brute_force_cka(x[group != g], y[group != g]) for g in range(15)])
    width = 2.1448 * np.sqrt(14 * without.var())  # Student's t, 14 degrees of freedom
    assert row["high"] - row["value"] == pytest.approx(width, rel=1e-3)
    assert row["value"] - row["low"] == pytest.approx(width, rel=1e-3)
    assert (row["n"], row["groups"]) == (60, 15)


def test_cka_does_not_change_when_features_are_turned_shifted_or_scaled(rng):
    x = rng.standard_normal((300, 20)) * np.linspace(0.1, 3, 20)
    y = x[:, :10] @ rng.standard_normal((10, 30)) + rng.standard_normal((300, 30))
    table = similarity(
        {"x": x, "turned": 3 * x @ turn(rng, 20) + 7, "y": y},
        pairs=[("x", "y"), ("turned", "y"), ("x", "turned")],
    )
    first, second, same = table["value"]
    assert first == pytest.approx(second, abs=1e-4)
    assert same == pytest.approx(1, abs=1e-4)
    assert 0.05 < first < 0.95


@pytest.mark.parametrize("dim", [20, 400])
def test_cka_of_unrelated_features_is_zero_in_the_mean(dim, rng):
    """With 400 features for 60 rows the biased CKA would be near 1."""
    found = [
        similarity({0: rng.standard_normal((60, dim)), 1: rng.standard_normal((60, dim))})["value"][
            0
        ]
        for _ in range(30)
    ]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(30) + 1e-3
    assert np.max(np.abs(found)) < 0.3


def test_intervals_of_cka_hold_its_value(rng):
    """The value of a million rows lies in the intervals of 200 rows."""

    def draw(rows):
        z = rng.standard_normal((rows, 6))
        return z @ a + rng.standard_normal((rows, 8)), z @ b + rng.standard_normal((rows, 8))

    a, b = rng.standard_normal((2, 6, 8))
    true = similarity(dict(enumerate(draw(100_000))))["value"][0]
    rows = [similarity(dict(enumerate(draw(200)))).iloc[0] for _ in range(100)]
    held = np.mean([row["low"] <= true <= row["high"] for row in rows])
    assert 0.88 <= held <= 1


def test_pwcca_is_one_for_invertible_maps_and_low_for_unrelated_features(rng):
    x = rng.standard_normal((900, 20)) * np.linspace(0.2, 3, 20)
    layers = {
        "x": x,
        "mapped": x @ rng.standard_normal((20, 20)) + 3,
        "half": np.hstack([x[:, :10], rng.standard_normal((900, 10))]),
        "other": rng.standard_normal((900, 20)),
    }
    table = similarity(layers, ["pwcca"], explained=1.0).set_index(["a", "b"])
    assert table.loc[("x", "mapped"), "value"] == pytest.approx(1, abs=1e-3)
    other = table.loc[("x", "other")]
    assert other["value"] < 0.2
    assert other["value"] == pytest.approx(other["null"], abs=0.04)
    half = table.loc[("x", "half")]
    assert other["value"] + 0.15 < half["value"] < 0.95
    assert half["low"] < half["value"] < half["high"]
    assert (table["components"] == 20).all()


def test_pwcca_reduces_first(rng):
    """A tenth of the rows at most: without it, any wide features would be alike."""
    wide = {0: rng.standard_normal((200, 300)), 1: rng.standard_normal((200, 300))}
    row = similarity(wide, ["pwcca"]).iloc[0]
    assert row["components"] == 20
    assert row["value"] < 0.5
    low = rng.standard_normal((500, 3)) @ rng.standard_normal((3, 40))
    row = similarity({0: low + 1e-3 * rng.standard_normal(low.shape), 1: low}, ["pwcca"]).iloc[0]
    assert row["components"] <= 3
    assert row["value"] > 0.99


def test_all_pairs_read_each_first_layer_once(rng):
    stored = {layer: rng.standard_normal((40, 6)) for layer in range(4)}
    read = []

    class Lazy(Mapping):
        def __getitem__(self, name):
            read.append(name)
            return stored[name]

        def __iter__(self):
            return iter(stored)

        def __len__(self):
            return 4

    table = similarity(Lazy(), ["cka", "pwcca"])
    assert len(table) == 12
    assert len(read) == 3 + 6
    assert table.equals(similarity(stored, ["cka", "pwcca"]))


def test_what_cannot_be_compared_is_named(rng):
    x = rng.standard_normal((40, 6))
    with pytest.raises(RasenError, match="measure 'cca'; did you mean 'pwcca'"):
        similarity({0: x, 1: x}, ["cca"])
    with pytest.raises(RasenError, match="0 has 40 rows and 1 has 30"):
        similarity({0: x, 1: x[:30]})
    with pytest.raises(RasenError, match="no features '7'"):
        similarity({0: x, 1: x}, pairs=[(0, 7)])
    with pytest.raises(RasenError, match="39 groups for 40 rows"):
        similarity({0: x, 1: x}, groups=np.arange(39))


def test_constant_features_are_like_nothing():
    rng = np.random.default_rng(0)
    layers = {"a": rng.normal(size=(40, 6)), "b": np.ones((40, 5))}
    rows = similarity(layers, ["cka", "pwcca"])
    assert rows["value"].isna().all()
