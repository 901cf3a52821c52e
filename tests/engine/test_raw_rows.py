"""One copy of the examples, scaled when they are trained on: what is trained is what scaling all of X first gives."""

from dataclasses import replace

import numpy as np
import pytest

from engine import raw_rows
from engine.data import TrainingData
from engine.errors import ShapeError
from engine.hyperparameters import Hyperparameters
from engine.network import Parameters
from engine.raw_rows import RawRows
from engine.training import advance, finish, start
from tests.engine.support.problem import flatten, in_pieces, random_problem

N_FOLDS, M = 3, 60
TRAININGS = {
    "gradient descent": {"learning_rate": 0.1},
    "adamw": {"learning_rate": 0.01, "optimizer": "adamw", "weight_decay": 0.05, "is_averaged": True, "dropout": 0.2},
}


def problem_of(head="regression", n_features=5):
    problem = random_problem(3, n_features=n_features, m=M, n_networks=N_FOLDS, head=head)
    one = Parameters(tuple(W[:1] for W in problem.initial.W), tuple(b[:1] for b in problem.initial.b))
    return replace(problem, initial=one)


def raw_of(values: np.ndarray, *, has_own: bool = True) -> RawRows:
    """Examples (m, n) with other scalings for each network; the last network ignores feature 1."""
    rng, shape = np.random.default_rng(4), (N_FOLDS if has_own else 1, values.shape[1])
    shift, scale, fill = rng.normal(size=shape), rng.uniform(0.5, 2, shape), rng.normal(size=shape)
    scale[-1, 1] = np.inf
    is_missing = values.dtype.kind == "f" and bool(np.isnan(values).any())
    return RawRows(values, shift, scale, fill if is_missing else None)


def scaled(raw: RawRows) -> list[np.ndarray]:
    """X (n, m) of each network, all of it at once, as `experiments.preprocessing` makes it."""
    own = zip(raw.shift, raw.scale, [None] * len(raw.shift) if raw.fill is None else raw.fill, strict=True)
    return [
        ((raw.values if fill is None else np.where(np.isnan(raw.values), fill, raw.values)) - shift).T
        / scale[:, np.newaxis]
        for shift, scale, fill in own
    ]


def trained(problem, data, **options):
    hyperparameters = Hyperparameters(problem.architecture, **options)
    state = start(problem.initial, data, problem.architecture)
    state, curve = advance(state, data, hyperparameters, 40, (0, 7, 40))
    return flatten(finish(state, problem.initial, data, problem.architecture)), curve, state.best


def assert_same_bits(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    for name in ("train_cost", "validation_cost", "validation_accuracy", "logits"):
        np.testing.assert_array_equal(getattr(one[1], name), getattr(other[1], name))
    np.testing.assert_array_equal(one[2].logits, other[2].logits)


def values_of(kind: str, problem) -> np.ndarray:
    rng = np.random.default_rng(5)
    match kind:
        case "bytes":
            return rng.integers(0, 256, problem.X.T.shape, dtype=np.uint8)
        case "columns":
            return np.vstack([problem.X.T, problem.X.T]).copy(order="F")[:M]  # of a table that has more rows
        case "missing":
            return np.where(rng.random(problem.X.T.shape) < 0.2, np.nan, problem.X.T)
    return np.ascontiguousarray(problem.X.T)


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.parametrize("kind", ["rows", "columns", "missing", "bytes"])
@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_networks_are_trained_to_the_bits_of_x_that_was_scaled_before(dtype, training, kind, is_cut, monkeypatch):
    monkeypatch.setattr(raw_rows, "NUMBERS_AT_ONCE", 30 if is_cut else 10**6)
    problem = problem_of()
    raw = raw_of(values_of(kind, problem))
    of_networks = ((X, problem.Y) for X in scaled(raw))
    before = TrainingData.of_networks(of_networks, problem.held_out, dtype, reduce=False)
    now = TrainingData.of_raw(raw, problem.Y, problem.held_out, dtype)
    assert (now.n_features, now.n_examples, now.n_networks) == (before.n_features, M, N_FOLDS)
    np.testing.assert_array_equal(now.validation_columns, before.validation_columns)
    with in_pieces(is_cut):
        runs = [trained(problem, data, **TRAININGS[training], minibatch_size=8, seed=(2,)) for data in (now, before)]
    assert_same_bits(*runs)


@pytest.mark.parametrize("order", ["C", "F"])
def test_saved_examples_load_bit_for_bit_with_contiguous_rows_and_train_the_same_networks(tmp_path, order, monkeypatch):
    monkeypatch.setattr(raw_rows, "NUMBERS_AT_ONCE", 30)
    problem = problem_of("binary")
    raw = raw_of(values_of("missing", problem).copy(order=order))
    saved = TrainingData.of_raw(raw, problem.Y, problem.held_out, np.float32).weighted(np.ones((2, M)))
    saved.save(tmp_path)
    loaded = TrainingData.load(tmp_path)
    assert loaded.raw is not None
    for name in ("values", "shift", "scale", "fill"):
        np.testing.assert_array_equal(getattr(loaded.raw, name), getattr(raw, name))
        assert not getattr(loaded.raw, name).flags.writeable
    assert loaded.raw.values.flags.c_contiguous
    assert_same_bits(*(trained(problem, data, learning_rate=0.1, minibatch_size=8) for data in (saved, loaded)))


def test_one_scaling_serves_all_networks_and_a_refit_on_all_examples():
    problem = problem_of("multiclass")
    raw = raw_of(values_of("rows", problem), has_own=False)
    nothing = np.zeros((1, M), np.bool_)
    for held_out in (problem.held_out, nothing):
        before = TrainingData.of(*scaled(raw), problem.Y, held_out, np.float32, reduce=False)
        now = TrainingData.of_raw(raw, problem.Y, held_out, np.float32)
        options = {"learning_rate": 0.01, "optimizer": "adamw", "minibatch_size": 8}
        (one, curve, _), (other, expected, _) = (trained(problem, data, **options) for data in (now, before))
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(curve.validation_cost, expected.validation_cost)


def test_networks_of_different_size_and_targets_of_their_own_are_as_with_x_that_was_scaled_before():
    problem, validated = problem_of(), np.zeros((N_FOLDS, M), np.bool_)
    validated[0, 5:9], validated[1, 12:40], validated[2, 20:31] = True, True, True
    held_out = validated | (np.arange(M) >= np.array([[9], [40], [M]]))
    Y, raw = [(1 + f) * problem.Y for f in range(N_FOLDS)], raw_of(values_of("rows", problem))
    of_networks = zip(scaled(raw), Y, strict=True)
    before = TrainingData.of_networks(of_networks, held_out, np.float32, reduce=False, validated=validated)
    now = TrainingData.of_raw(raw, np.stack(Y), held_out, np.float32, validated=validated)
    assert_same_bits(*(trained(problem, data, learning_rate=0.1, minibatch_size=2) for data in (now, before)))


def test_numbers_of_examples_that_differ_are_refused():
    problem = problem_of()
    with pytest.raises(ShapeError, match=r"X has shape \(5, 59\), Y \(2, 60\)"):
        TrainingData.of_raw(raw_of(problem.X.T[1:]), problem.Y, problem.held_out)
