"""Intervals beside SciPy's own, and the three verdicts."""

import math

import numpy as np
import pytest
from scipy import stats

from experiments.drift.shift import Shift, interval_shift, mean_shift, share_shift, shift_between

RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.11, 0.2, "moved"),
        (-0.2, -0.11, "moved"),
        (-0.1, 0.1, "did not move"),
        (0.05, 0.2, "too early to say"),
        (-math.inf, math.inf, "too early to say"),
    ],
)
def test_an_interval_beyond_the_margin_has_moved_one_within_has_not_and_any_other_says_nothing(low, high, verdict):
    assert Shift(0.0, low, high, 0.1).verdict == verdict


def test_the_interval_of_a_mean_is_students_and_that_of_a_difference_welchs():
    one, other = RNG.standard_normal(5), 2 + 3 * RNG.standard_normal(7)
    mean, between = mean_shift(one, 0.0, 0.02), shift_between(one, other, 0.0, 0.02)
    by_scipy = stats.ttest_1samp(one, 0).confidence_interval(0.98)
    assert (mean.low, mean.high) == pytest.approx(tuple(by_scipy))
    by_scipy = stats.ttest_ind(other, one, equal_var=False).confidence_interval(0.98)
    assert (between.low, between.high) == pytest.approx(tuple(by_scipy))


def test_of_two_studies_on_a_side_nothing_is_said_and_of_equal_values_all():
    assert mean_shift([1.0, 1.0], 0.0, 0.05).verdict == "too early to say"
    assert shift_between([0.0, 0.0], [9.0] * 5, 0.0, 0.05).verdict == "too early to say"
    assert shift_between([1.0] * 3, [1.0] * 3, 0.0, 0.05) == Shift(0.0, 0.0, 0.0, 0.0)
    assert interval_shift([(1.0, 0.9, 1.1)] * 2, [(5.0, 4.9, 5.1)] * 9, 0.0, 0.05).verdict == "too early to say"
    assert mean_shift([0.0] * 3, 0.0, 0.05).verdict == "did not move"


def test_the_interval_of_a_difference_of_shares_is_newcombes_own_example():
    shift = share_shift((48, 80), (56, 70), 0.0, 0.05)  # Newcombe 1998, table II (a), method 10, with the sign changed
    assert (shift.estimate, shift.low, shift.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_a_corrected_values_interval_is_not_narrowed_by_having_it_from_many_nights():
    night = (0.3, 0.2, 0.5)
    few, many = (interval_shift([night] * n, [night] * n, 0.0, 0.05) for n in (3, 30))
    assert (few.low, few.high) == pytest.approx((many.low, many.high))
    assert (few.low, few.high) == pytest.approx((-math.hypot(0.1, 0.2), math.hypot(0.1, 0.2)))
