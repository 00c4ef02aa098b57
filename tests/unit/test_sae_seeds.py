"""What a seed alone does to features, beside what happens from point to point: by hand."""

import pandas as pd
import pytest

from rasen.sae.features.seeds import coverage_with_spread, with_seeds

FLOWS = pd.DataFrame(
    [
        ("m", 4, "a", "b", 7, 100, 80, 30, 50, 70),
        ("m", 4, "a", "b", 8, 90, 85, 20, 65, 70),
        ("m", 4, "a", "b", 9, 95, 90, 35, 55, 60),
    ],
    columns=["model", "layer", "from_point", "to_point", "seed", "before", "after", "matched",
             "births", "deaths"],
)  # fmt: skip
PAIRS = pd.DataFrame(
    [("m", 4, "a", 0.4), ("m", 4, "a", 0.6), ("m", 4, "b", 0.25), ("m", 5, "a", 0.9)],
    columns=["model", "layer", "point", "share"],
)


def test_deaths_and_births_beyond_those_of_a_seed():
    (step,) = with_seeds(FLOWS, PAIRS, 7).itertuples()
    assert (step.before, step.after, step.matched, step.births, step.deaths) == (
        100, 80, 30, 50, 70,
    )  # fmt: skip
    assert (step.seeds, step.matched_low, step.matched_high) == (3, 20, 35)
    assert (step.seed_share_before, step.seed_share_after) == pytest.approx((0.5, 0.25))
    assert step.deaths_beyond == 20, "70 died, of two seeds half of 100 do"
    assert step.births_beyond == -10, "50 were born, of two seeds three quarters of 80 are"


def test_one_seed_says_nothing_of_seeds():
    (step,) = with_seeds(FLOWS[:1], PAIRS[:0], 7).itertuples()
    assert step.seeds == 1
    missing = (step.matched_low, step.matched_high, step.deaths_beyond, step.births_beyond)
    assert all(pd.isna(value) for value in missing)
    assert len(with_seeds(FLOWS[:0], PAIRS[:0], 7)) == 0


def test_coverage_is_that_of_the_main_seed_with_the_range_of_all():
    rows = [("m", 4, "a", "clips", 7, 0.3, 0.1), ("m", 4, "a", "clips", 8, 0.4, 0.05)]
    columns = ["model", "layer", "point", "units", "seed", "labelled", "confirmed"]
    (row,) = coverage_with_spread(pd.DataFrame(rows, columns=columns), 7).itertuples()
    assert (row.labelled, row.labelled_low, row.labelled_high) == (0.3, 0.3, 0.4)
    assert (row.confirmed, row.confirmed_low, row.confirmed_high) == (0.1, 0.05, 0.1)
    (alone,) = coverage_with_spread(pd.DataFrame(rows[:1], columns=columns), 7).itertuples()
    assert not hasattr(alone, "labelled_low")
