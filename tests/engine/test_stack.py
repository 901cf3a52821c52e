from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import assume, given

from engine.activations import ACTIVATIONS
from engine.gradient_check import check_directional, check_full
from engine.heads import HEADS
from engine.hyperparameters import Hyperparameters
from engine.network import Parameters, forward
from engine.stack import Stack
from engine.training import advance, finish, start
from tests.engine.support.problem import (
    arrays_of,
    costs,
    flatten,
    gradient_of_stack,
    in_pieces,
    random_problem,
    smoothed,
    unflatten,
)


@pytest.mark.parametrize(
    ("n_networks", "is_cut"), [(1, False), (3, False), (3, True)], ids=["one", "three", "three in pieces"]
)
@pytest.mark.parametrize("form", ["plain", "reduced"])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    ("activation", "hidden_units"),
    [("identity", ())] + [(name, units) for name in ACTIVATIONS for units in [(3,), (2, 3, 2)]],
)
def test_backward_gives_the_gradient_of_the_readable_cost(activation, hidden_units, head, n_networks, form, is_cut):
    problem = random_problem(
        5, n_features=9, m=6, hidden_units=hidden_units, n_networks=n_networks, activation=activation, head=head
    )
    with in_pieces(is_cut):
        point, gradient = gradient_of_stack(problem, reduced=form == "reduced")

    def cost(flat):
        return float(costs(unflatten(flat, point), problem, ~problem.held_out).sum())

    assert np.linalg.norm(flatten(gradient)) > 1e-3, "a flat spot proves nothing"
    claim = flatten(gradient), flatten(point)
    directional, full = check_directional(cost, *claim, np.random.default_rng(2)), check_full(cost, *claim)
    assert directional.is_right, directional
    assert full.is_right, full


@pytest.mark.parametrize("label_smoothing", [0.1, 0.5])
@pytest.mark.parametrize("form", ["plain", "reduced"])
@pytest.mark.parametrize("head", HEADS)
def test_backward_gives_the_gradient_of_the_smoothed_cost(head, form, label_smoothing):
    problem = random_problem(5, n_features=9, m=8, n_networks=3, head=head)
    point, gradient = gradient_of_stack(problem, reduced=form == "reduced", label_smoothing=label_smoothing)
    is_classifier = HEADS[head].is_classifier  # a regression has no labels to smooth
    goal = replace(problem, Y=smoothed(problem.Y, label_smoothing) if is_classifier else problem.Y)

    def cost(flat):
        return float(costs(unflatten(flat, point), goal, ~problem.held_out).sum())

    claim = flatten(gradient), flatten(point)
    directional, full = check_directional(cost, *claim, np.random.default_rng(2)), check_full(cost, *claim)
    assert directional.is_right, directional
    assert full.is_right, full


@pytest.mark.parametrize("form", ["plain", "reduced"])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_gives_the_same_numbers_as_the_readable_forward(activation, head, form):
    problem = random_problem(1, n_features=9, m=6, n_networks=3, activation=activation, head=head)
    data = problem.data(reduced=form == "reduced")
    state = start(problem.initial, data, problem.architecture)
    stack = Stack(problem.architecture, data, state.theta.copy(), state.offset, state.settled, 1)
    Z, _ = forward(problem.initial, problem.X, problem.architecture)
    for parts, columns in ((stack.training, data.scaled.training_columns), (stack.validation, data.validation_columns)):
        (whole,) = parts
        whole.forward()
        # rounding only: sums of at most 10 products in another order
        np.testing.assert_allclose(
            whole.Z, np.take_along_axis(Z, columns[:, np.newaxis], axis=2), rtol=1e-12, atol=1e-13
        )


