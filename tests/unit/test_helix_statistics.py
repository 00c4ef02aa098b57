"""The statistics beside a Helicality: they know an octave from a smooth path, and from chance."""

import subprocess
import sys

import numpy as np
import pytest

from rasen.helix import (
    OCTAVE,
    baselines,
    bootstrap_pooled,
    corrected,
    fit,
    folding_scores,
    fourier_scores,
    held_out_octave,
    held_out_p,
    mean_interval,
    octave_contrast,
    octave_evidence,
    p_value,
    period_curve,
    permuted_keys,
    random_baseline,
    reduce,
    smooth_path,
    smooth_surrogates,
    t_test,
    transferred_r2,
)
from rasen.helix.bootstrap import Interval
from rasen.helix.folding import divisor_p, folding_margin
from rasen.helix.fourier import PERIODS
from rasen.helix.nulls import smooth_covariance, white_noise
from rasen.helix.octave import margin_p, order_p
from rasen.helix.pooled import octave_tests, without
from rasen.helix.reduction import gram
from rasen.helix.transfer import mean_of_others
from rasen.helix.trials import best_of_trials, bounds, curve
from rasen.stats import sequential_p

KEYS = np.arange(36)


def octaves(rng, count=1, period=12, noise=0.3, dim=40, keys=KEYS):
    """Features on a helix of some period in many dimensions: (count, keys, dim)."""
    angle = 2 * np.pi * keys / period
    points = np.stack([0.05 * keys, np.cos(angle), np.sin(angle)], axis=1)
    features = points @ rng.standard_normal((3, dim))
    return features + noise * rng.standard_normal((count, len(keys), dim))


def paths(kernel, dim, count, seed=0):
    """Gaussian paths with a covariance of keys: (count, keys, dim)."""
    variance, vectors = np.linalg.eigh(kernel)
    normal = np.random.default_rng(seed).standard_normal((count, len(kernel), dim))
    return vectors * np.sqrt(variance.clip(min=0)) @ normal


def smooth(length, count, dim=8, seed=0, keys=36):
    key = np.arange(keys)
    return paths(np.exp(-(((key[:, None] - key) / length) ** 2) / 2), dim, count, seed)


def drift(rng, noise, keys=36, dim=40):
    """A slow drift in ten dimensions, and noise in all."""
    path = smooth(12, 1, dim=10, seed=rng, keys=keys)[0]
    return np.pad(path, [(0, 0), (0, dim - 10)]) + noise * rng.standard_normal((keys, dim))


def classes(rng, period, keys=36, strength=0.5):
    """Features whose keys are alike every `period` keys, on a drift, in noise: (keys, dim)."""
    each = strength * rng.standard_normal((period, 40))[np.arange(keys) % period]
    return each + drift(rng, 0.2, keys)


# -- nulls ---------------------------------------------------------------------------------------


def test_permuted_keys_score_as_random_features(rng):
    x = reduce(octaves(rng))[0]
    shuffled = permuted_keys(x, draws=300)
    assert (np.sort(shuffled, axis=1) == np.sort(x, axis=0)).all()
    null = fit(shuffled).helicality
    assert null.mean() == pytest.approx(random_baseline(36, draws=300).mean(), abs=0.01)
    assert p_value(fit(x).helicality, null) == pytest.approx(1 / 301)


def test_a_smooth_path_beats_chance_and_is_no_octave():
    """The trap of the published protocol: a high Helicality, at exactly twelve keys a turn."""
    for length in (4, 6, 12):
        notes = smooth(length, 200)
        helix = fit(reduce(notes))
        assert np.median(helix.helicality) > 0.48  # random: 0.388
        evidence = octave_evidence(notes)
        assert evidence.octave.mean() < 0.03
        assert (evidence.contrast > 0).mean() < 0.05


