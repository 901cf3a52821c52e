"""Dropout: masks that depend on a seed and the iteration alone, and the gradient of the network that they leave."""

import numpy as np
import pytest

from engine import Hyperparameters, advance, finish, start
from engine.dropout import Dropout
from engine.errors import EngineError
from engine.gradient_check import check_full
from engine.heads import HEADS
from engine.network import Parameters
from engine.stack import Stack
from tests.engine.support.problem import Problem, random_problem

SEED = (3, 1)


def masks_of(iteration: int, share: float = 0.25, *, widths=(40, 30), m=200, seed=SEED, dtype=np.float32):
    dropout = Dropout(share, widths, m, dtype, seed)
    dropout.load(iteration)
    return [mask.copy() for mask in dropout.masks]


def test_a_share_of_the_units_is_left_out_and_the_others_make_up_for_them():
    for mask, width in zip(masks_of(0), (40, 30), strict=True):
        assert mask.shape == (width, 200)
        assert set(np.unique(mask)) == {0, np.float32(1 / 0.75)}
        assert (mask == 0).mean() == pytest.approx(0.25, abs=0.03)


def test_masks_depend_on_the_seed_and_the_iteration_and_on_nothing_before():
    dropout = Dropout(0.25, (40, 30), 200, np.float32, SEED)
    for iteration in (5, 0, 7):
        dropout.load(iteration)
    np.testing.assert_array_equal(np.vstack(dropout.masks), np.vstack(masks_of(7)))
    different = (
        np.mean(np.vstack(masks_of(7)) != np.vstack(masks_of(8))),
        np.mean(np.vstack(masks_of(7)) != np.vstack(masks_of(7, seed=(3, 2)))),
    )
    assert min(different) > 0.3


def in_words_of_the_textbook(problem: Problem, parameters: Parameters, masks: list[np.ndarray]) -> list[float]:
    """Mean loss of each network on the examples that it trains on, every A[l] multiplied by its mask."""
    g = {"tanh": np.tanh, "sigmoid": lambda z: 1 / (1 + np.exp(-z)), "relu": lambda z: np.maximum(z, 0)}
    costs = []
    for fold, held_out in enumerate(problem.held_out):
        A = problem.X[:, ~held_out]
        for layer, (W, b) in enumerate(zip(parameters.W, parameters.b, strict=True)):
            Z = W[fold] @ A + b[fold]
            if layer < len(masks):
                A = g[problem.architecture.activation](Z) * masks[layer][:, : Z.shape[1]]
        costs.append(float(HEADS[problem.architecture.head].losses(Z, problem.Y[:, ~held_out]).mean()))
    return costs


@pytest.mark.parametrize("head", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu"])
def test_the_gradient_is_the_derivative_of_the_cost_of_the_network_that_the_masks_leave(activation, head):
    problem = random_problem(1, n_networks=3, m=9, activation=activation, head=head)
    data = problem.data(reduced=False)
    state = start(problem.initial, data, problem.architecture)
    stack = Stack(problem.architecture, data, state.theta.copy(), None, None, 1.0, dropout=0.4, seed=SEED)
    stack.load(4)
    masks = [mask.copy() for mask in stack.dropout.masks]

    def cost(theta):
        moved = type(state)(0, theta.reshape(state.theta.shape), state.offset, state.settled)
        return sum(in_words_of_the_textbook(problem, finish(moved, problem.initial, data, problem.architecture), masks))

    for part in stack.training:
        part.forward()
        part.backward()
    check = check_full(cost, stack.flat_dtheta.ravel(), state.theta.ravel())
    assert check.is_right, check


@pytest.mark.parametrize(
    "how",
    [
        {"optimizer": "gradient_descent"},
        {"optimizer": "adamw", "minibatch_size": 4, "is_averaged": True},
        {"optimizer": "momentum", "weight_decay": 0.1},
    ],
)
@pytest.mark.parametrize("reduced", [False, True])
def test_a_shorter_training_is_the_first_part_of_a_longer_one_whatever_is_recorded(how, reduced):
    problem = random_problem(2, n_networks=2, m=12)
    data = problem.data(reduced=reduced)
    hyperparameters = Hyperparameters(problem.architecture, 0.1, dropout=0.3, seed=SEED, **how)
    data = hyperparameters.form_of(data)
    begin = start(problem.initial, data, problem.architecture)
    at_once, curve = advance(begin, data, hyperparameters, 30, range(0, 31, 10))
    half, _ = advance(begin, data, hyperparameters, 15, [3, 15])
    whole, later = advance(half, data, hyperparameters, 30, [20, 30])
    np.testing.assert_array_equal(whole.theta, at_once.theta)
    np.testing.assert_array_equal(later.validation_cost, curve.validation_cost[-2:])


def test_validation_and_prediction_use_every_unit():
    problem = random_problem(4, n_networks=2, m=12)
    data = problem.data(reduced=False)
    begin = start(problem.initial, data, problem.architecture)
    hyperparameters = Hyperparameters(problem.architecture, 0.1, dropout=0.5, seed=SEED)
    state, curve = advance(begin, data, hyperparameters, 10, [10])
    parameters = finish(state, problem.initial, data, problem.architecture)
    flipped = Problem(problem.architecture, problem.initial, problem.X, problem.Y, ~problem.held_out)
    ones = [np.ones((n, 12)) for n in problem.architecture.layer_sizes[1:-1]]
    expected = in_words_of_the_textbook(flipped, parameters, ones)
    np.testing.assert_allclose(curve.validation_cost[0], expected, rtol=1e-9)


def test_networks_without_hidden_layers_have_nothing_to_leave_out():
    problem = random_problem(5, hidden_units=(), n_networks=2)
    data = problem.data(reduced=False)
    begin = start(problem.initial, data, problem.architecture)
    ends = [
        advance(begin, data, Hyperparameters(problem.architecture, 0.1, dropout=share, seed=SEED), 10)[0].theta
        for share in (0.0, 0.5)
    ]
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_must_leave_something(share):
    with pytest.raises(EngineError, match="0 <= dropout < 1 must hold"):
        Hyperparameters(random_problem(0).architecture, 0.1, dropout=share)
