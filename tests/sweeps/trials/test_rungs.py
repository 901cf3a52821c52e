"""Where trials are judged, and where their costs are looked at."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from sweeps.trials.rungs import REDUCTION_FACTOR, Rungs


@st.composite
def rungs_and_iterations(draw, n=1):
    """A search's rungs and `n` numbers of iterations that its trials may have."""
    max_iterations = draw(st.integers(1, 10**6))
    numbers = [draw(st.integers(1, max_iterations)) for _ in range(n)]
    return Rungs(max_iterations), *numbers


@given(st.integers(1, 10**6))
@example(1)
@example(26)
@example(27)
@example(100)
@example(10**6)
def test_the_longest_curve_has_at_most_100_points(max_iterations):
    assert len(Rungs(max_iterations).points(max_iterations)) <= 100


@given(rungs_and_iterations())
def test_a_curve_begins_untrained_rises_to_its_own_end_and_has_at_most_100_points(drawn):
    rungs, n_iterations = drawn
    points = rungs.points(n_iterations)
    assert points[0] == 0
    assert points[-1] == n_iterations
    assert list(points) == sorted(set(points))
    assert len(points) <= 100


@given(rungs_and_iterations())
def test_the_end_of_every_rung_is_recorded(drawn):
    rungs, n_iterations = drawn
    assert set(rungs.ends(n_iterations)) <= set(rungs.points(n_iterations))


@given(rungs_and_iterations())
def test_rungs_rise_from_the_first_to_the_trials_own_end(drawn):
    rungs, n_iterations = drawn
    ends = rungs.ends(n_iterations)
    assert ends[0] >= 1
    assert ends[-1] == n_iterations
    assert list(ends) == sorted(set(ends))
    assert 1 <= rungs.first <= rungs.max_iterations
    assert ends[0] == min(rungs.first, n_iterations) or n_iterations < 1.5 * rungs.first


@given(rungs_and_iterations(n=2))
def test_two_trials_are_judged_at_the_same_iterations_until_the_shorter_nears_its_end(drawn):
    rungs, one, other = drawn
    shorter, longer = sorted((one, other))
    assert set(rungs.ends(shorter)[:-1]) <= set(rungs.ends(longer))
    common = {rungs.first * REDUCTION_FACTOR**rung for rung in range(4)}
    assert set(rungs.ends(longer)[:-1]) <= common


@given(rungs_and_iterations(n=2))
def test_a_shorter_curve_has_the_points_of_the_beginning_of_a_longer_one(drawn):
    rungs, one, other = drawn
    shorter, longer = sorted((one, other))
    own_ends = {*rungs.ends(shorter), *rungs.ends(longer)}
    beginning = {i for i in rungs.points(longer) if i <= shorter}
    assert beginning - own_ends == set(rungs.points(shorter)) - own_ends


def test_the_rungs_of_the_default_search_by_hand():
    rungs = Rungs(3000)
    assert rungs.first == 111  # 3000 / 27
    assert rungs.ends(100) == (100,)
    assert rungs.ends(166) == (166,)  # 55 more iterations are less than half of 111
    assert rungs.ends(167) == (111, 167)
    assert rungs.ends(500) == (111, 333, 500)
    assert rungs.ends(3000) == (111, 333, 999, 3000)


def test_a_search_of_one_iteration_has_one_rung():
    assert Rungs(1).ends(1) == (1,)
    assert Rungs(1).points(1) == (0, 1)


@given(rungs_and_iterations(), st.integers(1, 10**4))
def test_points_are_as_far_apart_as_asked_for_but_at_the_ends_of_rungs(drawn, spacing):
    rungs, n_iterations = drawn
    points = rungs.points(n_iterations, spacing)
    assert (points[0], points[-1]) == (0, n_iterations)
    assert set(points) <= set(rungs.points(n_iterations))
    between = [point for point in points if point not in rungs.ends(n_iterations)]
    assert all(later - earlier >= spacing for earlier, later in pairwise(between))
    if spacing == 1:
        assert points == rungs.points(n_iterations)
