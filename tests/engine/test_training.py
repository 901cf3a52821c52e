import itertools
import os
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from engine.activations import ACTIVATIONS
from engine.data import TrainingData
from engine.errors import EngineError, ShapeError
from engine.heads import HEADS
from engine.hyperparameters import Hyperparameters
from engine.network import Architecture, Parameters, forward
from engine.training import advance, finish, start
from tests.conftest import REPOSITORY
from tests.engine.support.problem import arrays_of, costs, digest_of_a_training, in_pieces, random_problem

# fmt: off
GOLDEN_COSTS = [
    0.771749, 0.672053, 0.648263, 0.611507, 0.567047, 0.540138, 0.527930, 0.465477, 0.369126, 0.391747,
    0.315187, 0.272700, 0.237419, 0.199601, 0.189263, 0.161189, 0.148214, 0.137775, 0.129740, 0.121225,
    0.113821, 0.107839, 0.102855, 0.100897, 0.092878,
]
# fmt: on


@pytest.fixture(scope="module")
def cats(cats_directory):
    """X (12288, m) in [0, 1] and Y (1, m) of the course's images, by subset."""
    subsets = {}
    for subset in ("train", "test"):
        with h5py.File(cats_directory / f"{subset}_catvnoncat.h5") as file:
            X = file[f"{subset}_set_x"][()].reshape(len(file[f"{subset}_set_x"]), -1).T / 255
            subsets[subset] = X, file[f"{subset}_set_y"][()].reshape(1, -1).astype(float)
    return subsets


TEXTBOOK = Architecture(12288, (20, 7, 5), 1, "relu", "binary")


def textbook_parameters():
    random = np.random.RandomState(1)  # the course's generator
    W = []
    for fan_in, n_units in itertools.pairwise(TEXTBOOK.layer_sizes):
        W.append(random.randn(n_units, fan_in) / np.sqrt(fan_in))
    return Parameters.of_one_network(W, [np.zeros((n, 1)) for n in TEXTBOOK.layer_sizes[1:]])


def textbook_training(cats, n_iterations, record_at, *, reduce):
    X, Y = cats["train"]
    data = TrainingData.of(X, Y, np.zeros((1, X.shape[1]), bool), reduce=reduce)
    assert (data.gram is not None) is reduce
    initial = textbook_parameters()
    state = start(initial, data, TEXTBOOK)
    state, curve = advance(state, data, Hyperparameters(TEXTBOOK, 0.0075), n_iterations, record_at)
    return finish(state, initial, data, TEXTBOOK), curve


def accuracy(parameters, X, Y):
    _, A = forward(parameters, X, TEXTBOOK)
    return np.mean((A[0] >= 0.5) == (Y >= 0.5))


def test_textbook_run_gives_the_courses_costs_and_accuracies(cats):
    parameters, curve = textbook_training(cats, 2500, range(0, 2500, 100), reduce=True)
    assert curve.train_cost[:, 0].round(6).tolist() == GOLDEN_COSTS
    assert accuracy(parameters, *cats["train"]) == pytest.approx(0.985646, abs=5e-7)
    assert accuracy(parameters, *cats["test"]) == pytest.approx(0.80, abs=1e-12)