def test_surrogates_are_as_smooth_and_lose_the_octave(rng):
    features = octaves(rng, noise=0.5)[0]
    fakes = smooth_surrogates(features, draws=300)
    assert fakes.shape[:2] == (300, 36)
    assert fakes.shape[2] >= 3

    def variogram(each):
        lags = range(1, 6)
        steps = [((each[..., lag:, :] - each[..., :-lag, :]) ** 2).mean() for lag in lags]
        return np.array(steps) / steps[0]

    # .11 to .17 over twelve sets of features and three of draws; white noise is off by .75 to .84
    np.testing.assert_allclose(variogram(fakes), variogram(features), rtol=0.25)
    assert p_value(folding_scores(features)[0], folding_scores(fakes)[:, 0]) < 0.01
    assert p_value(fit(reduce(features)).helicality, fit(reduce(fakes)).helicality) < 0.01
    covariance, noise = smooth_covariance(gram(features))
    assert noise >= 0
    assert (np.diff(covariance[0]) <= 1e-12).all()


def test_surrogates_do_not_hang_on_the_signs_of_eigenvectors(monkeypatch, rng):
    """Equal seeds give equal surrogates on every processor: the root is symmetric."""
    features = octaves(rng)[0]
    expected = smooth_surrogates(features, draws=5)
    eigh = np.linalg.eigh

    def flipped(matrix):
        values, vectors = eigh(matrix)
        return values, vectors * np.where(np.arange(len(values)) % 2, -1, 1)

    monkeypatch.setattr(np.linalg, "eigh", flipped)
    np.testing.assert_allclose(smooth_surrogates(features, draws=5), expected, atol=1e-9)


def test_noise_in_many_dimensions_is_drawn_in_few(rng):
    """Bartlett's root has the scalar products of the noise: mean, variance, and no others."""
    many = gram(rng.standard_normal((3000, 10, 60)))
    few = white_noise((3000, 10), 60, rng)
    assert few.shape == (3000, 10, 10)
    few = gram(few)
    np.testing.assert_allclose(few.mean(axis=0), many.mean(axis=0), atol=1.5)
    np.testing.assert_allclose(few.std(axis=0), many.std(axis=0), rtol=0.1)


def test_surrogates_go_as_far_as_the_path_goes():
    """Short lags that rise in a straight line leave open how far; the whole variance tells."""
    rough = np.exp(-np.abs(KEYS[:, None] - KEYS) / 8)
    found = []
    for path in paths(rough, 12, 40):
        covariance, noise = smooth_covariance(gram(path))
        found.append(covariance[0, 5] / (covariance[0, 0] + noise))
    assert np.mean(found) == pytest.approx(rough[0, 5], abs=0.12)
    assert np.std(found) < 0.2


def test_the_smooth_null_holds_on_smooth_paths():
    """Rough Brownian-like paths are the hardest: at 5 % no more than chance allows in 100."""
    rough = np.exp(-np.abs(KEYS[:, None] - KEYS) / 20)
    p = []
    for seed, path in enumerate(paths(rough, 8, 100)):
        fakes = smooth_surrogates(path, 99, seed)
        p.append(p_value(fit(reduce(path)).helicality, fit(reduce(fakes)).helicality))
    assert np.mean(np.array(p) <= 0.05) <= 0.1


@pytest.mark.parametrize("noise", [0.1, 0.3, 1.0])
def test_the_smooth_null_holds_on_a_slow_drift_in_noise(noise):
    """Noise drawn in as few dimensions as the drift made 30 of 100 significant at 5 %."""
    p = []
    for seed in range(100):
        path = drift(np.random.default_rng(seed), noise)
        fakes = smooth_surrogates(path, 99, seed)
        p.append(p_value(fit(reduce(path)).helicality, fit(reduce(fakes)).helicality))
    assert np.mean(np.array(p) <= 0.05) <= 0.11  # 0 to 3 of 100 with 199 draws


def test_surrogates_of_a_pattern_that_alternates_are_finite():
    """Its variogram is zero at every second lag."""
    alternating = gram(np.tile(np.eye(2), (18, 1)))
    assert np.isfinite(smooth_covariance(alternating)[0]).all()
    assert np.isfinite(smooth_path(alternating).draw(3, np.random.default_rng(0))).all()


