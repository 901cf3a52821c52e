import re

import numpy as np
import pytest

from engine.data import TrainingData
from engine.errors import EngineError
from engine.hyperparameters import Hyperparameters
from engine.training import advance, finish, start
from tests.engine.support.problem import assert_same_bits, flatten, random_problem

ARCHITECTURE = random_problem(0).architecture
LEAVES_SPAN = [
    {"optimizer": "adamw"},
    {"weight_decay": 0.01},
    {"is_averaged": True},
    {"minibatch_size": 4},
    {"optimizer": "momentum", "minibatch_size": 4},
]
STAYS_IN_SPAN = [
    {},
    {"optimizer": "momentum"},
    {"label_smoothing": 0.1},
    {"minibatch_size": 10},  # one network trains on 10 examples: that is all of them
]


def wide_data(dtype=np.float64, **options):
    """12 examples, of which the second network trains on 10."""
    held_out = np.arange(12) < np.array([[0], [2]])
    X = np.random.default_rng(0).standard_normal((20, 12))
    return TrainingData.of(X, np.ones((1, 12)), held_out, dtype, **options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0}, "learning_rate = 0. It must be finite and above 0"),
        ({"learning_rate": -0.1}, "learning_rate = -0.1. It must be finite and above 0"),
        ({"learning_rate": float("nan")}, "learning_rate = nan. It must be finite and above 0"),
        ({"learning_rate": float("inf")}, "learning_rate = inf. It must be finite and above 0"),
        ({"optimizer": "adam"}, "optimizer = 'adam' is unknown. It must be one of gradient_descent, momentum, adamw"),
        ({"minibatch_size": -1}, "minibatch_size = -1. It must be 0 or more; 0 is all examples."),
        ({"weight_decay": -0.1}, "weight_decay = -0.1. It must be finite, 0 or more; 0 is none."),
        ({"weight_decay": float("nan")}, "weight_decay = nan. It must be finite"),
        ({"weight_decay": float("inf")}, "weight_decay = inf. It must be finite"),
        ({"label_smoothing": 1.0}, "label_smoothing = 1.0. 0 <= label_smoothing < 1 must hold; 0 is none."),
        ({"label_smoothing": -0.1}, "label_smoothing = -0.1. 0 <= label_smoothing < 1 must hold"),
        ({"label_smoothing": float("nan")}, "label_smoothing = nan. 0 <= label_smoothing < 1 must hold"),
    ],
)
def test_a_value_that_no_training_can_have_is_refused(settings, message):
    with pytest.raises(EngineError, match=re.escape(message)):
        Hyperparameters(ARCHITECTURE, **({"learning_rate": 0.1} | settings))


@pytest.mark.parametrize("settings", STAYS_IN_SPAN)
def test_a_training_in_the_span_of_the_examples_is_given_the_reduced_form(settings):
    data = wide_data()
    assert Hyperparameters(ARCHITECTURE, 0.1, **settings).form_of(data) is data


@pytest.mark.parametrize("settings", LEAVES_SPAN)
def test_a_training_that_leaves_the_span_is_given_the_unreduced_form(settings):
    data = wide_data()
    hyperparameters = Hyperparameters(ARCHITECTURE, 0.1, **settings)
    form = hyperparameters.form_of(data)
    assert form is data.unreduced
    assert hyperparameters.form_of(form) is form


@pytest.mark.parametrize("settings", STAYS_IN_SPAN + LEAVES_SPAN)
def test_hyperparameters_say_whether_they_leave_the_span_of_so_many_examples(settings):
    hyperparameters = Hyperparameters(ARCHITECTURE, 0.1, **settings)
    assert hyperparameters.leaves_span(10) is (settings in LEAVES_SPAN)
    assert hyperparameters.leaves_span(11) is (settings in [*LEAVES_SPAN, {"minibatch_size": 10}])


@pytest.mark.parametrize("settings", LEAVES_SPAN)
def test_data_that_are_plain_have_one_form(settings):
    data = random_problem(0, m=20).data(reduced=False)
    assert Hyperparameters(ARCHITECTURE, 0.1, **settings).form_of(data) is data


@pytest.mark.parametrize("settings", LEAVES_SPAN)
def test_advance_refuses_the_reduced_form_for_a_training_that_leaves_the_span(settings):
    problem = random_problem(0, n_features=9, m=8)
    data = problem.data(reduced=True)
    state = start(problem.initial, data, problem.architecture)
    with pytest.raises(EngineError, match=r"first layer is reduced.*pass hyperparameters.form_of\(data\)"):
        advance(state, data, Hyperparameters(problem.architecture, 0.1, **settings), 1)


def test_data_prepared_for_trainings_in_the_span_are_refused_to_one_that_leaves_it():
    data = wide_data(leaves_span=False)
    problem = random_problem(0, n_features=20, n_networks=2)
    hyperparameters = Hyperparameters(problem.architecture, 0.1, "adamw")
    state = start(problem.initial, hyperparameters.form_of(data), problem.architecture)
    with pytest.raises(EngineError, match=r"which adamw with .*of data prepared with leaves_span = True"):
        advance(state, data, hyperparameters, 1)


@pytest.mark.parametrize("settings", STAYS_IN_SPAN)
def test_a_training_in_the_span_needs_no_unreduced_form(settings):
    problem = random_problem(0, n_features=20, n_networks=2)
    hyperparameters = Hyperparameters(problem.architecture, 0.1, **settings)
    trained = []
    for data in (wide_data(), wide_data(leaves_span=False)):
        form = hyperparameters.form_of(data)
        state, _ = advance(start(problem.initial, form, problem.architecture), form, hyperparameters, 60, [60])
        trained.append((state, finish(state, problem.initial, form, problem.architecture)))
    (with_it, expected), (without, found) = trained
    assert_same_bits(with_it, without)
    np.testing.assert_array_equal(flatten(found), flatten(expected))


@pytest.mark.parametrize(("size", "expected"), [(0, None), (1, 1), (9, 9), (10, None), (11, None), (1000, None)])
def test_as_many_examples_as_the_smallest_training_set_has_or_more_are_a_full_batch(size, expected):
    assert Hyperparameters(ARCHITECTURE, 0.1, minibatch_size=size).minibatch_of(wide_data()) == expected


@pytest.mark.parametrize("size", [0, 10, 500])
@pytest.mark.parametrize("optimizer", ["gradient_descent", "momentum", "adamw"])
def test_a_full_batch_by_its_size_gives_the_bits_of_one_without(optimizer, size):
    problem = random_problem(0, m=10)
    data = problem.data(reduced=False)
    state = start(problem.initial, data, problem.architecture)
    without, by_size = (
        advance(state, data, Hyperparameters(problem.architecture, 0.1, optimizer, minibatch_size), 20)[0]
        for minibatch_size in (0, size)
    )
    np.testing.assert_array_equal(without.theta, by_size.theta)


@pytest.mark.parametrize(
    ("settings", "is_textbook"),
    [({}, True), ({"minibatch_size": 4}, True), ({"label_smoothing": 0.1}, True)]
    + [({name: value}, False) for name, value in [("optimizer", "momentum"), ("optimizer", "adamw")]]
    + [({name: value}, False) for name, value in [("weight_decay", 0.1), ("is_averaged", True)]],
)
def test_an_update_is_the_textbooks_where_nothing_but_the_gradient_comes_into_it(settings, is_textbook):
    assert Hyperparameters(ARCHITECTURE, 0.1, **settings).is_textbook is is_textbook