def test_one_iteration_agrees_with_the_hand_worked_example():
    # One feature, two examples x = 1, 2 with y = 1, 0; logistic regression from w = b = 0: a = 1/2,
    # dz = (-1/2, 1/2), dw = mean(dz x) = (-1/2 + 1) / 2 = 1/4, db = mean(dz) = 0.
    problem = random_problem(0, n_features=1, m=2, hidden_units=(), head="binary")
    problem = replace(
        problem,
        initial=Parameters.of_one_network([np.zeros((1, 1))], [np.zeros((1, 1))]),
        X=np.array([[1.0, 2.0]]),
        Y=np.array([[1.0, 0.0]]),
    )
    for reduced in (False, True):
        data = problem.data(reduced=reduced)
        state = start(problem.initial, data, problem.architecture)
        state, curve = advance(state, data, Hyperparameters(problem.architecture, 0.8), 1, [0])
        parameters = finish(state, problem.initial, data, problem.architecture)
        assert flatten(parameters) == pytest.approx([-0.2, 0])
        assert curve.train_cost == pytest.approx(np.log(2))


def training(problem, *, reduced, is_cut=False, n_iterations=20, learning_rate=0.02):
    """Full parameters of the F networks after some gradient descent."""
    data = problem.data(reduced=reduced)
    state = start(problem.initial, data, problem.architecture)
    with in_pieces(is_cut):
        state, _ = advance(state, data, Hyperparameters(problem.architecture, learning_rate), n_iterations)
    return finish(state, problem.initial, data, problem.architecture)


DEGENERATE = {
    "as drawn": lambda X: X,
    "rank-deficient": lambda X: np.outer(X[:, 0], X[0]),
    "duplicate columns": lambda X: X[:, np.arange(X.shape[1]) // 2],
    "a constant feature": lambda X: np.vstack([np.full_like(X[:1], 3), X[1:]]),
    "an all-zero feature": lambda X: np.vstack([np.zeros_like(X[:1]), X[1:]]),
    "an all-zero column": lambda X: np.hstack([np.zeros_like(X[:, :1]), X[:, 1:]]),
    "all zero": np.zeros_like,
}


@given(
    seed=st.integers(0, 10**6),
    n_features=st.integers(1, 12),
    m=st.integers(1, 12),
    hidden_units=st.lists(st.integers(1, 5), max_size=3).map(tuple),
    n_networks=st.integers(1, 3),
    activation=st.sampled_from(list(ACTIVATIONS)),
    head=st.sampled_from(list(HEADS)),
    degenerate=st.sampled_from(list(DEGENERATE)),
    is_cut=st.booleans(),
)
def test_reduced_training_is_plain_training_on_any_data(degenerate, is_cut, **sizes):
    """For m below, at and above n[0]; the first layer is put in the span of the examples whether that pays or not.

    Tolerance: the two forms sum the same products in another order, so they differ by rounding (1e-16) at every
    iteration; 20 iterations may amplify that, by far less than 1e6 at this learning rate. A ReLU's kink is no
    problem here: biases are drawn from a continuous distribution, so no Z comes within rounding of 0, where the two
    forms could take different branches. Where Z is exactly 0 in both (b = 0 above a dead layer), the textbook run
    holds them against each other.
    """
    problem = random_problem(**sizes)
    problem = replace(problem, X=DEGENERATE[degenerate](problem.X))
    plain, reduced = training(problem, reduced=False), training(problem, reduced=True, is_cut=is_cut)
    assume(np.abs(flatten(plain)).max() < 100)  # one that explodes multiplies its rounding without bound
    Z_plain, Z_reduced = (forward(found, problem.X, problem.architecture)[0] for found in (plain, reduced))
    scale = 1 + np.abs(Z_plain).max()
    np.testing.assert_allclose(Z_reduced, Z_plain, rtol=0, atol=1e-10 * scale)
    scale = 1 + np.abs(flatten(plain)).max()
    np.testing.assert_allclose(flatten(reduced), flatten(plain), rtol=0, atol=1e-10 * scale)


@given(
    seed=st.integers(0, 10**6),
    hidden_units=st.lists(st.integers(1, 5), max_size=3).map(tuple),
    n_networks=st.integers(2, 4),
    activation=st.sampled_from(list(ACTIVATIONS)),
    head=st.sampled_from(list(HEADS)),
    m=st.sampled_from([10, 250]),  # rows of so many examples are filled up to whole cache lines
    reduced=st.booleans(),
    is_cut=st.booleans(),
)
def test_a_fold_of_a_stack_is_the_same_network_trained_alone_on_its_own_columns(reduced, is_cut, n_networks, **sizes):
    """Tolerance: BLAS sums in another order for another shape; rounding, amplified by 20 iterations, as above."""
    problem = random_problem(n_networks=n_networks, **sizes)
    stacked = training(problem, reduced=reduced, is_cut=is_cut)
    for fold, held_out in enumerate(problem.held_out):
        alone = replace(
            problem,
            initial=Parameters(
                *(tuple(a[[fold]] for a in arrays) for arrays in (problem.initial.W, problem.initial.b))
            ),
            X=problem.X[:, ~held_out],
            Y=problem.Y[:, ~held_out],
            held_out=np.zeros((1, (~held_out).sum()), bool),
        )
        expected = flatten(training(alone, reduced=reduced))
        found = flatten(Parameters(*(tuple(a[[fold]] for a in arrays) for arrays in (stacked.W, stacked.b))))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * (1 + np.abs(expected).max()))


