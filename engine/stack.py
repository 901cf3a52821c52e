"""A stack of F networks in training: their parameters, their activations, and one iteration in place.

Two rewritings make the textbook's iteration cheap without changing what it computes:

*The bias is a weight.* theta[l] = [W[l] b[l]] and A[l] carries a last row of ones, so that

    Z[l] = theta[l] [A[l-1]; 1]                 = W[l] A[l-1] + b[l]
    dtheta[l] = dZ[l] [A[l-1]; 1]^T             = [dW[l] db[l]]

*The first layer lives in the span of the examples.* Gradient descent only ever adds dZ[1] [X; 1]^T to theta[1], so
theta[1] = theta_0 + C [X; 1]^T for some C (F, n[1], m), and with the Gram matrix K = [X; 1]^T [X; 1]

    Z[1] = theta_0 [X; 1] + C K                 and C -= alpha dZ[1]

Where there are more features than examples, C is smaller than theta[1] and dtheta[1] needs no product at all.
Nothing is inverted, but where examples are nearly equal and their labels are not, C grows and C K cancels, which
float32 would pay for. So every `SETTLE_EVERY` iterations C is added to `settled`, in float64, and starts from 0:

    theta[1] = theta_0 + (settled + C) [X; 1]^T and Z[1] = offset + C K, offset = (theta_0 [X; 1] + settled K)

Numbers: README, decisions.
"""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from engine.activations import ACTIVATIONS, Float64Array, FloatArray
from engine.data import TrainingData
from engine.heads import HEADS
from engine.network import Architecture

_Float = TypeVar("_Float", bound=np.floating[Any])

SETTLE_EVERY = 50
"""Iterations between two float64 products of a reduced first layer; they cost 1/50 of two iterations at most."""


