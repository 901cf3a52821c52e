"""The examples a stack of networks trains on, prepared once and shared by all trials and workers."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.activations import BoolArray, Float64Array, FloatArray
from engine.errors import ShapeError
from engine.heads import Head
from engine.memory import copied, empty, whole_cache_lines

IndexArray = npt.NDArray[np.intp]

MAX_REDUCED = 1.5
"""Training examples of a network per feature up to which a reduced first layer is faster (by operations alone: 2)."""

MIN_FILLED = 128
"""Training examples of a network from which on rows are padded to whole cache lines: at most 12 % more columns."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Examples, targets and folds.

    Each network has its own copy of the columns it trains on, so that no operation is spent on what it holds out, and
    of those it holds out, for validation. With F folds that takes F times the memory of X, once per machine.

    Attributes:
        inputs: [X; 1], (n[0] + 1, m): the last row of ones carries the biases.
        targets: Y, (n[L], m).
        held_out: (F, m); True where network f is validated on the example instead of trained on it.
        gram: K = [X; 1]^T [X; 1], (m, m) in float64, present where the first layer is trained in the span of the
            examples (`engine.stack`), which is the same algorithm with fewer operations. Else None.
        columns: (F, max(m, m_t)): indices of all m examples in each network's own order, those it trains on first;
            padded with index 0 if m_t > m.
        training_inputs: (F, k, m_t): inputs of the first m_t of those columns, where m_t is at least the largest number
            of examples that any network trains on: [X; 1], or K[trained on, trained on] if the first layer is reduced.
            Columns beyond a network's own, there because another network trains on more or because rows are padded to
            whole cache lines, have no weight (`engine.stack`).
        validation_inputs: (F, k, m_v): inputs of the last m_v of the m examples, where m_v is the largest number that
            any network holds out: [X; 1], or K[trained on, held out]. A network that holds out fewer trains on some of
            them.
        rows: [X; 1]^T, (m, n[0] + 1), from which minibatches are gathered; None where the first layer is reduced.
        basis: Q, (n[0], r) with orthonormal columns, if X has been rotated: `inputs` is [R; 1] then, (r + 1, m), where
            X = Q R has rank r. Else None.
        weights: (2, m): how much an example counts in the cost that is trained, and in what networks are validated by.
            None is 1 for each.
        unreduced: Where the first layer is reduced: the same examples for a training that leaves their span; X itself,
            or R if there are more features than examples. Else None, and where no training leaves it.
    """

    inputs: FloatArray
    targets: FloatArray
    held_out: BoolArray
    gram: Float64Array | None
    columns: IndexArray
    training_inputs: FloatArray
    validation_inputs: FloatArray
    rows: FloatArray | None = None
    basis: FloatArray | None = None
    weights: Float64Array | None = None
    unreduced: "TrainingData | None" = None

    @classmethod
    def of(
        cls,
        X: FloatArray,
        Y: FloatArray,
        held_out: BoolArray,
        dtype: npt.DTypeLike = np.float64,
        *,
        weights: Float64Array | None = None,
        reduce: bool | None = None,
        leaves_span: bool = True,
    ) -> "TrainingData":
        """Prepare arrays for training.

        Args:
            X: (n[0], m), scaled.
            Y: (n[L], m).
            held_out: (F, m).
            dtype: float32 or float64, in which networks are trained. The Gram matrix is summed in float64 either way.
            weights: (2, m), see `weights`; 0 or more, and above 0 for some that each network trains on. The first row
                is brought to a mean of 1, so that the size of a step does not depend on its unit.
            reduce: Whether to train the first layer in the span of the examples; None: if that is faster.
            leaves_span: Whether a training may leave that span (`Hyperparameters.leaves_span`). False saves the time
                and the memory of `unreduced`; such a training is then refused.
        Raises:
            ShapeError: The numbers of examples differ, or a fold trains on none.
        """
        m = X.shape[-1]
        if X.ndim != 2 or Y.ndim != 2 or Y.shape[1] != m or held_out.ndim != 2 or held_out.shape[1] != m:
            raise ShapeError(
                f"X has shape {X.shape}, Y {Y.shape}, held_out {held_out.shape}. All three are matrices with one "
                "column per example; transpose or select the same examples in each."
            )
        if held_out.all(axis=1).any():
            raise ShapeError(
                f"held_out: network {int(held_out.all(axis=1).argmax())} has every example held out. Each network must "
                "train on at least one; clear some of its row."
            )
        held_out = held_out.astype(np.bool_)
        inputs = np.vstack([X, np.ones((1, m))])
        is_reduced = _largest(~held_out) <= MAX_REDUCED * X.shape[0] if reduce is None else reduce
        gram = inputs.T @ inputs if is_reduced else None
        Y = Y.astype(dtype)
        data = cls._divided(copied(inputs, dtype), Y, held_out, gram)
        if weights is not None:
            data = replace(data, weights=np.stack([weights[0] / weights[0].mean(), weights[1]]))
        if not is_reduced or not leaves_span:
            return data
        basis = None
        if X.shape[0] > m:
            basis, coordinates = _rotated(X.astype(np.float64, copy=False))
            inputs = np.vstack([coordinates, np.ones((1, m))])
        unreduced = cls._divided(copied(inputs, dtype), Y, held_out, None)
        basis = None if basis is None else basis.astype(dtype)
        return replace(data, unreduced=replace(unreduced, basis=basis, weights=data.weights))

    def of_all_examples(self) -> "TrainingData":
        """The same examples for one network that trains on all of them."""
        nothing = np.zeros((1, self.n_examples), np.bool_)
        data = self._divided(self.inputs, self.targets, nothing, self.gram)
        unreduced = None if self.unreduced is None else self.unreduced.of_all_examples()
        return replace(data, basis=self.basis, weights=self.weights, unreduced=unreduced)

    @classmethod
    def _divided(
        cls, inputs: FloatArray, targets: FloatArray, held_out: BoolArray, gram: Float64Array | None
    ) -> "TrainingData":
        n_networks, m = held_out.shape
        columns = np.argsort(held_out, axis=1, kind="stable")
        rows = inputs if gram is None else copied(gram, inputs.dtype)
        n_training, n_validation = _largest(~held_out), _largest(held_out)
        if n_training >= MIN_FILLED:
            n_training = whole_cache_lines(n_training, inputs.dtype)
            columns = np.pad(columns, [(0, 0), (0, max(0, n_training - m))])

        def inputs_of(own: IndexArray, part: slice) -> FloatArray:
            there = rows if gram is None else rows[own[:n_training]]
            return there.take(own[part], axis=1)

        if n_validation == 0:
            same = rows if n_training == m else copied(inputs_of(columns[0], slice(n_training)))
            training_inputs = np.broadcast_to(same, (n_networks, *same.shape))
            validation_inputs = np.empty((n_networks, len(same), 0), inputs.dtype)
        else:
            training_inputs, validation_inputs = (
                _stacked([inputs_of(own, part) for own in columns])
                for part in (slice(n_training), slice(m - n_validation, m))
            )
        rows_of_examples = np.ascontiguousarray(inputs.T) if gram is None else None
        return cls(inputs, targets, held_out, gram, columns, training_inputs, validation_inputs, rows_of_examples)

    @property
    def training_columns(self) -> IndexArray:
        """(F, m_t): the example that each column of `training_inputs` holds."""
        return self.columns[:, : self.training_inputs.shape[-1]]

    @property
    def validation_columns(self) -> IndexArray:
        """(F, m_v): the example that each column of `validation_inputs` holds."""
        return self.columns[:, self.n_examples - self.validation_inputs.shape[-1] : self.n_examples]

    def answers(self, logits: FloatArray, head: Head) -> Iterator[tuple[FloatArray, FloatArray, Float64Array | None]]:
        """What each network says of the columns that it holds out, in float64: A[L] (n[L], m_f), Y, their weights.

        Args:
            logits: Z[L] of the validation columns, (F, n[L], m_v).
            head: Makes A[L] of it.
        """
        for Z, columns, held_out in zip(logits, self.validation_columns, self.held_out, strict=True):
            is_own = held_out[columns]  # where folds differ in size, columns that another network holds out fill up
            own = columns[is_own]
            weights = None if self.weights is None else self.weights[1, own]
            yield head.outputs(Z[:, is_own].astype(np.float64)), self.targets[:, own], weights

    def spread(self, C: FloatArray) -> FloatArray:
        """Spread C (F, n, m_t), one column per training example, over all m examples: (F, n, m), 0 elsewhere."""
        everywhere = np.zeros((*C.shape[:2], self.n_examples), C.dtype)
        m = self.n_examples  # columns beyond it repeat the first example, without weight
        for all_columns, own_columns, which in zip(everywhere, C, self.training_columns, strict=True):
            all_columns[:, which[:m]] = own_columns[:, :m]
        return everywhere

    @property
    def n_examples(self) -> int:
        """m."""
        return int(self.inputs.shape[1])

    @property
    def n_features(self) -> int:
        """n[0]."""
        return int(self.inputs.shape[0]) - 1 if self.basis is None else len(self.basis)

    @property
    def n_networks(self) -> int:
        """F."""
        return int(self.held_out.shape[0])

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """float32 or float64."""
        return self.inputs.dtype

    def save(self, directory: Path) -> None:
        """Write one .npy file per array into an existing directory, for `load` in other processes."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, TrainingData):
                (directory / field.name).mkdir()
                value.save(directory / field.name)
            elif value is not None:
                np.save(directory / f"{field.name}.npy", value, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path) -> "TrainingData":
        """Map the arrays that `save` wrote into memory, read-only: all processes of a machine share one copy."""

        def mapped(name: str) -> npt.NDArray[Any]:
            array: npt.NDArray[Any] = np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            return np.asarray(array)  # the same memory without np.memmap's Python-level cost in every ufunc

        def mapped_if_there(name: str) -> npt.NDArray[Any] | None:
            return mapped(name) if (directory / f"{name}.npy").exists() else None

        unreduced = directory / "unreduced"
        return cls(
            inputs=mapped("inputs"),
            targets=mapped("targets"),
            held_out=mapped("held_out"),
            gram=mapped_if_there("gram"),
            columns=mapped("columns"),
            training_inputs=mapped("training_inputs"),
            validation_inputs=mapped("validation_inputs"),
            rows=mapped_if_there("rows"),
            basis=mapped_if_there("basis"),
            weights=mapped_if_there("weights"),
            unreduced=cls.load(unreduced) if unreduced.exists() else None,
        )


def _rotated(X: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Q (n[0], r) with orthonormal columns and R (r, m), so that X = Q R, by singular values; r is the rank of X.

    Directions in which examples differ by rounding alone are left out. AdamW, which divides a gradient by its size,
    would move as far along them as along the others: without effect on these examples, but with one on new ones.
    """
    U, lengths, V = np.linalg.svd(X, full_matrices=False)
    is_kept = lengths > lengths.max(initial=0) * max(X.shape) * np.finfo(X.dtype).eps  # as `np.linalg.matrix_rank` does
    return U[:, is_kept], lengths[is_kept, np.newaxis] * V[is_kept]


def _stacked(arrays: list[FloatArray]) -> FloatArray:
    return np.stack(arrays, out=empty((len(arrays), *arrays[0].shape), arrays[0].dtype))


def _largest(chosen: BoolArray) -> int:
    """Largest number of examples chosen for any one network, from (F, m)."""
    return int(chosen.sum(axis=1).max())