# -- the octave ----------------------------------------------------------------------------------


def test_an_octave_is_recognised_and_other_periods_are_not(rng):
    yes = octave_evidence(octaves(rng, 20))
    assert yes.octave.all()
    assert (yes.contrast > 0).all()
    assert (yes.folding > yes.folding_rival).all()
    np.testing.assert_allclose(yes.period, 12, atol=0.2)
    for period in (9, 10, 14, 16):
        no = octave_evidence(octaves(rng, 20, period))
        assert not no.octave.any()
        assert (no.contrast < 0).all()
        np.testing.assert_allclose(no.period, period, atol=0.5)


def test_below_32_keys_nothing_can_be_told(rng):
    """On 24 keys a trend and twelve classes fit smooth paths as well as octaves."""
    few = octave_evidence(octaves(rng, 5, keys=np.arange(31)))
    assert not few.octave.any()
    assert set(few.verdict) == {"cannot tell"}
    assert octave_evidence(octaves(rng, 5, keys=np.arange(32))).octave.all()
    for keys in (24, 32, 48):
        for length in (1.5, 2, 3, 6):
            evidence = octave_evidence(smooth(length, 100, keys=keys))
            assert evidence.octave.mean() < 0.06, (keys, length)
    products = gram(octaves(rng, keys=np.arange(24))[0])
    assert np.isnan(octave_tests(products, 199, rng)["octave_p"])


def test_evidence_on_too_little(rng):
    too_few = octave_evidence(octaves(rng, 5, keys=np.arange(20)))
    assert np.isnan(too_few.folding).all()
    assert not too_few.octave.any()
    broken = octaves(rng)
    broken[0, 3] = np.nan
    evidence = octave_evidence(broken)
    assert not evidence.octave.any()
    assert np.isnan([evidence.folding, evidence.folding_p, evidence.contrast]).all()


@pytest.mark.parametrize("period", [2, 3, 4, 6])
def test_a_divisor_of_the_octave_is_no_octave(period, rng):
    """Keys that repeat every 6 repeat every 12 as well: twelve classes must say more."""
    notes = np.stack([classes(rng, period) for _ in range(30)])
    evidence = octave_evidence(notes)
    assert (evidence.folding_p < 0.01).mean() > 0.9  # by folding alone it was an octave
    assert not evidence.octave.any()
    assert (evidence.divisor_p > 0.01).all()
    p = [octave_tests(each, 199, rng)["octave_p"] for each in gram(notes)]
    assert np.min(p) > 0.01
    yes = np.stack([classes(rng, 12) for _ in range(30)])
    assert octave_evidence(yes).octave.all()
    assert (divisor_p(gram(yes)) < 1e-3).all()


def test_twelve_is_the_best_period_whatever_the_trend(rng):
    notes = octaves(rng, 20)
    margin = folding_margin(gram(notes))
    assert (margin > 0.05).all()
    for degree in (2, 3, 4):
        folding = folding_scores(notes, trend=degree)
        assert (margin <= folding[:, 0] - folding[:, 1:].max(axis=1) + 1e-12).all()
    assert (folding_margin(gram(octaves(rng, 20, period=11))) < 0).all()


@pytest.mark.parametrize("kind", ["noise", "drift", "rough", "smooth"])
def test_the_octaves_p_value_holds_without_an_octave(kind):
    """At 5 % no more than chance allows, for features that a network may well have."""
    p = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        notes = {
            "noise": lambda rng: rng.standard_normal((36, 40)),
            "drift": lambda rng: drift(rng, 0.3),
            "rough": lambda rng: np.cumsum(rng.standard_normal((36, 20)), axis=0),
            "smooth": lambda rng: smooth(2, 1, dim=5, seed=rng)[0],
        }[kind](rng)
        p.append(octave_tests(gram(notes), 199, rng)["octave_p"])
    assert np.mean(np.array(p) <= 0.05) <= 0.125  # 4 expected at most; 10 have a chance of 1 %