class Stack:
    """Buffers of one training and the steps of an iteration: `forward`, `backward`, `descend`, now and then `settle`.

    Args:
        architecture: Of all F networks.
        data: Examples, targets and folds.
        theta: All parameters in one flat array, laid out by `split`; changed in place by `descend`.
        initial_offset: theta_0 [X; 1], (1 or F, n[1], m), for a first layer in the span of the examples; else None.
        settled: Of the same layer, (F, n[1], m) in float64; changed in place by `settle`; else None.
        learning_rate: alpha. It is multiplied into dZ[L], the smallest array of the backward pass, together with
            1 / m_f and the fold's mask, so that what comes out is the step alpha dJ/dtheta itself. With
            learning_rate = 1, `dtheta` is the gradient.
    """

    def __init__(
        self,
        architecture: Architecture,
        data: TrainingData,
        theta: FloatArray,
        initial_offset: FloatArray | None,
        settled: Float64Array | None,
        learning_rate: float,
    ) -> None:
        n_networks, m = data.held_out.shape
        sizes = architecture.layer_sizes
        self.L = len(sizes) - 1
        self.head = HEADS[architecture.head]
        self.Y = data.targets
        self.inputs = data.inputs if data.gram is None else data.gram  # [X; 1] or K
        self.is_reduced = data.gram is not None
        self.exact_gram, self.initial_offset, self.settled = data.exact_gram, initial_offset, settled
        self.offset: FloatArray | None = None

        self.flat_theta = theta
        self.flat_dtheta = np.empty_like(theta)
        self.theta = split(theta, architecture, data)
        self.dtheta = split(self.flat_dtheta, architecture, data)

        def buffers(extra_units: int = 0) -> list[FloatArray]:
            return [np.empty((n_networks, n + extra_units, m), theta.dtype) for n in sizes[1:]]

        self.Z = buffers()
        self.dZ = buffers()
        self.A_and_ones = buffers(extra_units=1)
        for A_and_ones in self.A_and_ones:
            A_and_ones[:, -1, :] = 1
        self.A = [A_and_ones[:, :-1, :] for A_and_ones in self.A_and_ones]
        self.activations = [ACTIVATIONS[architecture.activation](Z.shape, Z.dtype) for Z in self.Z[:-1]]

        is_trained_on = ~data.held_out
        n_trained_on = is_trained_on.sum(axis=1, keepdims=True)
        step = learning_rate * is_trained_on / n_trained_on
        self.step = step[:, np.newaxis, :].astype(theta.dtype)  # (F, 1, m)
        self._update_offset()

    def forward(self) -> None:
        """Z[l] = W[l] A[l-1] + b[l] and A[l] = g(Z[l]) for l = 1..L, on all columns, held out or not."""
        # All F networks read the same X: one product instead of F.
        np.matmul(_rows(self.theta[0]), self.inputs, out=_rows(self.Z[0]))
        if self.offset is not None:
            self.Z[0] += self.offset
        for layer in range(self.L):
            if layer > 0:
                np.matmul(self.theta[layer], self.A_and_ones[layer - 1], out=self.Z[layer])
            if layer < self.L - 1:
                self.activations[layer].forward(self.Z[layer], self.A[layer])
        self.head.forward(self.Z[-1], self.A[-1])

    def backward(self) -> None:
        """Fill dtheta[l] = alpha [dW[l] db[l]] for l = L..1, from the latest `forward`."""
        self.head.backward(self.Z[-1], self.A[-1], self.Y, self.dZ[-1])
        self.dZ[-1] *= self.step
        for layer in range(self.L - 1, 0, -1):
            dZ, W = self.dZ[layer], self.theta[layer][:, :, :-1]
            np.matmul(dZ, self.A_and_ones[layer - 1].mT, out=self.dtheta[layer])
            # Below a single unit W^T dZ is an outer product, for which matmul takes four times as long (README).
            product = np.multiply if dZ.shape[1] == 1 else np.matmul
            product(W.mT, dZ, out=self.dZ[layer - 1])
            self.activations[layer - 1].backward(self.dZ[layer - 1], self.A[layer - 1])
        if self.is_reduced:
            self.dtheta[0][...] = self.dZ[0]
        else:
            np.matmul(_rows(self.dZ[0]), self.inputs.T, out=_rows(self.dtheta[0]))

    def descend(self) -> None:
        """theta -= alpha dJ/dtheta, all layers at once."""
        self.flat_theta -= self.flat_dtheta

    def settle(self) -> None:
        """Move C of a reduced first layer into `settled`: the same theta[1], told apart again in float64."""
        if self.settled is not None:
            self.settled += self.theta[0]
            self.theta[0][...] = 0
            self._update_offset()

    def _update_offset(self) -> None:
        if self.settled is not None:
            assert self.exact_gram is not None
            assert self.initial_offset is not None
            settled_Z = (_rows(self.settled) @ self.exact_gram).reshape(self.settled.shape)
            self.offset = (self.initial_offset + settled_Z).astype(self.flat_theta.dtype)


def split(flat: FloatArray, architecture: Architecture, data: TrainingData) -> list[FloatArray]:
    """Views of a flat array, one a layer: theta[l] (F, n[l], n[l-1] + 1), or C (F, n[1], m) for a reduced l = 1."""
    views = []
    start = 0
    for shape in _shapes(architecture, data):
        stop = start + int(np.prod(shape))
        views.append(flat[start:stop].reshape(shape))
        start = stop
    return views


def n_parameters(architecture: Architecture, data: TrainingData) -> int:
    """Length of the flat array that `split` divides."""
    return sum(int(np.prod(shape)) for shape in _shapes(architecture, data))


def _shapes(architecture: Architecture, data: TrainingData) -> list[tuple[int, int, int]]:
    sizes = architecture.layer_sizes
    n_inputs = data.inputs.shape[0] if data.gram is None else data.n_examples
    fan_ins = (n_inputs, *(n_units + 1 for n_units in sizes[1:-1]))
    return [(data.n_networks, n_units, fan_in) for n_units, fan_in in zip(sizes[1:], fan_ins, strict=True)]


def _rows(stacked: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
    """(F, n, k) as (F n, k), without a copy."""
    return stacked.reshape(-1, stacked.shape[-1])
