"""The networks of a stack where their mean validation cost was lowest; costs are tested in test_training.py."""

from dataclasses import replace

import numpy as np
import pytest

from engine.curve import best_point
from engine.data import TrainingData
from engine.heads import HEADS
from engine.hyperparameters import Hyperparameters
from engine.initialization import initialize
from engine.minibatches import Minibatches
from engine.network import Architecture, forward
from engine.objectives import Objective
from engine.training import advance, finish, start
from tests.engine.support.problem import assert_same_bits, costs, in_pieces, random_problem

RECORD_AT = tuple(range(0, 241, 12))  # settled in between, every 50 iterations

WAYS = {
    "textbook": {"learning_rate": 0.1},
    "momentum": {"learning_rate": 0.1, "optimizer": "momentum"},
    "adamw": {"learning_rate": 0.01, "optimizer": "adamw"},
    "adamw, averaged minibatches": {
        "learning_rate": 0.01, "optimizer": "adamw", "minibatch_size": 5, "is_averaged": True, "weight_decay": 0.01,
    },
}  # fmt: skip


def training_of(way, *, reduced, head="binary", held_out=None, dtype=np.float64):
    """A problem whose held-out examples are predicted better for a while, and then worse."""
    problem = random_problem(21, n_features=24, m=20, n_networks=3, head=head)
    X = problem.X.copy()
    X[:3] *= 3  # three features that matter, and noise
    noisy = X[:3] + 2 * np.random.default_rng(1).standard_normal((3, 20))
    Y = {
        "binary": noisy[:1] > 0,
        "multiclass": noisy.argmax(axis=0) == np.arange(3)[:, np.newaxis],
        "regression": noisy[:2],
    }
    problem = replace(problem, X=X, Y=Y[head].astype(np.float64))
    if held_out is not None:
        problem = replace(problem, held_out=held_out)
    problem = replace(problem, initial=type(problem.initial)(
        tuple(W[: len(problem.held_out)] for W in problem.initial.W),
        tuple(b[: len(problem.held_out)] for b in problem.initial.b),
    ))  # fmt: skip
    hyperparameters = Hyperparameters(problem.architecture, **WAYS[way])
    data = hyperparameters.form_of(problem.data(reduced=reduced, dtype=dtype))
    return problem, data, hyperparameters, start(problem.initial, data, problem.architecture)


CASES = pytest.mark.parametrize(
    ("way", "reduced"), [(way, False) for way in WAYS] + [("textbook", True), ("momentum", True), ("adamw", True)],
)  # fmt: skip


@CASES
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize("head", ["binary", "multiclass", "regression"])
def test_best_is_the_networks_and_their_held_out_logits_at_the_first_minimum(way, reduced, head, is_cut):
    problem, data, hyperparameters, begin = training_of(way, reduced=reduced, head=head)
    with in_pieces(is_cut):
        state, curve = advance(begin, data, hyperparameters, RECORD_AT[-1], RECORD_AT)
        assert state.best is not None
        first = int(curve.validation_cost.mean(axis=1).argmin())
        there, _ = advance(begin, data, hyperparameters, RECORD_AT[first])
    assert state.best.iteration == RECORD_AT[first]
    assert state.best.cost == curve.validation_cost.mean(axis=1)[first]

    best = finish(state.at_its_best, problem.initial, data, problem.architecture)
    expected = finish(there, problem.initial, data, problem.architecture)
    for found, array in zip((*best.W, *best.b), (*expected.W, *expected.b), strict=True):
        np.testing.assert_array_equal(found, array)
    Z, _ = forward(best, problem.X, problem.architecture)
    logits = np.take_along_axis(Z, data.validation_columns[:, np.newaxis], axis=2)
    np.testing.assert_allclose(state.best.logits, logits, rtol=1e-9, atol=1e-10)
    assert state.best.cost == pytest.approx(costs(best, problem, problem.held_out).mean(), rel=1e-9)


@pytest.mark.parametrize("head", ["binary", "multiclass", "regression"])
def test_at_least_half_of_these_trainings_are_at_their_best_in_between(head):
    found = []
    for way in WAYS:
        _, data, hyperparameters, begin = training_of(way, reduced=False, head=head)
        state, _ = advance(begin, data, hyperparameters, RECORD_AT[-1], RECORD_AT)
        found.append(state.best.iteration)
    in_between = [iteration for iteration in found if 0 < iteration < RECORD_AT[-1]]
    assert len(in_between) >= 2, f"{found}: a best that is the first or the last point proves little"


@CASES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_best_survives_rungs_bit_for_bit_wherever_they_end(way, reduced, dtype):
    _, data, hyperparameters, begin = training_of(way, reduced=reduced, dtype=dtype)
    at_once, _ = advance(begin, data, hyperparameters, RECORD_AT[-1], RECORD_AT)
    for boundary in (12, 60, 100, 228):
        state, _ = advance(begin, data, hyperparameters, boundary, RECORD_AT)
        state, _ = advance(state, data, hyperparameters, RECORD_AT[-1], RECORD_AT)
        assert_same_bits(at_once, state)
        assert (state.best.iteration, state.best.cost) == (at_once.best.iteration, at_once.best.cost)


