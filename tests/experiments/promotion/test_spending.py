"""What a decision may spend: never more than the year's, whichever 365 days one looks at."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.promotion.spending import YEAR_SECONDS, allowance

DAY = 86400.0


def test_the_first_decision_may_spend_one_part_of_the_years():
    assert allowance([], 0.0, 0.05, 365).alpha == pytest.approx(0.05 / 365)


def test_after_as_many_decisions_as_were_planned_nothing_is_left_until_the_first_is_a_year_old():
    past = [(DAY * night, 0.05 / 10) for night in range(10)]
    spent = allowance(past, 20 * DAY, 0.05, 10)
    assert (spent.alpha, spent.free_at) == (0.0, YEAR_SECONDS)
    assert spent.spent == pytest.approx(0.05)
    assert allowance(past, YEAR_SECONDS + 1, 0.05, 10).alpha == pytest.approx(0.005)


def test_decisions_that_spent_nothing_and_those_of_a_clock_that_ran_ahead_count_as_what_they_are():
    assert allowance([(0.0, 0.0)] * 1000, DAY, 0.05, 10).alpha > 0
    assert allowance([(100 * DAY, 0.05)], DAY, 0.05, 10).alpha == 0


@settings(max_examples=50, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 40 * DAY), max_size=80),
    plans=st.lists(st.integers(1, 30), min_size=80, max_size=80),
)
def test_whatever_365_days_one_looks_at_they_spend_no_more_than_the_years(gaps, plans):
    """With a number of decisions a year that somebody keeps changing, too."""
    past, now = [], 0.0
    for gap, plan in zip(gaps, plans, strict=False):
        now += gap
        past.append((now, allowance(past, now, 0.05, plan).alpha))
    for end, _ in past:
        assert sum(alpha for at, alpha in past if end - YEAR_SECONDS < at <= end) <= 0.05 * (1 + 1e-6)
