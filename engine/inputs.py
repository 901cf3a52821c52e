"""What passes through the first layer of each network of a stack, in one of three forms, made once and shared by all.

plain    [X; 1]
reduced  K = [X; 1]^T [X; 1]: the first layer is trained in the span of the examples (`engine.stack`)
rotated  [R; 1] with X = Q R: coordinates of wide data, for trainings that leave the span
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.activations import Float64Array, FloatArray
from engine.folds import Folds, IndexArray
from engine.memory import copied, empty, mapped, mapped_if_there, written
from engine.rotation import rotated


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs of F networks, each with its own copy of the columns that it trains on and of those it is validated on.

    So no operation is spent on what it holds out; it takes F times the memory of X, once per machine.

    Attributes:
        with_ones: [X; 1], (n[0] + 1, m): the last row of ones carries the biases; [R; 1], (r + 1, m), if rotated.
            (F, n[0] + 1, m) where each network has its own X, as one whose scaling is fitted to the columns that it
            trains on.
        columns: (F, max(m, m_t)): indices of all m examples in each network's own order, those it trains on first
            and those it is validated on last; padded with index 0 if m_t > m.
        training: (F, k, m_t): inputs of the first m_t of those columns, where m_t is at least the largest number of
            examples that any network trains on: [X; 1], or K[trained on, trained on] if reduced. Columns beyond a
            network's own, there because another network trains on more or because rows are padded to whole cache
            lines, have no weight (`engine.stack`).
        validation: (F, k, m_v): inputs of the last m_v of the m examples, where m_v is the largest number that any
            network is validated on: [X; 1], or K[trained on, validated on]. One that is validated on fewer has others
            among them.
        gram: K, (m, m) or (F, m, m) in float64; None unless reduced.
        rows: [X; 1]^T, (m, n[0] + 1) or (F, m, n[0] + 1), from which minibatches are gathered; None if reduced.
        basis: Q, (n[0], r) or (F, n[0], r) with orthonormal columns, where r is the rank of X; None unless rotated.
    """

    with_ones: FloatArray
    columns: IndexArray
    training: FloatArray
    validation: FloatArray
    gram: Float64Array | None = None
    rows: FloatArray | None = None
    basis: FloatArray | None = None

    @classmethod
    def divided(cls, with_ones: FloatArray, folds: Folds, gram: Float64Array | None = None) -> "Inputs":
        """[X; 1] or [R; 1], the same for all networks, divided into the columns of each; reduced if there is K."""
        n_networks, m = folds.held_out.shape
        columns, n_training = folds.columns(with_ones.dtype)
        source = with_ones if gram is None else copied(gram, with_ones.dtype)
        n_validation = folds.n_validation

        def inputs_of(own: IndexArray, part: slice) -> FloatArray:
            there = source if gram is None else source[own[:n_training]]
            return there.take(own[part], axis=1)

        if n_validation == 0:
            same = source if n_training == m else copied(inputs_of(columns[0], slice(n_training)))
            training = np.broadcast_to(same, (n_networks, *same.shape))
            validation = np.empty((n_networks, len(same), 0), with_ones.dtype)
        else:
            training, validation = (
                _stacked([inputs_of(own, part) for own in columns])
                for part in (slice(n_training), slice(m - n_validation, m))
            )
        rows = np.ascontiguousarray(with_ones.T) if gram is None else None
        return cls(with_ones, columns, training, validation, gram, rows)

    @classmethod
    def together(cls, networks: "list[Inputs]") -> "Inputs":
        """Those of F networks from those of each, F = 1; ranks that differ are filled up with coordinates of 0."""
        first = networks[0]
        if first.basis is not None:
            rank = max(network.basis.shape[1] for network in networks if network.basis is not None)
            networks = [network._of_rank(rank) for network in networks]

        def stacked(name: str) -> npt.NDArray[Any]:
            return _stacked([getattr(network, name) for network in networks])

        rows = None if first.rows is None else stacked("rows")
        return cls(
            with_ones=stacked("with_ones") if rows is None else rows.mT,
            columns=np.concatenate([network.columns for network in networks]),
            training=_stacked([network.training[0] for network in networks]),
            validation=_stacked([network.validation[0] for network in networks]),
            gram=None if first.gram is None else stacked("gram"),
            rows=rows,
            basis=None if first.basis is None else stacked("basis"),
        )

    def _of_rank(self, rank: int) -> "Inputs":
        """Coordinates in a basis of more columns: the added ones are 0, in the basis as in the examples.

        A gradient there is 0, and so is a weight, so no optimizer moves along them.
        """
        assert self.basis is not None
        n_added = rank - self.basis.shape[1]

        def filled(array: FloatArray, axis: int) -> FloatArray:
            return np.insert(array, [array.shape[axis] - 1] * n_added, 0, axis=axis)  # before the ones

        return replace(
            self,
            with_ones=filled(self.with_ones, 0),
            training=filled(self.training, 1),
            validation=filled(self.validation, 1),
            rows=None if self.rows is None else filled(self.rows, 1),
            basis=np.pad(self.basis, [(0, 0), (0, n_added)]),
        )

    def divided_anew(self, folds: Folds) -> "Inputs":
        """The same examples for other networks, which share them."""
        return replace(self.divided(self.with_ones, folds, self.gram), basis=self.basis)

    @property
    def training_columns(self) -> IndexArray:
        """(F, m_t): the example that each column of `training` holds."""
        return self.columns[:, : self.training.shape[-1]]

    @property
    def validation_columns(self) -> IndexArray:
        """(F, m_v): the example that each column of `validation` holds."""
        m = self.with_ones.shape[-1]
        return self.columns[:, m - self.validation.shape[-1] : m]

    @property
    def n_features(self) -> int:
        """n[0]."""
        return int(self.with_ones.shape[-2]) - 1 if self.basis is None else int(self.basis.shape[-2])

    def save(self, directory: Path) -> None:
        """Write one .npy file per array into an existing directory, for `load`."""
        is_view = self.with_ones.ndim == 3 and self.rows is not None
        written(
            directory,
            with_ones=None if is_view else self.with_ones,
            columns=self.columns,
            training=self.training,
            validation=self.validation,
            gram=self.gram,
            rows=self.rows,
            basis=self.basis,
        )

    @classmethod
    def load(cls, directory: Path) -> "Inputs":
        """Map what `save` wrote into memory, read-only."""
        columns, training, validation = (
            mapped(directory / f"{name}.npy") for name in ("columns", "training", "validation")
        )
        with_ones, gram, rows, basis = (
            mapped_if_there(directory / f"{name}.npy") for name in ("with_ones", "gram", "rows", "basis")
        )
        if with_ones is None:
            assert rows is not None, "it is a view of rows"
            with_ones = rows.mT
        return cls(with_ones, columns, training, validation, gram, rows, basis)


