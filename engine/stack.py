"""A stack of F networks in training: their parameters, and the parts in which they pass through the layers.

*Every network has its own columns.* Its [X; 1] or K, and its Y, hold the m_t examples that it trains on
(`engine.data`), and so do the coefficients C of a reduced first layer (`engine.layers`). Examples that it holds out
only pass forward, and only at iterations that are recorded.

*Coefficients are settled.* C is the sum of all steps dZ[1]. Nothing is inverted, but where examples are nearly equal
and their labels are not, C grows and C K cancels, which would cost float32 its accuracy. So every `SETTLE_EVERY`
iterations C is added to `settled`, in float64, and starts again from 0:

    theta[1] = theta_0 + (settled + C) [X; 1]^T and Z[1] = offset + C K, offset = (theta_0 [X; 1] + settled K)

Measurements: README, decisions.
"""

from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from engine.activations import BoolArray, Float64Array, FloatArray
from engine.data import IndexArray, TrainingData
from engine.layers import Columns, Layers
from engine.memory import empty
from engine.network import Architecture
from engine.parts import divide
from engine.steps import Step, run, step

_Float = TypeVar("_Float", bound=np.floating[Any])

SETTLE_EVERY = 50
"""Iterations from one settling of a reduced first layer, a product in float64, to the next."""


class Part:
    """Some networks of a stack on some of their columns: `forward`, and `backward` if they train on them.

    Attributes:
        networks: Which networks of the stack.
        Z: Z[L] after `forward`, (F, n[L], m'), until another part passes through the same layers.
        Y: Targets, (F, n[L], m').
        is_own: (F, m'): False where a column is only padding, in a network that has fewer columns of the part's kind
            (trained on or held out) than others; None if there is no padding.
    """

    def __init__(
        self,
        networks: slice,
        Z: FloatArray,
        Y: FloatArray,
        is_own: BoolArray,
        forward: list[Step],
        backward: list[Step],
    ) -> None:
        self.networks = networks
        self.Z, self.Y = Z, Y
        self.is_own = None if is_own.all() else is_own
        self._forward, self._backward = forward, backward

    def forward(self) -> None:
        """Z[l] = W[l] A[l-1] + b[l] and A[l] = g(Z[l]) for l = 1..L."""
        run(self._forward)

    def backward(self) -> None:
        """Write dtheta[l] = alpha [dW[l] db[l]] for l = L..1, or add to it if other columns came before."""
        run(self._backward)

    def sums(self, amounts: FloatArray | BoolArray) -> Float64Array:
        """Sum of `amounts` (F, m') over each network's own columns: (F,), in float64."""
        own = amounts if self.is_own is None else np.where(self.is_own, amounts, 0)
        sums: Float64Array = own.sum(axis=1, dtype=np.float64)
        return sums