def test_reduced_textbook_run_is_the_plain_one_to_1e_9_over_its_first_300_iterations(cats):
    _, plain = textbook_training(cats, 300, range(301), reduce=False)
    _, reduced = textbook_training(cats, 300, range(301), reduce=True)
    np.testing.assert_allclose(reduced.train_cost, plain.train_cost, rtol=1e-9)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("head", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("reduced", [False, True], ids=["plain", "reduced"])
def test_training_agrees_with_scikit_learn(activation, head, reduced):
    ours = {"logistic": "sigmoid"}.get(activation, activation)
    problem = random_problem(11, n_features=14, m=12, hidden_units=(5, 4), activation=ours, head=head)
    rows = problem.X.T
    theirs = (MLPRegressor if head == "regression" else MLPClassifier)(
        hidden_layer_sizes=(5, 4), activation=activation, solver="sgd", learning_rate_init=0.1, alpha=0, momentum=0,
        nesterovs_momentum=False, batch_size=12, shuffle=False, random_state=0,
    )  # fmt: skip
    targets = {"binary": problem.Y[0], "multiclass": problem.Y.argmax(axis=0), "regression": problem.Y.T}[head]
    if head == "regression":
        theirs.partial_fit(rows, targets)
    else:
        theirs.partial_fit(rows, targets, classes=np.unique(targets))

    problem = replace(
        problem,
        initial=Parameters.of_one_network(
            [W.T.copy() for W in theirs.coefs_], [b[:, np.newaxis].copy() for b in theirs.intercepts_]
        ),
    )
    for _ in range(50):
        theirs.partial_fit(rows, targets)
    data = problem.data(reduced=reduced)
    learning_rate = 0.1 / 2 if head == "regression" else 0.1  # scikit-learn's squared loss is (a - y)^2 / 2
    state, _ = advance(
        start(problem.initial, data, problem.architecture),
        data,
        Hyperparameters(problem.architecture, learning_rate),
        50,
    )
    found = finish(state, problem.initial, data, problem.architecture)
    for W, b, coefficients, intercepts in zip(found.W, found.b, theirs.coefs_, theirs.intercepts_, strict=True):
        np.testing.assert_allclose(W[0], coefficients.T, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(b[0, :, 0], intercepts, rtol=1e-9, atol=1e-11)


HOLDING_OUT = {
    "at random": None,
    "five folds of a size": np.arange(15) % 5 == np.arange(5)[:, np.newaxis],
    "four folds that differ by one": np.arange(15) % 4 == np.arange(4)[:, np.newaxis],
    "a fifth": np.arange(15)[np.newaxis] % 5 == 0,
    "nothing": np.zeros((1, 15), bool),
    "some of two networks and nothing of a third": np.arange(15) < np.array([[2], [7], [0]]),
}


@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "in pieces"])
@pytest.mark.parametrize("holding_out", HOLDING_OUT)
@pytest.mark.parametrize("reduced", [False, True], ids=["plain", "reduced"])
@pytest.mark.parametrize("head", ["binary", "multiclass", "regression", "nonnegative_regression"])
def test_recorded_costs_are_those_of_the_readable_forward_pass(head, reduced, holding_out, is_cut):
    held_out = HOLDING_OUT[holding_out]
    problem = random_problem(2, n_features=9, m=15, n_networks=3 if held_out is None else len(held_out), head=head)
    problem = problem if held_out is None else replace(problem, held_out=held_out)
    data = problem.data(reduced=reduced)
    hyperparameters = Hyperparameters(problem.architecture, 0.1)
    state = start(problem.initial, data, problem.architecture)
    with in_pieces(is_cut):
        _, curve = advance(state, data, hyperparameters, 60, [0, 7, 60])  # settled in between
    assert curve.iterations == (0, 7, 60)
    for point, iteration in enumerate(curve.iterations):
        there, _ = advance(state, data, hyperparameters, iteration)
        parameters = finish(there, problem.initial, data, problem.architecture)
        np.testing.assert_allclose(curve.train_cost[point], costs(parameters, problem, ~problem.held_out), rtol=1e-12)
        np.testing.assert_allclose(
            curve.validation_cost[point], costs(parameters, problem, problem.held_out), rtol=1e-12
        )


