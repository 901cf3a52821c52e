"""Weight decay and the mean of the iterates."""

from math import comb

import numpy as np
import pytest

from engine.descent import ETA, Descent
from engine.hyperparameters import Hyperparameters
from engine.optimizers import OPTIMIZERS
from engine.stack import Stack, split
from engine.training import advance, start
from tests.engine.support.problem import random_problem


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weights_decay_by_alpha_lambda_an_update_whatever_the_optimizer_and_biases_do_not(optimizer):
    problem = random_problem(1, n_networks=2)
    data = problem.data(reduced=False)
    state = start(problem.initial, data, problem.architecture)
    theta = state.theta.copy()
    stack = Stack(problem.architecture, data, theta, None, None, 1)
    hyperparameters = Hyperparameters(problem.architecture, 0.1, optimizer=optimizer, weight_decay=0.5)
    descent = Descent(hyperparameters, theta, stack.flat_dtheta, stack.is_weight, None, None)
    for iteration in range(1, 11):
        stack.flat_dtheta[...] = 0
        descent.step(iteration)
    before = split(state.theta, problem.architecture, data)
    for found, initial in zip(split(theta, problem.architecture, data), before, strict=True):
        np.testing.assert_allclose(found[:, :, :-1], initial[:, :, :-1] * 0.95**10, rtol=1e-12)
        np.testing.assert_array_equal(found[:, :, -1], initial[:, :, -1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_mean_of_iterates_that_do_not_move_is_where_they_are(dtype):
    theta = np.random.default_rng(0).standard_normal((2, 5)).astype(dtype)
    average = np.zeros_like(theta)  # what it was before the first iterate plays no part
    hyperparameters = Hyperparameters(random_problem(0).architecture, 0.1, optimizer="adamw", is_averaged=True)
    gradient = np.zeros_like(theta)
    descent = Descent(hyperparameters, theta, gradient, np.ones(5, dtype), None, average)
    for iteration in range(1, 50):
        gradient[...] = 0
        descent.step(iteration)
        np.testing.assert_allclose(average, theta, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("n_iterations", [1, 2, 30])
def test_the_average_is_the_sum_of_all_iterates_weighted_by_binomial_coefficients(optimizer, n_iterations):
    # (eta + 1) / (t + eta) as the share of the newest iterate comes to the weights (t + eta - 1 over eta) of the t-th
    problem = random_problem(2, n_features=4, m=20, n_networks=2)
    data = problem.data(reduced=False)
    hyperparameters = Hyperparameters(
        problem.architecture, 0.05, optimizer=optimizer, minibatch_size=5, is_averaged=True
    )
    state = start(problem.initial, data, problem.architecture)
    iterates = []
    for iteration in range(1, n_iterations + 1):
        state, _ = advance(state, data, hyperparameters, iteration)
        iterates.append(state.theta)
    eta = int(ETA)
    weights = [comb(t + eta - 1, eta) for t in range(1, n_iterations + 1)]
    expected = sum(weight * theta for weight, theta in zip(weights, iterates, strict=True)) / sum(weights)
    np.testing.assert_allclose(state.average, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_averaging_changes_no_iterate(optimizer):
    problem = random_problem(2, n_features=4, m=20, n_networks=2)
    data = problem.data(reduced=False)
    state = start(problem.initial, data, problem.architecture)
    found = []
    for is_averaged in (False, True):
        hyperparameters = Hyperparameters(
            problem.architecture, 0.05, optimizer=optimizer, weight_decay=0.1, is_averaged=is_averaged
        )
        found.append(advance(state, data, hyperparameters, 30)[0])
    np.testing.assert_array_equal(found[0].theta, found[1].theta)
    assert found[0].average is None
