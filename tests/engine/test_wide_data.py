"""More features than examples: trainings that leave the span of the examples, in the coordinates of X = Q R."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from engine.data import TrainingData
from engine.heads import HEADS
from engine.hyperparameters import Hyperparameters
from engine.network import forward
from engine.training import advance, finish, start
from tests.engine.support.problem import arrays_of, arrays_of_state, costs, flatten, random_problem

ADAMW = {"optimizer": "adamw", "learning_rate": 0.01}
LEAVING = {
    "adamw": ADAMW,
    "adamw, everything": ADAMW
    | {"minibatch_size": 4, "weight_decay": 0.05, "label_smoothing": 0.1, "is_averaged": True, "seed": (2,)},
    "gradient descent, minibatches": {"learning_rate": 0.1, "minibatch_size": 4},
}


def wide_problem(head="binary", m=14, n_features=30):
    return random_problem(9, n_features=n_features, m=m, n_networks=3, head=head)


def trained(problem, data, hyperparameters, n_iterations, record_at=()):
    state = start(problem.initial, data, problem.architecture)
    state, curve = advance(state, data, hyperparameters, n_iterations, record_at)
    return state, curve, finish(state, problem.initial, data, problem.architecture)


def test_wide_data_have_coordinates_in_an_orthonormal_basis_which_give_x_again():
    problem = wide_problem()
    data = TrainingData.of(problem.X, problem.Y, problem.held_out).unreduced
    Q, R = data.basis, data.scaled.with_ones[:-1]
    assert Q.shape == (30, 14)
    np.testing.assert_allclose(Q.T @ Q, np.eye(14), atol=1e-14)
    np.testing.assert_allclose(Q @ R, problem.X, atol=1e-13)
    assert (data.scaled.with_ones[-1] == 1).all()
    assert data.gram is None
    np.testing.assert_array_equal(data.scaled.rows, data.scaled.with_ones.T)
    assert data.n_features == 30


@pytest.mark.parametrize(("n_features", "is_rotated"), [(13, False), (14, False), (15, True)])
def test_data_are_rotated_only_if_there_are_more_features_than_examples(n_features, is_rotated):
    problem = wide_problem(n_features=n_features)
    unreduced = problem.data(reduced=True).unreduced
    assert (unreduced.basis is not None) is is_rotated
    if not is_rotated:
        for found, plain in zip(arrays_of(unreduced), arrays_of(problem.data(reduced=False)), strict=True):
            np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("way", LEAVING)
def test_full_weights_predict_from_x_what_the_stack_predicts_from_the_coordinates(way, head, dtype):
    problem = wide_problem(head)
    hyperparameters = Hyperparameters(problem.architecture, **LEAVING[way])
    data = hyperparameters.form_of(problem.data(reduced=True, dtype=dtype))
    assert data.basis is not None
    state, curve, parameters = trained(problem, data, hyperparameters, 60, [60])
    assert all(array.dtype == dtype for array in (*parameters.W, *parameters.b))
    Z, _ = forward(parameters, problem.X, problem.architecture)
    logits = np.take_along_axis(Z, data.validation_columns[:, np.newaxis], axis=2)
    tolerance = 1e-4 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(state.best.logits, logits, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(curve.validation_cost[0], costs(parameters, problem, problem.held_out), rtol=tolerance)


@pytest.mark.parametrize("way", LEAVING)
def test_no_iterations_give_back_the_initial_weights_bit_for_bit(way):
    problem = wide_problem()
    hyperparameters = Hyperparameters(problem.architecture, **LEAVING[way])
    data = hyperparameters.form_of(problem.data(reduced=True))
    _, _, found = trained(problem, data, hyperparameters, 0)
    np.testing.assert_array_equal(flatten(found), flatten(problem.initial))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("settings", [{}, {"optimizer": "momentum"}, {"label_smoothing": 0.2}])
def test_a_training_in_the_span_is_the_same_algorithm_reduced_rotated_and_plain(settings, head):
    problem = wide_problem(head)
    hyperparameters = Hyperparameters(problem.architecture, 0.05, **settings)
    reduced, plain = problem.data(reduced=True), problem.data(reduced=False)
    expected = flatten(trained(problem, plain, hyperparameters, 60)[2])
    for data in (reduced, reduced.unreduced):
        np.testing.assert_allclose(flatten(trained(problem, data, hyperparameters, 60)[2]), expected, atol=1e-11)


@pytest.mark.parametrize(
    "settings",
    [{"minibatch_size": 4}, {"optimizer": "momentum", "minibatch_size": 4, "seed": (5,)}, {"is_averaged": True}],
)
def test_minibatches_and_the_mean_of_iterates_are_the_same_algorithm_rotated_and_plain(settings):
    problem = wide_problem()
    hyperparameters = Hyperparameters(problem.architecture, 0.05, **settings)
    plain, rotated = problem.data(reduced=False), problem.data(reduced=True).unreduced
    expected = flatten(trained(problem, plain, hyperparameters, 60)[2])
    np.testing.assert_allclose(flatten(trained(problem, rotated, hyperparameters, 60)[2]), expected, atol=1e-11)


def test_weights_change_only_in_the_span_of_the_examples():
    problem = wide_problem()
    hyperparameters = Hyperparameters(problem.architecture, **LEAVING["adamw, everything"])
    data = hyperparameters.form_of(problem.data(reduced=True))
    _, _, found = trained(problem, data, hyperparameters, 40)
    step = found.W[0] - problem.initial.W[0]
    np.testing.assert_allclose(step @ data.basis @ data.basis.T, step, atol=1e-12)
    assert np.abs(step).max() > 0.1


@pytest.mark.parametrize("way", LEAVING)
def test_labels_of_held_out_columns_change_not_one_bit(way):
    # their pixels do take part: all examples span the coordinates
    problem = wide_problem()
    hyperparameters = Hyperparameters(problem.architecture, **LEAVING[way])
    states = []
    for Y in (problem.Y, np.where(problem.held_out[0], 1 - problem.Y, problem.Y)):
        changed = replace(problem, Y=Y)
        states.append(trained(changed, hyperparameters.form_of(changed.data(reduced=True)), hyperparameters, 30)[0])
    np.testing.assert_array_equal(states[0].theta[0], states[1].theta[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_features", [10, 30], ids=["as X", "rotated"])
def test_data_of_all_examples_keep_their_coordinates(n_features, dtype):
    problem = wide_problem(n_features=n_features)
    everything = problem.data(reduced=True, dtype=dtype).of_all_examples()
    expected = replace(problem, held_out=np.zeros((1, 14), bool)).data(reduced=True, dtype=dtype)
    for found, array in zip(arrays_of(everything), arrays_of(expected), strict=True):
        np.testing.assert_array_equal(found, array)
    assert (everything.unreduced.basis is not None) is (n_features == 30)
    assert everything.unreduced.n_networks == 1


@pytest.mark.parametrize("way", LEAVING)
def test_a_refit_on_all_examples_predicts_by_its_full_weights(way):
    problem = wide_problem()
    hyperparameters = Hyperparameters(problem.architecture, **LEAVING[way])
    data = hyperparameters.form_of(problem.data(reduced=True).of_all_examples())
    one = replace(
        problem,
        initial=type(problem.initial)(tuple(W[:1] for W in problem.initial.W), tuple(b[:1] for b in problem.initial.b)),
        held_out=data.held_out,
    )
    full_batch = replace(hyperparameters, minibatch_size=0, is_averaged=False)
    _, curve, parameters = trained(one, data, full_batch, 40, [40])
    np.testing.assert_allclose(curve.train_cost[0], costs(parameters, one, ~one.held_out), rtol=1e-11)


def test_a_size_that_is_a_full_batch_of_folds_and_a_minibatch_of_all_examples_has_a_form_for_both():
    problem = wide_problem()
    data = problem.data(reduced=True)
    n_fewest = int((~problem.held_out).sum(axis=1).min())
    hyperparameters = Hyperparameters(problem.architecture, 0.1, minibatch_size=n_fewest)
    assert hyperparameters.form_of(data) is data
    everything = hyperparameters.form_of(data.of_all_examples())
    assert everything.basis is not None
    one = replace(problem, initial=type(problem.initial)(
        tuple(W[:1] for W in problem.initial.W), tuple(b[:1] for b in problem.initial.b)
    ))  # fmt: skip
    assert np.isfinite(flatten(trained(one, everything, hyperparameters, 5)[2])).all()


DEGENERATE = {
    "duplicate columns": lambda X: X[:, np.arange(X.shape[1]) // 2],
    "constant features": lambda X: np.vstack([np.full_like(X[:20], 3), X[20:]]),
    "centred features": lambda X: X - X.mean(axis=1, keepdims=True),
    "one direction": lambda X: np.outer(X[:, 0], X[0]),
    "an all-zero column": lambda X: np.hstack([np.zeros_like(X[:, :1]), X[:, 1:]]),
    "large and small": lambda X: X * np.geomspace(1e6, 1e-6, len(X))[:, np.newaxis],
    "all zero": np.zeros_like,
}
RANKS = {
    "duplicate columns": 7, "constant features": 11, "centred features": 13, "one direction": 1,
    "an all-zero column": 13, "large and small": 14, "all zero": 0,
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("degenerate", DEGENERATE)
@pytest.mark.parametrize("way", LEAVING)
def test_examples_that_depend_on_each_other_are_trained_in_as_many_coordinates_as_their_rank(way, degenerate, dtype):
    problem = wide_problem("regression")
    problem = replace(problem, X=DEGENERATE[degenerate](problem.X))
    hyperparameters = Hyperparameters(problem.architecture, **LEAVING[way])
    data = hyperparameters.form_of(problem.data(reduced=True, dtype=dtype))
    assert data.basis.shape == (30, RANKS[degenerate])
    state, curve, parameters = trained(problem, data, hyperparameters, 60, range(0, 61, 20))
    assert all(np.isfinite(array).all() for array in arrays_of_state(state).values())
    assert np.isfinite(flatten(parameters)).all()
    assert np.isfinite(curve.validation_cost).all()


def test_adamw_does_not_walk_along_directions_in_which_examples_differ_by_rounding():
    # two twins in 30 features of 1e6, apart by rounding: only noise says in which direction
    problem = wide_problem("regression", m=6)
    X = 1e6 * problem.X[:, [0, 1, 2, 3, 4, 4]]
    X[:, 5] *= 1 + 1e-16 * np.arange(30)
    problem = replace(problem, X=X)
    hyperparameters = Hyperparameters(problem.architecture, **ADAMW)
    data = hyperparameters.form_of(problem.data(reduced=True))
    assert data.basis.shape == (30, 5)
    _, _, found = trained(problem, data, hyperparameters, 40)
    step = found.W[0] - problem.initial.W[0]
    apart = np.linalg.svd(X)[0][:, 5:]
    assert np.abs(step @ apart).max() < 1e-12


@given(
    seed=st.integers(0, 10**6),
    n_features=st.integers(2, 12),
    m=st.integers(2, 12),
    n_networks=st.integers(1, 3),
    head=st.sampled_from(list(HEADS)),
    degenerate=st.sampled_from(["as drawn", "duplicate columns", "one direction"]),
    settings=st.sampled_from([{}, {"minibatch_size": 2}, {"optimizer": "momentum"}]),
)
def test_rotated_training_is_plain_training_on_any_data(degenerate, settings, **sizes):
    problem = random_problem(hidden_units=(3,), **sizes)
    X = problem.X if degenerate == "as drawn" else DEGENERATE[degenerate](problem.X)
    problem = replace(problem, X=X)
    hyperparameters = Hyperparameters(problem.architecture, 0.02, **settings)
    plain, unreduced = problem.data(reduced=False), problem.data(reduced=True).unreduced
    one, other = (flatten(trained(problem, data, hyperparameters, 20)[2]) for data in (plain, unreduced))
    np.testing.assert_allclose(other, one, rtol=0, atol=1e-10 * (1 + np.abs(one).max()))