def test_an_octave_has_a_p_value_of_thousands_of_draws(rng):
    products = gram(octaves(rng)[0])
    tests = octave_tests(products, 5000, rng)
    assert tests["octave_p"] < 1e-3
    assert tests["margin_p"] == pytest.approx(1 / 5001)
    # where 12 is not the best period, there is nothing to be drawn for
    assert margin_p(gram(octaves(rng, period=11)[0]), 5000, rng) == 1
    assert np.isnan(margin_p(gram(np.full((36, 3), np.nan)), 10, rng))


def test_the_order_of_the_keys_needs_no_fit(rng):
    assert order_p(gram(smooth(4, 1)[0]), 5000, rng) == pytest.approx(1 / 5001)
    p = [order_p(gram(rng.standard_normal((36, 20))), 300, rng) for _ in range(100)]
    assert np.mean(np.array(p) <= 0.05) <= 0.12
    assert np.median(p) == pytest.approx(0.5, abs=0.15)
    assert np.isnan(order_p(np.zeros((36, 36)), 99, rng))


def test_loudness_that_repeats_is_no_octave_of_the_features(rng):
    """Notes that a model hears as louder every twelve keys: gone with the loudness."""
    loudness = np.cos(2 * np.pi * KEYS / 12) + 0.05 * rng.standard_normal(36)
    notes = drift(rng, 0.2) + np.outer(loudness, rng.standard_normal(40))
    assert octave_tests(gram(notes), 999, rng)["octave_p"] < 0.01
    assert octave_tests(gram(without(notes, loudness)), 999, rng)["octave_p"] > 0.05
    np.testing.assert_array_equal(without(notes, np.ones(36)), notes)
    still = octaves(rng)[0]
    assert octave_tests(gram(without(still, loudness)), 999, rng)["octave_p"] < 0.05


def test_the_held_out_octave_has_a_p_value(rng):
    yes = octaves(rng, 8)
    assert held_out_p(yes, 199, rng) == pytest.approx(1 / 200)
    p = [held_out_p(smooth(3, 8, dim=20, seed=seed), 99, rng) for seed in range(40)]
    assert np.mean(np.array(p) <= 0.05) <= 0.15
    p = [held_out_p(rng.standard_normal((4, 36, 20)), 99, rng) for seed in range(40)]
    assert np.mean(np.array(p) <= 0.05) <= 0.15
    assert np.isnan(held_out_p(np.full((2, 36, 3), np.nan), 9, rng))
    assert held_out_p(yes[:1], 99, rng) < 0.05  # one instrument has no deviations


def test_fourier_regression_finds_the_period_on_other_instruments(rng):
    """All periods, without components; the pair has to predict an instrument it has not seen."""
    for period in (7, 9, 12, 14):
        scores = fourier_scores(octaves(rng, 6, period))
        assert PERIODS[np.nanargmax(scores)] == pytest.approx(period, abs=0.3)
        assert np.nanmax(scores) > 0.3
    nothing = fourier_scores(rng.standard_normal((6, 36, 40)))
    assert np.nanmax(nothing) < 0.02
    # each instrument on a circle of its own: periodic, but nothing that another shares
    own = np.concatenate([octaves(rng, 1) for _ in range(6)])
    assert np.nanmax(fourier_scores(own)) < 0.15
    assert np.isnan(fourier_scores(octaves(rng, 1))).all()
    assert np.isnan(scores[[period > 24 for period in PERIODS]]).all()