@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize("reduced", [False, True], ids=["plain", "reduced"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_held_out_columns_have_no_influence_on_training_to_the_last_bit(reduced, dtype, is_cut):
    # The second network holds out more, so that a column it holds out fills up; its dZ is multiplied by exactly 0.
    problem = random_problem(4, n_features=20, m=12, n_networks=2, activation="relu")
    held_out = np.zeros((2, 12), bool)
    held_out[0, [2, 3]] = held_out[1, [2, 3, 7, 11]] = True

    def trained(changed):
        data = changed.data(reduced=reduced, dtype=dtype)
        state = start(changed.initial, data, changed.architecture)
        with in_pieces(is_cut):
            state, _ = advance(state, data, Hyperparameters(changed.architecture, 0.1), 50)
        return finish(state, changed.initial, data, changed.architecture)

    problem = replace(problem, held_out=held_out)
    original = trained(problem)
    for network in range(2):
        X, Y = problem.X.copy(), problem.Y.copy()
        X[:, held_out[network]] *= -100
        Y[:, held_out[network]] = 1 - Y[:, held_out[network]]
        changed = trained(replace(problem, X=X, Y=Y))
        for one, other in zip((*original.W, *original.b), (*changed.W, *changed.b), strict=True):
            np.testing.assert_array_equal(one[network], other[network])


def test_coefficients_of_held_out_columns_stay_zero():
    problem = random_problem(4, n_features=20, m=12, n_networks=3)
    data = problem.data(reduced=True)
    state = start(problem.initial, data, problem.architecture)
    state, _ = advance(state, data, Hyperparameters(problem.architecture, 0.1), 10)
    stack = Stack(problem.architecture, data, state.theta, state.offset, state.settled, 1)
    C = data.spread(stack.theta[0])
    assert (C[np.broadcast_to(problem.held_out[:, None, :], C.shape)] == 0).all()
    assert (C[np.broadcast_to(~problem.held_out[:, None, :], C.shape)] != 0).all()


def test_an_iteration_does_not_touch_its_inputs():
    problem = random_problem(6, n_features=9, m=6, n_networks=2)
    for reduced in (False, True):
        data = problem.data(reduced=reduced)
        for array in arrays_of(data):
            array.flags.writeable = False  # as mapped from disk in a worker
        state = start(problem.initial, data, problem.architecture)
        advance(state, data, Hyperparameters(problem.architecture, 0.1), 3, range(4))