@pytest.mark.parametrize("reduced", [False, True], ids=["plain", "reduced"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("holding_out", [name for name, held_out in HOLDING_OUT.items() if held_out is not None])
def test_columns_that_fill_up_a_cache_line_change_nothing_but_rounding(holding_out, dtype, reduced, monkeypatch):
    held_out = HOLDING_OUT[holding_out]
    problem = replace(random_problem(4, n_features=9, m=15, n_networks=len(held_out)), held_out=held_out)
    hyperparameters = Hyperparameters(problem.architecture, 0.1)

    def trained():
        data = problem.data(reduced=reduced, dtype=dtype)
        state = start(problem.initial, data, problem.architecture)
        state, curve = advance(state, data, hyperparameters, 60, [0, 60])
        return data, finish(state, problem.initial, data, problem.architecture), curve

    data, parameters, curve = trained()
    monkeypatch.setattr("engine.folds.MIN_FILLED", 1)
    filled_data, filled_parameters, filled_curve = trained()
    assert data.scaled.training.shape[-1] < filled_data.scaled.training.shape[-1] == 16
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for filled, unfilled in zip(filled_parameters.W, parameters.W, strict=True):
        np.testing.assert_allclose(filled, unfilled, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(filled_curve.train_cost, curve.train_cost, rtol=tolerance)
    np.testing.assert_allclose(filled_curve.validation_cost, curve.validation_cost, rtol=tolerance)
    np.testing.assert_array_equal(filled_curve.train_accuracy, curve.train_accuracy)


def test_recorded_accuracies_count_the_right_answers_of_each_subset():
    problem = random_problem(3, n_features=2, m=20, n_networks=2, head="multiclass")
    data = problem.data(reduced=False)
    state = start(problem.initial, data, problem.architecture)
    _, curve = advance(state, data, Hyperparameters(problem.architecture, 0.1), 0, [0])
    Z, _ = forward(problem.initial, problem.X, problem.architecture)
    for fold, held_out in enumerate(problem.held_out):
        right = [Z[fold, :, j].argmax() == problem.Y[:, j].argmax() for j in range(20)]
        assert curve.train_accuracy[0, fold] == np.mean([r for r, h in zip(right, held_out, strict=True) if not h])
        assert curve.validation_accuracy[0, fold] == np.mean([r for r, h in zip(right, held_out, strict=True) if h])


def test_a_training_leaves_settings_of_numpy_as_they_were():
    problem = random_problem(0)
    data = problem.data(reduced=False)
    before = np.getbufsize(), np.geterr()
    advance(start(problem.initial, data, problem.architecture), data, Hyperparameters(problem.architecture, 0.1), 2)
    assert (np.getbufsize(), np.geterr()) == before


def test_a_curve_has_nan_where_there_is_nothing_to_measure():
    problem = random_problem(0, head="regression")
    state = start(problem.initial, problem.data(reduced=False), problem.architecture)
    _, curve = advance(state, problem.data(reduced=False), Hyperparameters(problem.architecture, 0.1), 1, [1])
    assert np.isfinite(curve.train_cost).all()
    assert np.isnan(curve.validation_cost).all()
    assert np.isnan(curve.train_accuracy).all()


def test_training_without_recording_gives_an_empty_curve():
    problem = random_problem(0, n_networks=3)
    data = problem.data(reduced=False)
    state = start(problem.initial, data, problem.architecture)
    recorded, _ = advance(state, data, Hyperparameters(problem.architecture, 0.1), 10, range(11))
    silent, curve = advance(state, data, Hyperparameters(problem.architecture, 0.1), 10)
    assert curve.iterations == ()
    assert curve.train_cost.shape == (0, 3)
    np.testing.assert_array_equal(silent.theta, recorded.theta)


@pytest.mark.parametrize("reduced", [False, True], ids=["plain", "reduced"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("boundary", "is_cut"),
    [(100, False), (70, False), (49, False), (51, False), (70, True)],
    ids=["rungs at 100", "rungs at 70", "rungs at 49", "rungs at 51", "rungs at 70, in pieces"],
)
def test_training_in_rungs_gives_the_same_bits_as_training_at_once(boundary, reduced, dtype, is_cut):
    problem = random_problem(8, n_features=30, m=20, n_networks=3, activation="relu")
    data = problem.data(reduced=reduced, dtype=dtype)
    hyperparameters = Hyperparameters(problem.architecture, 0.1)
    state = start(problem.initial, data, problem.architecture)
    with in_pieces(is_cut):
        at_once, curve = advance(state, data, hyperparameters, 250, range(0, 251, 50))
        first, first_curve = advance(state, data, hyperparameters, boundary, range(0, boundary, 50))
        second, second_curve = advance(first, data, hyperparameters, 250, range(0, 251, 50))
    assert at_once.iteration == second.iteration == 250
    np.testing.assert_array_equal(at_once.theta, second.theta)
    if reduced:
        np.testing.assert_array_equal(at_once.settled, second.settled)
    assert first_curve.iterations + second_curve.iterations == curve.iterations
    np.testing.assert_array_equal(np.vstack([first_curve.train_cost, second_curve.train_cost]), curve.train_cost)


def test_advance_changes_none_of_its_arguments_and_repeats_itself():
    problem = random_problem(8, n_features=30, m=20, n_networks=2)
    data = problem.data(reduced=True)
    state = start(problem.initial, data, problem.architecture)
    kept = replace(state, theta=state.theta.copy(), offset=state.offset.copy(), settled=state.settled.copy())
    for array in (state.theta, state.offset, state.settled, *arrays_of(data)):
        array.flags.writeable = False
    one, one_curve = advance(state, data, Hyperparameters(problem.architecture, 0.1), 60, [10, 60])
    two, two_curve = advance(state, data, Hyperparameters(problem.architecture, 0.1), 60, [10, 60])
    np.testing.assert_array_equal(state.theta, kept.theta)
    np.testing.assert_array_equal(state.offset, kept.offset)
    np.testing.assert_array_equal(state.settled, kept.settled)
    assert state.iteration == 0
    np.testing.assert_array_equal(one.theta, two.theta)
    np.testing.assert_array_equal(one_curve.train_cost, two_curve.train_cost)


def test_another_process_gives_the_same_bits():
    program = "from tests.engine.support.problem import digest_of_a_training; print(digest_of_a_training())"
    answers = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    ]
    assert answers == [digest_of_a_training()] * 2


def test_global_random_state_is_neither_read_nor_changed():
    before = np.random.get_state()  # noqa: NPY002 - the legacy state is what must stay as it is
    digest_of_a_training()
    after = np.random.get_state()  # noqa: NPY002
    np.testing.assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize("reduced", [False, True], ids=["plain", "reduced"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_stays_in_its_dtype_and_costs_are_float64(reduced, dtype):
    problem = random_problem(8, n_features=9, m=6)
    data = problem.data(reduced=reduced, dtype=dtype)
    state = start(problem.parameters(np.float64), data, problem.architecture)
    state, curve = advance(state, data, Hyperparameters(problem.architecture, 0.1), 5, [5])
    parameters = finish(state, problem.initial, data, problem.architecture)
    assert state.theta.dtype == dtype
    assert all(array.dtype == dtype for array in (*parameters.W, *parameters.b))
    assert curve.train_cost.dtype == curve.validation_accuracy.dtype == np.float64


@pytest.mark.parametrize("reduced", [False, True], ids=["plain", "reduced"])
@pytest.mark.parametrize("head", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("activation", ["leaky_relu", "identity"])
def test_divergence_is_reported_where_it_is_seen_and_raises_nothing(activation, head, reduced):
    problem = random_problem(1, n_features=9, m=14, hidden_units=(4, 3, 3), activation=activation, head=head)
    problem = replace(problem, X=1e6 * problem.X)
    data = problem.data(reduced=reduced, dtype=np.float32)
    state = start(problem.initial, data, problem.architecture)
    state, curve = advance(state, data, Hyperparameters(problem.architecture, 1e12), 200, range(0, 201, 10))
    assert curve.diverged_at == curve.iterations[-1] == state.iteration < 200
    assert not np.isfinite(curve.train_cost[-1]).all()
    assert np.isfinite(curve.train_cost[:-1]).all()


@pytest.mark.parametrize("learning_rate", [1, 1e6, 1e12, 1e30, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_learning_rate_raises_or_warns(learning_rate, dtype):
    # a network may also die, and stay where it is with a finite cost
    for seed, (activation, head) in enumerate(itertools.product(ACTIVATIONS, HEADS)):
        problem = random_problem(seed, n_features=9, m=6, activation=activation, head=head)
        data = problem.data(reduced=seed % 2 == 0, dtype=dtype)
        state = start(problem.initial, data, problem.architecture)
        _, curve = advance(state, data, Hyperparameters(problem.architecture, learning_rate), 20, range(21))
        assert (curve.diverged_at is None) == bool(np.isfinite(curve.train_cost).all())


def test_explicit_parameters_may_be_one_network_for_all_folds_or_one_a_fold():
    problem = random_problem(1, n_networks=3)
    data = problem.data(reduced=True)
    one = Parameters(tuple(W[:1] for W in problem.initial.W), tuple(b[:1] for b in problem.initial.b))
    thrice = Parameters(tuple(np.repeat(W, 3, 0) for W in one.W), tuple(np.repeat(b, 3, 0) for b in one.b))
    found = []
    for initial in (one, thrice):
        state, _ = advance(
            start(initial, data, problem.architecture), data, Hyperparameters(problem.architecture, 0.1), 20
        )
        found.append(finish(state, initial, data, problem.architecture))
    for first, second in zip((*found[0].W, *found[0].b), (*found[1].W, *found[1].b), strict=True):
        np.testing.assert_array_equal(first, second)


def test_zero_iterations_give_back_the_initial_parameters():
    problem = random_problem(1, n_features=9, m=6, n_networks=2)
    for reduced in (False, True):
        data = problem.data(reduced=reduced)
        state, _ = advance(
            start(problem.initial, data, problem.architecture), data, Hyperparameters(problem.architecture, 1), 0
        )
        parameters = finish(state, problem.initial, data, problem.architecture)
        for found, given in zip((*parameters.W, *parameters.b), (*problem.initial.W, *problem.initial.b), strict=True):
            np.testing.assert_array_equal(found, given)
            assert not np.shares_memory(found, state.theta)


def test_training_backwards_is_refused():
    problem = random_problem(0)
    data, hyperparameters = problem.data(reduced=False), Hyperparameters(problem.architecture, 0.1)
    state, _ = advance(start(problem.initial, data, problem.architecture), data, hyperparameters, 10)
    with pytest.raises(EngineError, match="n_iterations = 5, but the state has done 10"):
        advance(state, data, hyperparameters, 5)


def test_start_refuses_parameters_and_data_that_do_not_fit():
    problem = random_problem(0, n_networks=2)
    other = random_problem(0, n_features=4)
    with pytest.raises(ShapeError, match=r"4 features and 1 outputs.*n\[0\] = 3"):
        start(problem.initial, other.data(reduced=False), problem.architecture)
    with pytest.raises(ShapeError, match="2 networks for 1 folds"):
        start(problem.initial, random_problem(0).data(reduced=False), problem.architecture)
    with pytest.raises(ShapeError, match=r"W\[1\] has shape"):
        start(other.initial, problem.data(reduced=False), problem.architecture)


@pytest.mark.parametrize("head", list(HEADS))
@pytest.mark.parametrize("reduce", [False, True])
def test_an_example_of_weight_2_is_two_examples(head, reduce):
    rng = np.random.default_rng(3)
    m, n_outputs = 12, 3 if head == "multiclass" else 1
    X, times = rng.normal(size=(4, m)), rng.integers(1, 4, m)
    y = rng.integers(0, 2 + (head == "multiclass"), m)
    Y = np.eye(3)[:, y] if head == "multiclass" else (y + (0.5 if "regression" in head else 0.0))[np.newaxis]
    held_out = (np.arange(m) % 4 == np.arange(4)[:, np.newaxis]).astype(bool)
    architecture = Architecture(4, (5,), n_outputs, "tanh", head)
    initial = arrays_of_initial(architecture, rng)
    hyperparameters = Hyperparameters(architecture, 0.2)
    repeat = np.repeat(np.arange(m), times)

    def trained(data):
        state, curve = advance(start(initial, data, architecture), data, hyperparameters, 15, range(16))
        return finish(state, initial, data, architecture), curve

    weights = np.stack([times, times]).astype(float)
    weighted, curve = trained(TrainingData.of(X, Y, held_out, reduce=reduce).weighted(weights))
    repeated, expected = trained(TrainingData.of(X[:, repeat], Y[:, repeat], held_out[:, repeat], reduce=reduce))
    for found, other in zip([*weighted.W, *weighted.b], [*repeated.W, *repeated.b], strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-9, atol=1e-12)
    for name in ("train_cost", "validation_cost", "train_accuracy", "validation_accuracy"):
        np.testing.assert_allclose(getattr(curve, name), getattr(expected, name), rtol=1e-9)


def arrays_of_initial(architecture, rng):
    sizes = architecture.layer_sizes
    W = [rng.normal(size=(n, fan_in)) / np.sqrt(fan_in) for fan_in, n in itertools.pairwise(sizes)]
    return Parameters.of_one_network(W, [np.zeros((n, 1)) for n in sizes[1:]])


@pytest.mark.parametrize("optimizer", ["gradient_descent", "adamw"])
@pytest.mark.parametrize("minibatch_size", [0, 3])
def test_equal_weights_change_no_bit(optimizer, minibatch_size):
    rng = np.random.default_rng(4)
    X, Y = rng.normal(size=(4, 20)), rng.integers(0, 2, (1, 20)).astype(float)
    held_out = np.arange(20) % 5 == np.arange(5)[:, np.newaxis]
    architecture = Architecture(4, (5,), 1, "relu", "binary")
    initial = arrays_of_initial(architecture, rng)
    hyperparameters = Hyperparameters(architecture, 0.01, optimizer, minibatch_size, seed=(1,))

    def trained(weights):
        data = TrainingData.of(X, Y, held_out, np.float32, reduce=False).weighted(weights)
        return advance(start(initial, data, architecture), data, hyperparameters, 12, range(13))

    (plain, curve), (weighted, same_curve) = trained(None), trained(np.array([[0.5], [1.0]]) * np.ones((2, 20)))
    np.testing.assert_array_equal(weighted.theta, plain.theta)
    np.testing.assert_array_equal(same_curve.validation_cost, curve.validation_cost)
    np.testing.assert_array_equal(same_curve.train_cost, curve.train_cost)


def test_an_example_without_weight_is_not_there_for_minibatches():
    rng = np.random.default_rng(6)
    X, Y = rng.normal(size=(3, 16)), rng.integers(0, 2, (1, 16)).astype(float)
    architecture = Architecture(3, (), 1, "relu", "binary")
    initial = arrays_of_initial(architecture, rng)
    weights = np.ones((2, 16))
    weights[:, 5] = 0

    def trained(X):
        data = TrainingData.of(X, Y, np.zeros((1, 16), bool), reduce=False).weighted(weights)
        hyperparameters = Hyperparameters(architecture, 0.1, "momentum", 4, seed=(1,))
        state, _ = advance(start(initial, data, architecture), data, hyperparameters, 12)
        return state.theta

    other = X.copy()
    other[:, 5] = 77.0
    np.testing.assert_array_equal(trained(X), trained(other))