def test_one_instruments_helix_predicts_anothers(rng):
    shared = transferred_r2(octaves(rng, 4, noise=0.1))
    assert shared.shape == (4, 4)
    assert mean_of_others(shared) > 0.9
    own = transferred_r2(np.concatenate([octaves(rng, 1, noise=0.1) for _ in range(4)]))
    assert mean_of_others(own) < 0.3
    assert np.diag(own).min() > 0.9
    notes = octaves(rng, 3)
    np.testing.assert_allclose(np.diag(transferred_r2(notes)), fit(reduce(notes)).r2, atol=1e-6)
    notes[1, 0] = np.nan
    assert np.isnan(transferred_r2(notes)).all()
    assert np.isnan(mean_of_others(np.ones((1, 1))))


def test_folding_of_noise_is_zero_and_its_p_values_are_uniform(rng):
    for dim in (4, 100):
        evidence = octave_evidence(rng.standard_normal((400, 36, dim)))
        assert evidence.folding.mean() == pytest.approx(0, abs=0.01)
        assert (evidence.folding_p < 0.05).mean() == pytest.approx(0.05, abs=0.03)
        assert evidence.octave.mean() < 0.03


def test_folding_does_not_see_the_trend_and_wants_two_turns(rng):
    features = octaves(rng)
    trend = np.vander(KEYS / 36, 4) @ rng.standard_normal((4, 40))
    np.testing.assert_allclose(
        folding_scores(features), folding_scores(features + 9 * trend), atol=1e-9
    )
    np.testing.assert_allclose(folding_scores(features), folding_scores(products=gram(features)))
    assert np.isnan(folding_scores(trend)).all()
    assert np.isnan(folding_scores(features[:, :20])[:, 0]).all()
    assert not np.isnan(folding_scores(features[:, :24])[:, 0]).any()


def test_the_period_curve_peaks_where_the_helix_turns(rng):
    x = reduce(octaves(rng, 3, noise=0.1))
    curve_of = period_curve(x, [10, 11, 12, 13, 14])
    assert (curve_of.argmax(axis=1) == 2).all()
    np.testing.assert_allclose(curve_of[:, 2], fit(x, OCTAVE, "positive").r2)
    assert (octave_contrast(x) > 0).all()


def test_pitch_class_on_a_held_out_octave(rng):
    assert held_out_octave(octaves(rng, 30)) > 0.9  # .94 to .99 over twelve sets
    assert held_out_octave(octaves(rng, 1, noise=0.01)[0]) == 1
    assert held_out_octave(rng.standard_normal((20, 36, 40))) < 0.2
    # neither a straight line nor a curved one may pass, however long the feature vector
    line = KEYS[:, None] * rng.standard_normal((20, 1, 40))
    assert held_out_octave(line + 1e-3 * rng.standard_normal((20, 36, 40))) < 0.2
    assert held_out_octave(smooth(6, 20, dim=200)) < 0.25
    assert np.isnan(held_out_octave(np.full((36, 3), np.nan)))
    with pytest.raises(ValueError, match="at least two"):
        held_out_octave(rng.standard_normal((20, 5)))


# -- intervals and p-values ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("population", "percentiles_cover"), [("normal", 0.89), ("lognormal", 0.82), ("gamma", 0.87)]
)
def test_intervals_of_a_mean_over_eight_instruments_cover_it(population, percentiles_cover, rng):
    """Nominal 95 %; quantiles of resampled means cover `percentiles_cover`."""
    draw = {
        "normal": lambda size: 5 + rng.standard_normal(size),
        "lognormal": lambda size: rng.lognormal(0, 0.75, size),
        "gamma": lambda size: rng.gamma(2, 1, size),
    }[population]
    truth = {"normal": 5, "lognormal": np.exp(0.75**2 / 2), "gamma": 2}[population]
    values = draw((8, 4000))
    mean, low, high = mean_interval(values, positive=True)
    np.testing.assert_allclose(mean, values.mean(axis=0))
    covered = ((low <= truth) & (truth <= high)).mean()
    assert percentiles_cover + 0.03 < covered < 0.97
    assert (low > 0).all()


