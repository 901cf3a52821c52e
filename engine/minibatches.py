"""Minibatches: which examples an iteration trains on, as a function of a seed and of the iteration's number alone.

In an epoch every network passes over the examples it trains on once, in a random order, `size` at a time; a last,
smaller minibatch is left out, so all iterations are alike. All networks follow one order of the m examples, each
leaving out what it holds out: folds then differ by their data, not by the luck of an order.

The examples of a minibatch are gathered as rows, which are contiguous in memory, and are columns by transposition.
"""

import numpy as np

from engine.activations import FloatArray
from engine.data import TrainingData
from engine.folds import IndexArray
from engine.memory import empty, full
from engine.raw_rows import Gathering


class Minibatches:
    """The minibatches of one training run; `load` brings those of an iteration into `inputs`, `Y` and `goal`.

    Args:
        data: Examples, targets and folds, with `rows` or `raw`.
        goal, scale: What the head's backward pass needs of targets and step sizes, as targets in shape, and (1, m).
        size: Examples a network and iteration, at most as many as every network trains on.
        seed: Decides the order of the examples in every epoch.

    Attributes:
        inputs: [X; 1] of the minibatch, (F, n[0] + 1, size), a transposed view.
        Y, goal: Targets and what backward needs of them, (F, n[L], size).
        scale: (F, 1, size).
        weights: How much each example counts in the cost that is trained, (F, size); None is 1.
    """

    def __init__(
        self, data: TrainingData, goal: FloatArray, scale: FloatArray, size: int, seed: tuple[int, ...]
    ) -> None:
        assert data.gram is None, "minibatches train on X or its coordinates, not on a Gram matrix"
        self.size = size
        self._seed = seed
        self._own = ~data.held_out
        self.n_in_epoch = int(np.count_nonzero(self._own, axis=1).min()) // size
        n_networks = data.n_networks
        self._epoch = -1
        self._order = np.empty((n_networks, self.n_in_epoch * size), np.min_scalar_type(-data.n_examples))
        self._first = data.n_examples * np.arange(n_networks)[:, np.newaxis]
        self._rows = full((n_networks, size, data.n_rows_of_inputs), 1, data.dtype)
        arrays = [data.targets.mT, goal.mT]
        if data.weights is not None:  # else all have the same
            arrays += [scale.mT, data.weights[:1].mT.astype(data.dtype)]
        self._sources = [
            (np.ascontiguousarray(array).reshape(-1, array.shape[-1]), array.ndim == 3) for array in arrays
        ]
        self._buffers = [empty((n_networks, size, source.shape[1]), data.dtype) for source, _ in self._sources]
        self.inputs = self._rows.mT
        self.Y, self.goal = (buffer.mT for buffer in self._buffers[:2])
        self.scale = full((n_networks, 1, size), scale[0, 0], data.dtype)
        self.weights: FloatArray | None = None
        if data.weights is not None:
            self.scale, self.weights = self._buffers[2].mT, self._buffers[3][:, :, 0]
        self._gather: Gathering | None = None
        if data.raw is not None:
            self._gather = Gathering(data.raw, slice(None), self._rows[:, :, :-1])
        elif (rows := data.scaled.rows) is not None:
            self._sources.append((rows.reshape(-1, data.n_rows_of_inputs), rows.ndim == 3))
            self._buffers.append(self._rows)

    def load(self, iteration: int) -> None:
        """Bring the examples that the iteration after `iteration` updates trains on into the arrays."""
        which = self.examples(iteration)
        if self._gather is not None:
            self._gather(which)
        in_own = which + self._first  # where each network has its own rows: one network's after the other's
        for (source, is_own), buffer in zip(self._sources, self._buffers, strict=True):
            source.take(in_own if is_own else which, axis=0, out=buffer, mode="clip")  # checking indices needs a buffer

    def examples(self, iteration: int) -> IndexArray:
        """(F, size): which examples those are."""
        epoch, position = divmod(iteration, self.n_in_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._set_order(epoch)
        return self._order[:, position * self.size : (position + 1) * self.size].astype(np.intp)

    def _set_order(self, epoch: int) -> None:
        """(F, n_in_epoch * size): each network's own examples in the order of an epoch."""
        permutation = np.random.default_rng((*self._seed, epoch)).permutation(self._own.shape[1])
        for order, own in zip(self._order, self._own, strict=True):
            order[...] = permutation.compress(own.take(permutation))[: len(order)]
