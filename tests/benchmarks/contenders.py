"""The engine as a contender, and the two lower bounds it is held against. The contract of all contenders."""

from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine import TrainingData, advance, finish, start
from tests.benchmarks.workloads import FloatArray, Workload

Layers = list[tuple[FloatArray, FloatArray]]
"""One network: W[l] (n[l], n[l-1]) and b[l] (n[l], 1) for l = 1..L."""


class Contender(Protocol):
    """Somebody who trains the F networks of a workload.

    The constructor does what is done once a data set or architecture (copies, compilation).
    """

    def start(self) -> None:
        """Take the initial parameters."""

    def iterate(self, n_iterations: int) -> None:
        """That many updates of all F networks, from where `start` or the last `iterate` left them. This is timed."""

    def networks(self) -> list[Layers]:
        """The F networks as they are now."""


class Engine:
    """Ours, through its public functions only."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.hyperparameters = workload.hyperparameters
        data = TrainingData.of(workload.X, workload.Y, workload.held_out, workload.dtype)
        self.data = self.hyperparameters.form_of(data)

    def start(self) -> None:
        self.state = start(self.workload.initial, self.data, self.workload.architecture)

    def iterate(self, n_iterations: int) -> None:
        self.state, _ = advance(self.state, self.data, self.hyperparameters, self.state.iteration + n_iterations)

    def networks(self) -> list[Layers]:
        trained = finish(self.state, self.workload.initial, self.data, self.workload.architecture)
        return [
            [(W[f], b[f]) for W, b in zip(trained.W, trained.b, strict=True)] for f in range(self.workload.n_networks)
        ]


class Products:
    """The matrix products of an iteration and nothing else: the control beside every speed.

    Shapes are the textbook's, [Z = W A, dW = dZ A^T, dA = W^T dZ] a layer, on contiguous operands of the columns that a
    network trains on; the first layer's are those of the reduced form where the engine uses that.
    """

    def __init__(self, workload: Workload) -> None:
        data = TrainingData.of(workload.X, workload.Y, workload.held_out, workload.dtype)
        data = workload.hyperparameters.form_of(data)
        n_networks, _, m = data.scaled.training.shape
        self.m = m = workload.hyperparameters.minibatch_of(data) or m
        dtype = workload.dtype
        sizes = workload.architecture.layer_sizes
        is_reduced = data.gram is not None
        sizes_from_inputs = (m if is_reduced else sizes[0], *sizes[1:])
        self.W = [_filled((n_networks, n, k), dtype) for k, n in pairwise(sizes_from_inputs)]
        self.A = [_filled((n_networks, n, m), dtype) for n in sizes_from_inputs]
        self.Z = [_filled((n_networks, n, m), dtype) for n in sizes[1:]]
        self.dA = [np.empty_like(A) for A in self.A]
        self.dW = [np.empty_like(W) for W in self.W]
        L = len(self.W)
        layers = range(L)
        self.calls = [(self.W[i], self.A[i], self.Z[i]) for i in layers]
        for i in reversed(layers):
            if i > 0 or not is_reduced:
                self.calls.append((self.Z[i], self.A[i].mT, self.dW[i]))
            if i > 0:
                self.calls.append((self.W[i].mT, self.Z[i], self.dA[i]))

    def iterate(self, n_iterations: int) -> None:
        for _ in range(n_iterations):
            for left, right, out in self.calls:
                np.matmul(left, right, out=out)


class Limit(Products):
    """The products, and each elementwise operation of an iteration as one bare ufunc on contiguous arrays.

    | where        | passes                                                                                     |
    |--------------|--------------------------------------------------------------------------------------------|
    | hidden layer | g: one (tanh for tanh and sigmoid, maximum for the ReLUs); times g': one                   |
    | output       | softmax: exp, add.reduce, divide; sigmoid: tanh; then subtract Y, multiply by alpha / m    |
    | update       | one subtract over all parameters; AdamW: two moments kept and one step taken, eight passes |

    Nobody who writes ufuncs gets below it: the engine's g' and sigmoid take more passes than are counted here.
    """

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        n_networks, m = workload.n_networks, self.m
        self.is_tanh = workload.architecture.activation in ("tanh", "sigmoid")
        self.is_softmax = workload.architecture.head == "multiclass"
        self.hidden = [_filled((n_networks, n, m), workload.dtype) for n in workload.architecture.hidden_units]
        self.output = _filled((n_networks, workload.architecture.n_outputs, m), workload.dtype)
        self.scratch = np.empty_like(self.output)
        self.column_sums = _filled((n_networks, 1, m), workload.dtype)
        self.theta = _filled((sum(W.size for W in self.W),), workload.dtype)
        self.dtheta = 1e-6 * self.theta
        self.is_adamw = workload.optimizer == "adamw"
        self.moments, self.step = [self.theta.copy(), self.theta.copy()], np.empty_like(self.theta)

    def iterate(self, n_iterations: int) -> None:
        for _ in range(n_iterations):
            super().iterate(1)
            for Z, A, dA in zip(self.hidden, self.A[1:], self.dA[1:], strict=False):
                if self.is_tanh:
                    np.tanh(Z, out=A)
                else:
                    np.maximum(Z, Z, out=A)  # with a scalar operand it is not vectorized
                np.multiply(Z, A, out=dA)
            if self.is_softmax:
                np.exp(self.output, out=self.scratch)
                np.add.reduce(self.scratch, axis=-2, keepdims=True, out=self.column_sums)
                np.divide(self.scratch, self.column_sums, out=self.scratch)
            else:
                np.tanh(self.output, out=self.scratch)
            np.subtract(self.scratch, self.output, out=self.scratch)
            np.multiply(self.scratch, self.column_sums, out=self.scratch)
            if self.is_adamw:
                for moment in self.moments:
                    np.multiply(moment, self.dtheta, out=moment)
                    np.add(moment, self.dtheta, out=moment)
                np.multiply(self.dtheta, self.dtheta, out=self.step)
                np.sqrt(self.moments[1], out=self.step)
                np.divide(self.moments[0], self.step, out=self.step)
            np.subtract(self.theta, self.dtheta, out=self.theta)


def _filled(shape: tuple[int, ...], dtype: npt.DTypeLike) -> FloatArray:
    """Ordinary numbers around 1e-3: products and powers of them neither overflow nor become subnormal."""
    return np.random.default_rng(0).uniform(0.5e-3, 1.5e-3, shape).astype(dtype)