def test_a_mean_of_one_unit_has_no_interval_and_nan_is_left_out():
    mean, low, high = mean_interval(np.array([[1.0, 2.0]]))
    assert mean.tolist() == [1, 2]
    assert np.isnan([low, high]).all()
    mean, low, high = mean_interval(np.array([1.0, np.nan, 3.0]))
    assert mean == 2
    assert low == pytest.approx(2 - 12.706, abs=1e-3)  # t of one degree of freedom
    assert np.isnan(mean_interval(np.array([np.nan, np.nan]))[0])


def test_a_t_test_of_paired_differences(rng):
    from scipy.stats import ttest_1samp

    differences = rng.standard_normal((8, 5)) + np.arange(5) / 2
    np.testing.assert_allclose(t_test(differences), ttest_1samp(differences, 0).pvalue)
    assert np.isnan(t_test(np.ones((1, 2)))).all()


def test_a_sequential_p_value_stops_early_and_is_valid(rng):
    asked = []

    def exceeds(share):
        def draw(count):
            asked.append(count)
            return rng.random(count) < share

        return draw  # fmt: skip

    assert sequential_p(exceeds(0.0), 5000) == pytest.approx(1 / 5001)
    assert sum(asked) == 5000
    asked.clear()
    assert sequential_p(exceeds(0.5), 100_000) == pytest.approx(0.5, abs=0.25)
    assert sum(asked) == 250
    assert sequential_p(exceeds(0.01), 100_000) == pytest.approx(0.01, rel=0.7)
    p = np.array([sequential_p(exceeds(x), 999) for x in rng.random(400)])
    for level in (0.05, 0.2):
        assert (p <= level).mean() <= level + 0.04


@pytest.mark.parametrize("dim", [40, 400])
def test_bootstrap_of_pooled_features(dim, rng):
    features = octaves(rng, 10, noise=2.0, dim=dim)
    intervals = bootstrap_pooled(features, draws=100)
    pooled = fit(reduce(features.mean(axis=0)))
    assert intervals.r2.value == pytest.approx(pooled.r2, abs=1e-9)
    assert intervals.folding.value == pytest.approx(folding_scores(features.mean(axis=0))[0])
    for interval in vars(intervals).values():
        assert isinstance(interval, Interval)
        assert interval.low < interval.high
        # a period may lie at the border of its range in the sample and in most draws: equal, but
        # for the rounding of float64
        assert interval.low - 1e-9 <= interval.value <= interval.high + 1e-9


def test_p_values_and_their_correction():
    null = np.arange(99)
    assert p_value(1000, null) == 0.01
    assert p_value(-1, null) == 1
    assert np.isnan(p_value(np.nan, null))
    np.testing.assert_allclose(p_value([98, 50], np.stack([null, null])), [0.02, 0.5])
    p = [0.01, 0.04, 0.03, np.nan, 0.5]
    np.testing.assert_allclose(corrected(p), [0.04, 0.16 / 3, 0.16 / 3, np.nan, 0.5])
    np.testing.assert_allclose(corrected(p, "any error"), [0.04, 0.09, 0.09, np.nan, 0.5])
    assert corrected([]).shape == (0,)
    with pytest.raises(ValueError, match="any error"):
        corrected(p, "bonferroni")


# -- features that no network made ---------------------------------------------------------------


def test_spectra_find_a_sine_where_it_is():
    rate = 32_000
    time = np.arange(rate) / rate
    sines = np.sin(2 * np.pi * 440 * 2 ** (KEYS[:, None] / 12 - 1) * time)
    amplitude, frequencies = baselines.spectrum(sines, rate)
    assert amplitude.shape == (36, 1025)
    assert amplitude.max() == pytest.approx(1, abs=0.16)  # a Hann window between two bins
    peak = frequencies[amplitude.argmax(axis=1)]
    np.testing.assert_allclose(peak, 220 * 2 ** (KEYS / 12), atol=rate / 2048 / 2 + 1e-9)
    mel = baselines.log_mel(sines, rate)
    assert mel.shape == (36, 128)
    assert np.isfinite(mel).all()
    assert (np.diff(mel.argmax(axis=1)) >= 0).all()
    log = baselines.log_frequency(sines, rate)
    assert log.shape == (36, 168)
    low = baselines.log_frequency(sines[:1], rate, low=32.7)
    assert low.shape == (1, 192)  # an octave more
    assert low[0].argmax() == log[0].argmax() + 24
    steps = log[12:].argmax(axis=1) - log[12].argmax()
    np.testing.assert_allclose(steps, 2 * np.arange(24), atol=1)  # 24 bands an octave
    with pytest.raises(ValueError, match="shorter"):
        baselines.log_mel(sines[:, :100], rate)