class Stack:
    """One training run: `forward` and `backward` for each part of `training`, then `descend`; now and then `settle`.

    Args:
        architecture: Shared by all F networks.
        data: Examples, targets and folds.
        theta: All parameters, (F, P), in the layout of `split`; changed in place by `descend`.
        initial_offset: theta_0 [X; 1], (1 or F, n[1], m), for a first layer in the span of the examples; else None.
        settled: Settled coefficients of that layer, (F, n[1], m) in float64, changed in place by `settle`; else None.
        learning_rate: alpha. With learning_rate = 1, `dtheta` is the gradient.
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
        self.architecture, self.data, self.learning_rate = architecture, data, learning_rate
        flat_dtheta = empty(theta.shape, theta.dtype)
        self.theta, self.dtheta = (split(flat, architecture, data) for flat in (theta, flat_dtheta))
        self._descend = step(np.subtract, theta, flat_dtheta, out=theta)
        self.initial_offset, self.settled = initial_offset, settled
        self._offset = self._offset_of_all_examples()
        self._offsets: list[tuple[FloatArray, IndexArray]] = []  # the same, for the columns in use, with their indices
        self._layers: dict[tuple[int, int], Layers] = {}  # all parts of one size share one
        self.training = self._parts(data.training_inputs, data.training_columns, ~data.held_out, is_trained=True)

    @cached_property
    def validation(self) -> list[Part]:
        """The networks on the columns that they hold out. Made on demand: not every rung is recorded."""
        data = self.data
        return self._parts(data.validation_inputs, data.validation_columns, data.held_out, is_trained=False)

    @cached_property
    def _terms(self) -> list[FloatArray]:
        """What further columns of a network add to its dtheta; all such parts use the same memory."""
        return [np.empty_like(dtheta_of_layer[:1]) for dtheta_of_layer in self.dtheta]

    def descend(self) -> None:
        """theta -= alpha dJ/dtheta, all layers at once."""
        self._descend()

    def settle(self) -> None:
        """Move C of a reduced first layer into `settled`, in float64; theta[1] stays the same."""
        if self.settled is not None:
            self.settled += self.data.spread(self.theta[0])
            self.theta[0][...] = 0
            self._offset = self._offset_of_all_examples()
            for offset, which in self._offsets:
                self._take_offset(which, out=offset)

    def _offset_of_all_examples(self) -> Float64Array | None:
        """theta_0 [X; 1] + settled K, (F, n[1], m), for a reduced first layer."""
        if self.settled is None:
            return None
        assert self.data.gram is not None
        assert self.initial_offset is not None
        offset: Float64Array = (_rows(self.settled) @ self.data.gram).reshape(self.settled.shape)
        offset += self.initial_offset
        return offset

    def _take_offset(self, which: IndexArray, out: FloatArray) -> None:
        assert self._offset is not None
        for out_of_network, offset_of_network, columns in zip(out, self._offset, which, strict=True):
            out_of_network[...] = offset_of_network.take(columns, axis=1)

    def _parts(self, inputs: FloatArray, which: IndexArray, is_own: BoolArray, *, is_trained: bool) -> list[Part]:
        """The parts of all networks on the given columns (F, m')."""
        n_networks, m = which.shape
        sizes = self.architecture.layer_sizes[1:]
        offset: FloatArray | None = None
        if self.settled is not None:
            offset = empty((n_networks, sizes[0], m), inputs.dtype)
            self._offsets.append((offset, which))
            self._take_offset(which, out=offset)
        is_own = np.take_along_axis(is_own, which, axis=1)
        is_own[:, self.data.n_examples :] = False  # padding: the first example again
        Y = np.ascontiguousarray(np.moveaxis(self.data.targets[:, which], 1, 0))
        columns = Columns(inputs, offset, Y, self._step_size(is_own) if is_trained else None)

        parts = []
        for networks, where in divide(n_networks, m, sum(sizes) * inputs.itemsize):
            here = columns.at(networks, where)
            theta = [theta_of_layer[networks] for theta_of_layer in self.theta]
            n_here, _, m_here = here.inputs.shape
            layers = self._layers_of(n_here, m_here)
            steps = layers.forward(theta, here)
            steps_back = self._backward(layers, theta, here, networks, where) if is_trained else []
            parts.append(Part(networks, layers.Z[-1], here.Y, is_own[networks, where], steps, steps_back))
        return parts

    def _step_size(self, is_trained_on: BoolArray) -> FloatArray:
        step_size = self.learning_rate * is_trained_on / is_trained_on.sum(axis=1, keepdims=True)
        rounded: FloatArray = step_size[:, np.newaxis, :].astype(self.theta[0].dtype)
        return rounded

    def _layers_of(self, n_networks: int, m: int) -> Layers:
        size = (n_networks, m)
        if size not in self._layers:
            self._layers[size] = Layers(self.architecture, *size, self.theta[0].dtype)
        return self._layers[size]

    def _backward(
        self, layers: Layers, theta: list[FloatArray], columns: Columns, networks: slice, where: slice
    ) -> list[Step]:
        """Steps that write dtheta of these networks, or add to it if other columns of theirs came before."""
        dtheta = [dtheta_of_layer[networks] for dtheta_of_layer in self.dtheta]
        is_reduced = columns.offset is not None
        if is_reduced:
            dtheta[0] = dtheta[0][:, :, where]  # one coefficient per column: there is nothing to add up
        if where.start == 0:
            return layers.backward(theta, columns, dtheta)
        terms = self._terms[is_reduced:]
        steps = layers.backward(theta, columns, dtheta[:is_reduced] + terms)
        return steps + [
            step(np.add, total, term, out=total) for total, term in zip(dtheta[is_reduced:], terms, strict=True)
        ]


def split(flat: FloatArray, architecture: Architecture, data: TrainingData) -> list[FloatArray]:
    """Views of a flat array (F, P), one per layer: theta[l] (F, n[l], n[l-1] + 1), or C (F, n[1], m_t) if reduced."""
    views = []
    start = 0
    for shape in _shapes(architecture, data):
        stop = start + shape[0] * shape[1]
        views.append(flat[:, start:stop].reshape(-1, *shape))
        start = stop
    return views


def n_parameters(architecture: Architecture, data: TrainingData) -> int:
    """P, the number of parameters of one network, as `split` divides them."""
    return sum(n_units * fan_in for n_units, fan_in in _shapes(architecture, data))


def _shapes(architecture: Architecture, data: TrainingData) -> list[tuple[int, int]]:
    sizes = architecture.layer_sizes
    fan_ins = (data.training_inputs.shape[1], *(n_units + 1 for n_units in sizes[1:-1]))
    return list(zip(sizes[1:], fan_ins, strict=True))


def _rows(stacked: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
    """(F, n, k) as (F n, k), without a copy."""
    return stacked.reshape(-1, stacked.shape[-1])