def forms(
    X: FloatArray, folds: Folds, dtype: npt.DTypeLike, *, reduce: bool | None, leaves_span: bool
) -> tuple[Inputs, Inputs | None]:
    """X (n[0], m) in the form that is fastest; where that is reduced, also in one for trainings that leave the span.

    Args:
        X, folds: Of networks that share X.
        dtype, reduce, leaves_span: As in `engine.data.TrainingData.of`. Without `leaves_span` the second form is None.
    """
    m = X.shape[1]
    if not folds.is_reduced(len(X), reduce):
        with_ones: FloatArray = empty((len(X) + 1, m), dtype)
        with_ones[:-1] = X
        with_ones[-1] = 1
        return Inputs.divided(with_ones, folds), None
    exact = np.vstack([X, np.ones((1, m))])
    reduced = Inputs.divided(copied(exact, dtype), folds, exact.T @ exact)
    if not leaves_span:
        return reduced, None
    if len(X) <= m:
        return reduced, Inputs.divided(copied(exact, dtype), folds)
    basis, coordinates = rotated(X.astype(np.float64, copy=False))
    exact = np.vstack([coordinates, np.ones((1, m))])
    return reduced, replace(Inputs.divided(copied(exact, dtype), folds), basis=basis.astype(dtype))


def _stacked(arrays: list[FloatArray]) -> FloatArray:
    return np.stack(arrays, out=empty((len(arrays), *arrays[0].shape), arrays[0].dtype))