def test_harmonic_spectra_hold_an_octave_and_sines_do_not():
    """No network, and yet an octave: what a model's octave has to be compared with."""
    rate = 32_000
    time = np.arange(rate // 2) / rate
    pitch = 130.8 * 2 ** (KEYS / 12)
    notes = np.zeros((36, len(time)))
    for partial in range(1, 21):
        heard = partial * pitch < rate / 2
        sine = np.sin(2 * np.pi * partial * pitch[:, None] * time + partial)
        notes += heard[:, None] / partial * sine
    harmonic = octave_evidence(baselines.log_frequency(notes, rate))
    sines = np.sin(2 * np.pi * pitch[:, None] * time)
    pure = octave_evidence(baselines.log_frequency(sines, rate))
    assert harmonic.octave
    assert not pure.octave


def test_a_bag_of_tokens_counts(rng):
    codes = rng.integers(0, 64, (5, 4, 50))
    bag = baselines.bag_of_tokens(codes, 64)
    assert bag.shape == (5, 256)
    np.testing.assert_allclose(bag.reshape(5, 4, 64).sum(axis=2), 1)
    assert bag[2, 64 + 7] == np.mean(codes[2, 1] == 7)
    with pytest.raises(ValueError, match="outside 0 to 31"):
        baselines.bag_of_tokens(codes, 32)


# -- the published protocol ----------------------------------------------------------------------


def test_equation_one_as_printed_is_recovered_by_the_fit():
    for sign in (1, -1):
        x = curve(36, 0.06, -1, 0.8, 0.01, 3.0, 0.5, 1.0, 2.0, sign * 0.6)
        helix = fit(x)
        np.testing.assert_allclose(helix.curve(), x, atol=1e-9)
        assert helix.omega == pytest.approx(0.6)
        assert helix.radius == pytest.approx(0.8 + 0.01 * 17.5)
        assert helix.chirality == sign


@pytest.mark.parametrize("keys", [24, 36, 88])
def test_the_bounds_of_the_trials_hold_a_helix_of_so_many_keys(keys, rng):
    """Standardised components of a straight height rise by sqrt(12) / keys per key."""
    key = np.arange(keys)
    turn = 2 * np.pi * key / 12
    x = reduce(np.stack([key, keys / 4 * np.cos(turn), keys / 4 * np.sin(turn)], axis=1))
    helix = fit(x)
    limits = bounds(keys)
    assert helix.rise < limits["h_pitch"][1]
    assert abs(helix.radius_slope) < limits["r_slope"][1]
    first = helix.level - helix.rise * (keys - 1) / 2
    assert limits["h_0"][0] < first < limits["h_0"][1]


def test_random_trials_never_beat_the_fit(rng):
    pytest.importorskip("optuna", reason="optuna is a peer of the benchmark, not a requirement")
    x = reduce(octaves(rng))[0]
    found = best_of_trials(x, count=40, seeds=(0, 1))
    assert found.shape == (2,)
    assert (found <= fit(x).helicality).all()


def test_the_library_needs_numpy_and_scipy_alone():
    code = (
        "import sys, rasen.helix; "
        "print([m for m in ('torch', 'pandas', 'optuna', 'matplotlib') if m in sys.modules])"
    )
    path = {"PYTHONPATH": ":".join(sys.path)}
    answer = subprocess.run(
        [sys.executable, "-c", code], env=path, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
