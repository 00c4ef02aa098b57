"""The statistics beside a Helicality: they know an octave from a smooth path, and from chance."""

import subprocess
import sys

import numpy as np
import pytest

from rasen.helix import (
    OCTAVE,
    baselines,
    bootstrap_mean,
    bootstrap_pooled,
    corrected,
    fit,
    folding_scores,
    held_out_octave,
    octave_contrast,
    octave_evidence,
    p_value,
    period_curve,
    permuted_keys,
    random_baseline,
    reduce,
    smooth_paths,
    smooth_surrogates,
)
from rasen.helix.bootstrap import Interval
from rasen.helix.nulls import smooth_correlation
from rasen.helix.reduction import gram
from rasen.helix.trials import best_of_trials, curve

KEYS = np.arange(36)


def octaves(rng, count=1, period=12, noise=0.3, dim=40, keys=KEYS):
    """Features on a helix of some period in many dimensions: (count, keys, dim)."""
    angle = 2 * np.pi * keys / period
    points = np.stack([0.05 * keys, np.cos(angle), np.sin(angle)], axis=1)
    features = points @ rng.standard_normal((3, dim))
    return features + noise * rng.standard_normal((count, len(keys), dim))


def smooth(length, count, dim=8, seed=0):
    kernel = np.exp(-(((KEYS[:, None] - KEYS) / length) ** 2) / 2)
    return smooth_paths(kernel, dim, count, seed)


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
        paths = smooth(length, 200)
        helix = fit(reduce(paths))
        assert np.median(helix.helicality) > 0.48  # random: 0.388
        evidence = octave_evidence(paths)
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

    # .11 to .17 over twelve sets of features and three of draws (the draws change with the signs of
    # eigenvectors, so with the processor); white noise is off by .75 to .84
    np.testing.assert_allclose(variogram(fakes), variogram(features), rtol=0.25)
    assert p_value(folding_scores(features)[0], folding_scores(fakes)[:, 0]) < 0.01
    assert p_value(fit(reduce(features)).helicality, fit(reduce(fakes)).helicality) < 0.01
    correlation = smooth_correlation(gram(features))[0]
    assert correlation[0] == pytest.approx(1)
    assert (np.diff(correlation) <= 1e-12).all()


def test_surrogates_go_as_far_as_the_path_goes():
    """Short lags that rise in a straight line leave open how far; the whole variance tells."""
    rough = np.exp(-np.abs(KEYS[:, None] - KEYS) / 8)
    found = [smooth_correlation(gram(path))[0, 5] for path in smooth_paths(rough, 12, 40)]
    assert np.mean(found) == pytest.approx(rough[0, 5], abs=0.12)
    assert np.std(found) < 0.2


def test_the_smooth_null_holds_on_smooth_paths():
    """Rough Brownian-like paths are the hardest: at 5 % no more than chance allows in 100."""
    rough = np.exp(-np.abs(KEYS[:, None] - KEYS) / 20)
    p = []
    for seed, path in enumerate(smooth_paths(rough, 8, 100)):
        fakes = smooth_surrogates(path, 99, seed)
        p.append(p_value(fit(reduce(path)).helicality, fit(reduce(fakes)).helicality))
    assert np.mean(np.array(p) <= 0.05) <= 0.1


def test_surrogates_of_a_pattern_that_alternates_are_finite():
    """Its variogram is zero at every second lag."""
    assert np.isfinite(smooth_correlation(gram(np.tile(np.eye(2), (18, 1))))).all()


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


def test_evidence_on_two_octaves_and_on_too_little(rng):
    yes = octave_evidence(octaves(rng, 5, keys=np.arange(24)))
    assert yes.octave.all()
    assert not octave_evidence(octaves(rng, 5, period=9, keys=np.arange(24))).octave.any()
    too_few = octave_evidence(octaves(rng, 5, keys=np.arange(20)))
    assert np.isnan(too_few.folding).all()
    assert not too_few.octave.any()
    broken = octaves(rng)
    broken[0, 3] = np.nan
    evidence = octave_evidence(broken)
    assert not evidence.octave.any()
    assert np.isnan([evidence.folding, evidence.folding_p, evidence.contrast]).all()


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


def test_bootstrap_of_a_mean(rng):
    values = np.arange(3) + rng.standard_normal((200, 3))
    interval = bootstrap_mean(values)
    np.testing.assert_allclose(interval.value, values.mean(axis=0))
    np.testing.assert_allclose((interval.high - interval.low) / 2, 1.96 / 200**0.5, rtol=0.25)
    assert (interval.low < interval.value).all()
    assert (interval.value < interval.high).all()
    assert interval.draws.shape == (1000, 3)
    np.testing.assert_array_equal(interval.draws, bootstrap_mean(values).draws)


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