def test_best_is_the_first_of_points_with_the_same_cost():
    problem, data, _, begin = training_of("textbook", reduced=False)
    hyperparameters = Hyperparameters(problem.architecture, 1e-300)  # no step is large enough to change anything
    state, curve = advance(begin, data, hyperparameters, 20, [5, 10, 20])
    assert len(np.unique(curve.validation_cost.mean(axis=1))) == 1
    assert state.best.iteration == 5


def test_best_is_not_changed_by_the_training_that_goes_on():
    _, data, hyperparameters, begin = training_of("textbook", reduced=True)
    state, _ = advance(begin, data, hyperparameters, 60, [60])
    kept = state.best.theta.copy(), state.best.settled.copy(), state.best.logits.copy()
    advance(state, data, hyperparameters, 120)
    for found, array in zip((state.best.theta, state.best.settled, state.best.logits), kept, strict=True):
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    "held_out", [np.zeros((1, 20), bool), np.arange(20) < np.array([[3], [5], [0]])],
    ids=["one network", "the third of three"],
)  # fmt: skip
def test_networks_of_which_one_holds_out_nothing_have_no_best(held_out):
    _, data, hyperparameters, begin = training_of("textbook", reduced=False, held_out=held_out)
    state, _ = advance(begin, data, hyperparameters, 24, RECORD_AT)
    assert state.best is None


def test_a_training_that_diverges_keeps_the_best_it_had():
    problem, data, _, begin = training_of("textbook", reduced=False, head="regression")
    state, curve = advance(begin, data, Hyperparameters(problem.architecture, 1e6), 240, RECORD_AT)
    assert curve.diverged_at is not None
    assert state.best.iteration == 0
    assert np.isfinite(state.best.theta).all()
    assert np.isfinite(state.best.logits).all()


def test_what_is_validated_is_the_average_and_what_is_trained_the_iterate():
    problem, data, hyperparameters, begin = training_of("adamw, averaged minibatches", reduced=False)
    state, curve = advance(begin, data, hyperparameters, 24, [24])
    iterate, average = (
        finish(replace(state, average=a), problem.initial, data, problem.architecture) for a in (None, state.average)
    )
    validation = [costs(parameters, problem, problem.held_out) for parameters in (average, iterate)]
    np.testing.assert_allclose(curve.validation_cost[0], validation[0], rtol=1e-9)
    assert (np.abs(validation[1] - validation[0]) > 1e-6).all(), "the two differ"
    np.testing.assert_array_equal(state.best.theta, state.average)


def test_the_training_cost_of_a_minibatch_is_that_of_the_next_one_by_labels_that_are_not_smoothed():
    problem = random_problem(3, m=20, n_networks=3)
    data = problem.data(reduced=False)
    hyperparameters = Hyperparameters(problem.architecture, 0.1, minibatch_size=5, label_smoothing=0.3, seed=(4,))
    state = start(problem.initial, data, problem.architecture)
    state, curve = advance(state, data, hyperparameters, 7, [7])
    there = finish(state, problem.initial, data, problem.architecture)
    minibatches = Minibatches(data, data.targets, np.ones((1, data.n_examples)), 5, (4,))
    minibatches.load(7)
    columns = (minibatches.inputs[:, :-1, :, np.newaxis] == problem.X[:, np.newaxis]).all(axis=1).any(axis=1)
    np.testing.assert_allclose(curve.train_cost[0], costs(there, problem, columns), rtol=1e-12)


@pytest.mark.parametrize("name", ["roc_auc", "accuracy", "balanced_cost"])
def test_the_best_networks_are_those_of_the_best_value_of_the_objective(name):
    rng = np.random.default_rng(8)
    X = rng.normal(size=(3, 60))
    Y = (X[:1] + rng.normal(size=(1, 60)) > 0.8).astype(float)
    held_out = np.arange(60) % 4 == np.arange(4)[:, np.newaxis]
    data = TrainingData.of(X, Y, held_out, np.float64, reduce=False)
    architecture, objective = Architecture(3, (6,), 1, "tanh", "binary"), Objective(name)
    initial = initialize(architecture, rng, np.float64)
    hyperparameters = Hyperparameters(architecture, 1.0)
    state, curve = advance(start(initial, data, architecture), data, hyperparameters, 60, range(61), objective)
    A = HEADS["binary"].outputs(state.best.logits)
    values = [
        objective.of(of_network[:, held[own]], Y[:, own[held[own]]])
        for of_network, held, own in zip(A, held_out, data.validation_columns, strict=True)
    ]
    assert state.best.value == pytest.approx(np.mean(values), rel=1e-12)
    means = curve.validation_value.mean(axis=1)
    best = means.max() if objective.is_higher_better else means.min()
    assert state.best.value == best
    equal = np.flatnonzero(means == best)
    lowest = equal[curve.validation_cost.mean(axis=1)[equal].argmin()]
    assert state.best.iteration == curve.iterations[lowest] == curve.iterations[best_point(curve, objective)]


def test_the_value_of_the_objective_cost_is_the_validation_cost():
    data, architecture = (
        TrainingData.of(np.eye(2), np.eye(2)[:1], np.eye(2, dtype=bool)),
        Architecture(2, (), 1, "relu", "binary"),
    )
    initial = initialize(architecture, np.random.default_rng(1), np.float64)
    _, curve = advance(start(initial, data, architecture), data, Hyperparameters(architecture, 0.1), 3, range(4))
    np.testing.assert_array_equal(curve.validation_value, curve.validation_cost)
