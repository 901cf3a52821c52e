import numpy as np
import pytest

from engine.gradient_check import TOLERANCE, check_directional, check_full
from tests.engine.support.problem import costs, flatten, gradient_of_stack, random_problem, unflatten


@pytest.fixture(scope="module")
def network():
    """Cost, right gradient and parameters of a small deep network."""
    problem = random_problem(0, hidden_units=(4, 3), activation="tanh", head="binary")
    point, gradient = gradient_of_stack(problem, reduced=False)

    def cost(flat):
        return float(costs(unflatten(flat, point), problem, ~problem.held_out).sum())

    return cost, flatten(gradient), flatten(point)


def verdicts(network, gradient, seed=0):
    """Of the directional check and of the full one."""
    cost, _, theta = network
    generator = np.random.default_rng(seed)
    return check_directional(cost, gradient, theta, generator).is_right, check_full(cost, gradient, theta).is_right


def test_both_checks_give_the_numbers_of_a_hand_worked_cost():
    # J = t1^2 + 3 t2 at (2, 5): dJ = (4, 3), and central differences of a quadratic are exact
    def cost(t):
        return t[0] ** 2 + 3 * t[1]

    theta, gradient = np.array([2.0, 5.0]), np.array([4.0, 3.0])
    full = check_full(cost, gradient, theta)
    assert (full.analytic, full.numeric) == pytest.approx((5, 5), rel=1e-9)
    directional = check_directional(cost, gradient, theta, np.random.default_rng(0))
    assert directional.numeric == pytest.approx(directional.analytic, rel=1e-9)
    wrong = check_full(cost, np.array([0.0, 3.0]), theta)
    assert wrong.relative_error == pytest.approx(4 / (3 + 5), rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_right_gradient_is_accepted_along_any_direction(network, seed):
    assert verdicts(network, network[1], seed) == (True, True)


@pytest.mark.parametrize("factor", [1.0005, 0.9995, 1.001, -1, 0])
def test_a_gradient_wrong_by_a_factor_is_rejected(network, factor):
    assert verdicts(network, factor * network[1]) == (False, False)


@pytest.mark.parametrize("change", [-1, 0], ids=["sign flipped", "zeroed"])
def test_one_wrong_component_is_rejected_whichever_it_is(network, change):
    for index in range(network[1].size):
        wrong = network[1].copy()
        wrong[index] *= change
        assert verdicts(network, wrong) == (False, False), f"component {index}"


def test_two_exchanged_components_are_rejected(network):
    wrong = network[1].copy()
    wrong[[0, 1]] = wrong[[1, 0]]
    assert verdicts(network, wrong) == (False, False)


def test_a_zero_gradient_is_right_where_the_cost_is_flat():
    theta = np.ones(3)
    assert check_full(lambda _: 1.0, np.zeros(3), theta).is_right
    assert check_directional(lambda _: 1.0, np.zeros(3), theta, np.random.default_rng(0)).relative_error == 0


def test_the_tolerance_leaves_room_on_both_sides(network):
    cost, gradient, theta = network
    assert check_full(cost, gradient, theta).relative_error < TOLERANCE / 100
    assert check_full(cost, 1.0005 * gradient, theta).relative_error > TOLERANCE * 100
