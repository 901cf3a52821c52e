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

from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from engine.activations import BoolArray, Float64Array, FloatArray
from engine.data import TrainingData
from engine.dropout import Dropout
from engine.folds import IndexArray
from engine.heads import HEADS
from engine.layers import Columns, Layers
from engine.memory import empty, full
from engine.minibatches import Minibatches
from engine.network import Architecture
from engine.parts import divide
from engine.raw_rows import Gathering, RawRows
from engine.steps import Step, run, step

_Float = TypeVar("_Float", bound=np.floating[Any])

SETTLE_EVERY = 50
"""Iterations from one settling of a reduced first layer, a product in float64, to the next."""


class Part:
    """Some networks of a stack on some of their columns: `forward`, and `backward` if they train on them.

    Attributes:
        networks, columns: Which networks of the stack, and which of their columns of this kind.
        Z: Z[L] after `forward`, (F, n[L], m'), until another part passes through the same layers.
        Y: Targets, (F, n[L], m').
        is_own: (F, m'): False where a column is only padding, in a network that has fewer columns of the part's kind
            (trained on or held out) than others; None if there is no padding.
        weights: (F, m'): how much each column counts; None is 1.
    """

    def __init__(
        self,
        networks: slice,
        columns: slice,
        Z: FloatArray,
        Y: FloatArray,
        is_own: BoolArray,
        weights: Float64Array | FloatArray | None,
        forward: list[Step],
        backward: list[Step],
    ) -> None:
        self.networks, self.columns = networks, columns
        self.Z, self.Y, self.weights = Z, Y, weights
        self.is_own = None if is_own.all() else is_own
        self._forward, self._backward = forward, backward

    def forward(self) -> None:
        """Z[l] = W[l] A[l-1] + b[l] and A[l] = g(Z[l]) for l = 1..L."""
        run(self._forward)

    def backward(self) -> None:
        """Write dtheta[l] = alpha [dW[l] db[l]] for l = L..1, or add to it if other columns came before."""
        run(self._backward)

    def sums(self, amounts: FloatArray | BoolArray) -> Float64Array:
        """Sum of `amounts` (F, m') over each network's own columns, by their weights: (F,), in float64."""
        weighted = amounts if self.weights is None else amounts * self.weights
        own = weighted if self.is_own is None else np.where(self.is_own, weighted, 0)
        sums: Float64Array = own.sum(axis=1, dtype=np.float64)
        return sums


