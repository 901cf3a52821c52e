"""What is the same for every trial of a sweep, and the little that is a trial's own."""

from itertools import product

import pytest

from engine.optimizers import OPTIMIZERS
from engine.worker import initial_parameters
from sweeps.configuration.search_space import FloatRange, SearchSpace
from sweeps.trials.problem import Problem
from sweeps.trials.space import Candidate
from tests.sweeps.support.small_sweep import small_problem


def test_a_candidate_becomes_the_network_of_the_problem():
    problem = Problem(30, 3, 100, 5, "multiclass", "float32", 7)
    hyperparameters = problem.hyperparameters(Candidate(0.01, 100, (20, 7), "relu"), 0)
    assert hyperparameters.learning_rate == 0.01
    assert hyperparameters.architecture.layer_sizes == (30, 20, 7, 3)
    assert (hyperparameters.architecture.activation, hyperparameters.architecture.head) == ("relu", "multiclass")


def test_every_trial_and_every_sweep_begins_at_weights_of_its_own():
    problem, data = small_problem()
    architecture = problem.hyperparameters(Candidate(0.1, 5, (4,), "tanh"), 0).architecture
    seeds = [
        problem.initial_seed(0),
        problem.initial_seed(1),
        Problem(3, 1, 30, 2, "regression", "", 2).initial_seed(0),
    ]
    weights = [initial_parameters(architecture, seed, data.dtype).W[0].ravel()[0] for seed in seeds]
    assert len(set(weights)) == 3


def test_points_of_a_curve_are_further_apart_where_a_look_at_all_examples_costs_many_iterations():
    problem = Problem(16, 26, 9000, 5, "multiclass", "float32", 1)

    def spacing(size):
        return problem.spacing(problem.hyperparameters(Candidate(0.1, 100, (), "relu", minibatch_size=size), 0))

    assert spacing(0) == spacing(9000) == spacing(20_000) == 1
    assert spacing(128) == 19  # 9000 examples forward, or 5 x 128 forward and back at three times the price: 4.7
    assert spacing(32) == 75


@pytest.mark.parametrize(
    ("optimizer", "size", "decay", "schedule"),
    list(product(OPTIMIZERS, (0, 99, 100), (0.0, 0.1), ("constant", "averaged"))),
)
def test_a_space_leaves_the_span_of_the_examples_if_a_candidate_of_it_does(optimizer, size, decay, schedule):
    problem = Problem(200, 1, 100, 5, "binary", "float32", 1)
    candidate = Candidate(0.1, 100, (), "relu", optimizer, size, decay, learning_rate_schedule=schedule)
    leaves_span = problem.hyperparameters(candidate, 0).leaves_span(100)
    fixed = {"minibatch_size": size, "learning_rate_schedule": schedule}
    assert problem.leaves_span(SearchSpace(optimizer=optimizer, weight_decay=decay, **fixed)) is leaves_span
    searched = {name: (value,) * 2 for name, value in fixed.items()}
    decays = FloatRange(low=decay / 2, high=decay) if decay else 0.0
    assert problem.leaves_span(SearchSpace(optimizer=[optimizer] * 2, weight_decay=decays, **searched)) is leaves_span


@pytest.mark.parametrize(
    "one_of_two",
    [
        {"optimizer": ["gradient_descent", "adamw"]},
        {"minibatch_size": [0, 32]},
        {"learning_rate_schedule": ["constant", "averaged"]},
    ],
)
def test_one_choice_that_leaves_the_span_is_enough(one_of_two):
    assert Problem(200, 1, 100, 5, "binary", "float32", 1).leaves_span(SearchSpace(**one_of_two))
    assert not Problem(200, 1, 100, 5, "binary", "float32", 1).leaves_span(SearchSpace())
