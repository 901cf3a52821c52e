"""A trial's curves, and its value."""

import numpy as np
import pytest

from engine import Curve
from engine.curve import join
from engine.worker import Rung, run_rung
from sweeps.trials.space import Candidate
from sweeps.trials.trial import best_of
from tests.sweeps.support.small_sweep import small_problem


def curve(iterations, validation_cost, diverged_at=None):
    """Two folds; the other columns are multiples, to tell them apart."""
    cost = np.array(validation_cost, np.float64)
    return Curve(tuple(iterations), 2 * cost, cost, 3 * cost, 4 * cost, cost, diverged_at)


def test_the_value_is_the_lowest_mean_over_the_folds_and_its_iteration():
    assert best_of(curve([0, 10, 20, 30], [[9, 9], [1, 5], [4, 1], [2, 4]])) == (2.5, 20)


def test_of_two_equal_lows_the_earlier_one_counts():
    assert best_of(curve([0, 10, 20], [[5, 5], [1, 3], [3, 1]])) == (2.0, 10)


def test_an_untrained_network_may_be_the_best_one():
    assert best_of(curve([0, 10], [[1, 1], [2, 2]])) == (1.0, 0)


def test_curves_of_consecutive_rungs_become_one_in_every_column():
    joined = join([curve([0, 5], [[1, 2], [3, 4]]), curve([10], [[5, 6]], diverged_at=10)])
    assert joined.iterations == (0, 5, 10)
    np.testing.assert_array_equal(joined.validation_cost, [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(joined.train_cost, 2 * joined.validation_cost)
    np.testing.assert_array_equal(joined.train_accuracy, 3 * joined.validation_cost)
    np.testing.assert_array_equal(joined.validation_accuracy, 4 * joined.validation_cost)
    assert joined.diverged_at == 10


def test_a_trial_in_rungs_has_the_bits_of_the_trial_in_one_piece():
    problem, data = small_problem()
    hyperparameters = problem.hyperparameters(Candidate(0.1, 30, (4, 3), "tanh"), 0)
    whole = run_rung(Rung(hyperparameters, (1, 0), None, 30, (0, 10, 20, 30)), data)
    state, curves = None, []
    for end, record_at in ((10, (0, 10)), (20, (20,)), (30, (30,))):
        result = run_rung(Rung(hyperparameters, (1, 0), state, end, record_at), data)
        state = result.state
        curves.append(result.curve)
    np.testing.assert_array_equal(join(curves).validation_cost, whole.curve.validation_cost)
    np.testing.assert_array_equal(state.theta, whole.state.theta)


def test_a_curve_without_points_has_no_value():
    with pytest.raises(ValueError, match="empty"):
        best_of(Curve((), *(np.empty((0, 2)) for _ in range(5)), None))