class Stack:
    """One training run: `forward` and `backward` for each part of `training`; now and then `settle`.

    Args:
        architecture: Shared by all F networks.
        data: Examples, targets and folds.
        theta: All parameters, (F, P), in the layout of `split`; `engine.descent` changes them in place.
        initial_offset: theta_0 [X; 1], (1 or F, n[1], m), for a first layer in the span of the examples; else None.
        settled: Settled coefficients of that layer, (F, n[1], m) in float64, changed in place by `settle`; else None.
        learning_rate: alpha, by which `dtheta` is multiplied. With learning_rate = 1, `dtheta` is the gradient.
        evaluated: Parameters that the held-out columns are passed through, as theta; None is theta itself.
        label_smoothing: Share of a target that goes to all classes alike, in training only.
        minibatch_size: Examples a network trains on in one iteration; None is all.
        dropout: Share of hidden units that an iteration leaves out, in training only.
        seed: Decides the order of minibatches, and which units are left out.
    """

    def __init__(
        self,
        architecture: Architecture,
        data: TrainingData,
        theta: FloatArray,
        initial_offset: FloatArray | None,
        settled: Float64Array | None,
        learning_rate: float,
        *,
        evaluated: FloatArray | None = None,
        label_smoothing: float = 0.0,
        minibatch_size: int | None = None,
        dropout: float = 0.0,
        seed: tuple[int, ...] = (),
    ) -> None:
        self.architecture, self.data, self.learning_rate = architecture, data, learning_rate
        self._head, self._label_smoothing = HEADS[architecture.head], label_smoothing
        self.flat_dtheta = empty(theta.shape, theta.dtype)
        self.theta, self.dtheta = (split(flat, architecture, data) for flat in (theta, self.flat_dtheta))
        self.flat_evaluated = theta if evaluated is None else evaluated
        self._evaluated = self.theta if evaluated is None else split(evaluated, architecture, data)
        self.initial_offset, self.settled = initial_offset, settled
        self._offset = self._offset_of_all_examples()
        self._offsets: list[tuple[FloatArray, IndexArray]] = []  # the same, for the columns in use, with their indices
        self._layers: dict[tuple[int, int], Layers] = {}  # all parts of one size share one
        self._gathered: dict[tuple[int, ...], FloatArray] = {}  # inputs of parts of one size
        self._gatherings: dict[tuple[int, ...], Gathering] = {}  # of parts of one size and the same networks
        n_examples = _counts(data)
        self.minibatches: Minibatches | None = None
        self.dropout: Dropout | None = None
        if dropout > 0:
            m = data.scaled.training_columns.shape[1] if minibatch_size is None else minibatch_size
            self.dropout = Dropout(dropout, architecture.layer_sizes[1:-1], m, theta.dtype, seed)
        if minibatch_size is None:
            inputs = data.scaled
            self.training = self._parts(inputs.training, inputs.training_columns, ~data.held_out, is_trained=True)
        else:
            step_size = np.full((1, data.n_examples), learning_rate / minibatch_size, data.dtype)
            if data.weights is not None:
                step_size = (step_size * data.weights[0]).astype(data.dtype)
            goal = self._head.goal(self._head.smoothed(data.targets, label_smoothing), step_size)
            self.minibatches = Minibatches(data, goal, self._head.scale(step_size), minibatch_size, seed)
            self.training = self._parts_of_minibatch(self.minibatches)
            n_examples[0] = minibatch_size
        self.n_examples = np.where(n_examples > 0, n_examples, np.nan)

    @cached_property
    def validation(self) -> list[Part]:
        """The networks on the columns that they are validated on. Made on demand: not every rung is recorded."""
        data, which = self.data, self.data.validation_columns
        if data.raw is None:
            inputs = data.scaled.validation
        else:  # each part gathers its own
            inputs = np.broadcast_to(np.zeros((), data.dtype), (len(which), data.n_rows_of_inputs, which.shape[1]))
        return self._parts(inputs, which, data.validated, is_trained=False)

    def load(self, iteration: int) -> None:
        """Bring what the next iteration trains on to where `training` expects it: examples, and masks of dropout."""
        if self.minibatches is not None:
            self.minibatches.load(iteration)
        if self.dropout is not None:
            self.dropout.load(iteration)

    @cached_property
    def _terms(self) -> list[FloatArray]:
        """What further columns of a network add to its dtheta; all such parts use the same memory."""
        return [np.empty_like(dtheta_of_layer[:1]) for dtheta_of_layer in self.dtheta]

    @property
    def is_weight(self) -> FloatArray:
        """(P,), in the layout of `split`: 1 for a weight, 0 for a bias."""
        flat = np.zeros_like(self.flat_dtheta[:1])
        for layer in split(flat, self.architecture, self.data):
            layer[:, :, :-1] = 1
        weights: FloatArray = flat[0]
        return weights

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
        gram = self.data.gram
        product = self.settled @ gram if gram.ndim == 3 else _rows(self.settled) @ gram
        offset: Float64Array = product.reshape(self.settled.shape)
        offset += self.initial_offset
        return offset

    def _take_offset(self, which: IndexArray, out: FloatArray) -> None:
        assert self._offset is not None
        for out_of_network, offset_of_network, columns in zip(out, self._offset, which, strict=True):
            out_of_network[...] = offset_of_network.take(columns, axis=1)

    def _parts(self, inputs: FloatArray, which: IndexArray, is_own: BoolArray, *, is_trained: bool) -> list[Part]:
        """The parts of all networks on the given columns (F, m')."""
        offset: FloatArray | None = None
        if self.settled is not None:
            offset = empty((len(which), self.architecture.layer_sizes[1], which.shape[1]), inputs.dtype)
            self._offsets.append((offset, which))
            self._take_offset(which, out=offset)
        is_own = np.take_along_axis(is_own, which, axis=1)
        is_own[:, self.data.n_examples :] = False  # padding: the first example again
        Y = self.data.targets_of(which)
        weights = None if self.data.weights is None else self.data.weights[0 if is_trained else 1][which]
        if not is_trained:
            return self._divided(Columns(inputs, offset, Y), is_own, weights)
        step_size = self._step_size(is_own if weights is None else is_own * weights)
        goal = self._head.goal(self._head.smoothed(Y, self._label_smoothing), step_size)
        return self._divided(
            Columns(inputs, offset, Y, goal, self._head.scale(step_size), self._masks), is_own, weights
        )

    def _parts_of_minibatch(self, minibatches: Minibatches) -> list[Part]:
        """The parts of all networks on the columns that `load` brings."""
        columns = Columns(minibatches.inputs, None, minibatches.Y, minibatches.goal, minibatches.scale, self._masks)
        is_own = np.ones((self.data.n_networks, minibatches.size), np.bool_)
        return self._divided(columns, is_own, minibatches.weights)

    def _divided(
        self, columns: Columns, is_own: BoolArray, weights: Float64Array | FloatArray | None = None
    ) -> list[Part]:
        is_trained = columns.scale is not None
        n_networks, _, m = columns.inputs.shape
        bytes_of_a_column = sum(self.architecture.layer_sizes[1:]) * columns.inputs.itemsize
        parts = []
        for networks, where in divide(n_networks, m, bytes_of_a_column):
            here = columns.at(networks, where)
            gathering: list[Step] = []
            if self.data.raw is not None and not is_trained:
                here, gathering = self._gathering(self.data.raw, here, networks, where)
            theta = [of_layer[networks] for of_layer in (self.theta if is_trained else self._evaluated)]
            n_here, _, m_here = here.inputs.shape
            layers = self._layers_of(n_here, m_here)
            steps = gathering + layers.forward(theta, here)
            steps_back = self._backward(layers, theta, here, networks, where) if is_trained else []
            count = None if weights is None else weights[networks, where]
            parts.append(Part(networks, where, layers.Z[-1], here.Y, is_own[networks, where], count, steps, steps_back))
        return parts

    def _gathering(self, raw: RawRows, columns: Columns, networks: slice, where: slice) -> tuple[Columns, list[Step]]:
        """Held-out columns in a buffer that parts of one size share, and the steps that fill it."""
        which = self.data.validation_columns[networks, where]
        size = (len(which), raw.n_features + 1, which.shape[1])
        if size not in self._gathered:
            self._gathered[size] = full(size, 1, self.data.dtype)
        inputs = self._gathered[size]
        if (networks.start, *size) not in self._gatherings:
            self._gatherings[networks.start, *size] = Gathering(raw, networks, inputs[:, :-1].mT)
        return replace(columns, inputs=inputs), [partial(self._gatherings[networks.start, *size], which)]

    @property
    def _masks(self) -> tuple[FloatArray, ...]:
        """Of dropout, for all columns of an iteration."""
        return () if self.dropout is None else self.dropout.masks

    def _step_size(self, counts: BoolArray | Float64Array) -> FloatArray:
        """alpha times each column's share of what its network trains on, (F, 1, m'); `counts` is (F, m')."""
        step_size = self.learning_rate * counts / counts.sum(axis=1, keepdims=True)
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


def _counts(data: TrainingData) -> Float64Array:
    """How many examples each network trains on and is validated on, by their weights: (2, F)."""
    if data.weights is None:
        n_held_out, n_validated = (np.count_nonzero(mask, axis=1) for mask in (data.held_out, data.validated))
        return np.stack([data.n_examples - n_held_out, n_validated]).astype(np.float64)
    return np.stack([~data.held_out @ data.weights[0], data.validated @ data.weights[1]])


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
    fan_ins = (data.n_rows_of_inputs, *(n_units + 1 for n_units in sizes[1:-1]))
    return list(zip(sizes[1:], fan_ins, strict=True))


def _rows(stacked: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
    """(F, n, k) as (F n, k), without a copy."""
    return stacked.reshape(-1, stacked.shape[-1])
