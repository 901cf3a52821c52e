"""Small random training problems for the engine's tests, and the engine's answers in the textbook's own terms."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from engine import parts, products
from engine.activations import BoolArray, Float64Array, FloatArray
from engine.data import TrainingData
from engine.ensemble import Member
from engine.heads import HEADS
from engine.hyperparameters import Hyperparameters
from engine.inputs import Inputs
from engine.network import Architecture, Parameters, forward
from engine.raw_rows import RawRows
from engine.stack import Stack
from engine.training import State, advance, finish, start
from engine.weights import Weights


@dataclass(frozen=True)
class Problem:
    """Everything a training needs, in float64; `initial` holds F networks with non-zero biases."""

    architecture: Architecture
    initial: Parameters
    X: Float64Array
    Y: Float64Array
    held_out: BoolArray

    def data(self, *, reduced: bool, dtype: type = np.float64) -> TrainingData:
        """Training data with the first layer in the form asked for, whatever n[0] and m are."""
        return TrainingData.of(self.X, self.Y, self.held_out, dtype, reduce=reduced)

    def parameters(self, dtype: type) -> Parameters:
        """The initial parameters in another dtype."""
        cast = (tuple(array.astype(dtype) for array in arrays) for arrays in (self.initial.W, self.initial.b))
        return Parameters(*cast)


def random_problem(
    seed: int,
    *,
    n_features: int = 3,
    m: int = 8,
    hidden_units: tuple[int, ...] = (4, 3),
    n_networks: int = 1,
    activation: str = "tanh",
    head: str = "binary",
) -> Problem:
    """Gaussian X; targets that fit the head; about a third of the columns held out where there are several networks.

    All biases are drawn from a continuous distribution, so no Z is exactly 0, where a ReLU has no derivative.
    """
    generator = np.random.default_rng(seed)
    n_outputs = {"binary": 1, "multiclass": 3, "regression": 2, "nonnegative_regression": 1}[head]
    architecture = Architecture(n_features, hidden_units, n_outputs, activation, head)
    sizes = architecture.layer_sizes
    W = [generator.standard_normal((n_networks, n, k)) / np.sqrt(k) for k, n in pairwise(sizes)]
    b = [generator.standard_normal((n_networks, n, 1)) / 2 for n in sizes[1:]]
    if head == "nonnegative_regression":
        b[-1] = np.abs(b[-1]) + 0.5  # most outputs above 0, some below: else the head is dead and has no gradient
    X = generator.standard_normal((n_features, m))
    if head == "binary":
        Y = generator.integers(0, 2, (1, m)).astype(np.float64)
    elif head == "multiclass":
        Y = np.eye(3)[:, generator.permutation(np.arange(m) % 3)]
    else:
        Y = np.abs(generator.standard_normal((n_outputs, m)))
    held_out = generator.random((n_networks, m)) < (1 / 3 if n_networks > 1 else 0)
    held_out[held_out.all(axis=1), 0] = False
    return Problem(architecture, Parameters(tuple(W), tuple(b)), X, Y, held_out)


def random_weights(
    dtype: type = np.float64, hidden_units: tuple[int, ...] = (4, 3), notes: dict[str, str] | None = None
) -> Weights:
    """Of one network of three classes, as a file of weights holds them."""
    problem = random_problem(0, hidden_units=hidden_units, activation="leaky_relu", head="multiclass")
    return Weights((Member(problem.architecture, problem.parameters(dtype)),), notes or {})


def arrays_of(data: TrainingData | Inputs | RawRows) -> Iterator[FloatArray]:
    """All arrays of training data, those of its unreduced form included."""
    for value in (getattr(data, field.name) for field in fields(data)):
        if isinstance(value, TrainingData | Inputs | RawRows):
            yield from arrays_of(value)
        elif value is not None:
            yield value


@contextmanager
def in_pieces(is_cut: bool = True) -> Iterator[None]:
    """What is done to large networks, done to small ones: networks one by one, columns in tiles, products in blocks."""
    with pytest.MonkeyPatch.context() as patch:
        if not is_cut:
            yield
            return
        patch.setattr(parts, "PART_BYTES", 1)
        patch.setattr(parts, "MIN_COLUMNS", 3)
        patch.setattr(parts, "COLUMNS_OF_A_CACHE_LINE", 1)
        patch.setattr(products, "multiplies_small_in_place", lambda: True)
        patch.setattr(products, "N_MULTIPLICATIONS", 20)
        patch.setattr(products, "N_RESULTS", 12)
        patch.setattr(products, "N_ROWS", 2)
        patch.setattr(products, "MIN_FEATURES", 2)
        patch.setattr(products, "MIN_TILE", 1)
        yield


def flatten(parameters: Parameters) -> Float64Array:
    """All W and b in one array."""
    return np.concatenate([array.ravel() for array in (*parameters.W, *parameters.b)])


def unflatten(flat: Float64Array, like: Parameters) -> Parameters:
    """Inverse of `flatten`."""
    arrays, start = [], 0
    for array in (*like.W, *like.b):
        arrays.append(flat[start : start + array.size].reshape(array.shape))
        start += array.size
    return Parameters(tuple(arrays[: len(like.W)]), tuple(arrays[len(like.W) :]))


def arrays_of_state(state: State) -> dict[str, FloatArray]:
    """All arrays of a state by name, those of its best networks included."""
    sources = {"": state} | ({} if state.best is None else {"best.": state.best})
    named = {prefix + f.name: getattr(source, f.name) for prefix, source in sources.items() for f in fields(source)}
    return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}


def assert_same_bits(one: State, other: State) -> None:
    """Fail unless all arrays of two states are there in both and equal."""
    mine, theirs = arrays_of_state(one), arrays_of_state(other)
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        np.testing.assert_array_equal(array, theirs[name], strict=True, err_msg=name)


def smoothed(Y: Float64Array, label_smoothing: float) -> Float64Array:
    """Labels of which a share goes to all classes alike, one of which a single row does not show."""
    return (1 - label_smoothing) * Y + label_smoothing / max(2, len(Y))


def costs(parameters: Parameters, problem: Problem, columns: BoolArray) -> Float64Array:
    """Mean loss of each network over its columns, (F,), by the readable forward pass; nan for one that has none."""
    Z, _ = forward(parameters, problem.X, problem.architecture)
    losses: FloatArray = HEADS[problem.architecture.head].losses(Z, problem.Y.astype(Z.dtype))
    rows = zip(losses, columns, strict=True)
    return np.array([row[chosen].mean(dtype=np.float64) if chosen.any() else np.nan for row, chosen in rows])


def gradient_of_stack(
    problem: Problem,
    *,
    reduced: bool,
    seed: int = 0,
    label_smoothing: float = 0.0,
    minibatch_size: int | None = None,
    iteration: int = 0,
) -> tuple[Parameters, Parameters]:
    """A random point of the training, and the sum of the F costs' gradients there by the engine's backward pass.

    Both in full, textbook parameters: of a reduced first layer, theta[1] = theta_0 + C [X; 1]^T and
    dtheta[1] = dZ[1] [X; 1]^T.
    """
    data = problem.data(reduced=reduced)
    state = start(problem.initial, data, problem.architecture)
    theta = state.theta + 0.1 * np.random.default_rng(seed).standard_normal(state.theta.shape)
    stack = Stack(
        problem.architecture, data, theta, state.offset, state.settled, learning_rate=1,
        label_smoothing=label_smoothing, minibatch_size=minibatch_size, seed=(seed,),
    )  # fmt: skip
    stack.load(iteration)
    for part in stack.training:
        part.forward()
        part.backward()
    point = finish(replace(state, theta=theta), problem.initial, data, problem.architecture)
    dtheta = [array.copy() for array in stack.dtheta]
    if reduced:
        dtheta[0] = data.spread(dtheta[0]) @ data.scaled.with_ones.T
    gradient = Parameters(tuple(d[:, :, :-1] for d in dtheta), tuple(d[:, :, -1:] for d in dtheta))
    return point, gradient


def digest_of_a_training() -> str:
    """The bits of a float32 training with one BLAS thread, for comparison with other processes."""
    problem = random_problem(8, n_features=30, m=20, n_networks=3)
    data = problem.data(reduced=True, dtype=np.float32)
    with threadpool_limits(1):
        state = start(problem.initial, data, problem.architecture)
        state, _ = advance(state, data, Hyperparameters(problem.architecture, 0.1), 50)
    return sha256(state.theta.tobytes()).hexdigest()
