"""The examples a stack of networks trains on, prepared once and shared by all trials and workers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.activations import BoolArray, Float64Array, FloatArray
from engine.errors import ShapeError
from engine.folds import Folds, IndexArray
from engine.heads import Head
from engine.memory import copied, empty, mapped, mapped_if_there
from engine.own_inputs import OwnInputs
from engine.raw_rows import RawRows
from engine.rotation import rotated


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Examples, targets and folds.

    Each network has its own copy of the columns it trains on, so that no operation is spent on what it holds out, and
    of those it holds out, for validation. With F folds that takes F times the memory of X, once per machine. Of large
    data there is one copy for all, `raw`, of which minibatches are made: then `inputs`, `gram`, `training_inputs`,
    `validation_inputs` and `rows` are None.

    Attributes:
        inputs: [X; 1], (n[0] + 1, m): the last row of ones carries the biases. (F, n[0] + 1, m) where each network has
            its own X, as one whose scaling is fitted to the columns that it trains on.
        targets: Y, (n[L], m); (F, n[L], m) where each network has its own.
        held_out: (F, m); True where network f does not train on the example.
        validated: (F, m); True where it is validated on the example, which it holds out: on all of these, unless some
            are only there to be trained on by other networks, as copies of examples are, and what comes later in time.
        gram: K = [X; 1]^T [X; 1], (m, m) or (F, m, m) in float64, present where the first layer is trained in the span
            of the examples (`engine.stack`), which is the same algorithm with fewer operations. Else None.
        columns: (F, max(m, m_t)): indices of all m examples in each network's own order, those it trains on first
            and those it is validated on last; padded with index 0 if m_t > m. With `raw`, (F, m_v): the last alone.
        training_inputs: (F, k, m_t): inputs of the first m_t of those columns, where m_t is at least the largest number
            of examples that any network trains on: [X; 1], or K[trained on, trained on] if the first layer is reduced.
            Columns beyond a network's own, there because another network trains on more or because rows are padded to
            whole cache lines, have no weight (`engine.stack`).
        validation_inputs: (F, k, m_v): inputs of the last m_v of the m examples, where m_v is the largest number that
            any network is validated on: [X; 1], or K[trained on, validated on]. One that is validated on fewer has
            others among them.
        rows: [X; 1]^T, (m, n[0] + 1) or (F, m, n[0] + 1), from which minibatches are gathered; None where the first
            layer is reduced.
        basis: Q, (n[0], r) or (F, n[0], r) with orthonormal columns, if X has been rotated: `inputs` is [R; 1] then,
            (r + 1, m), where X = Q R has rank r. Else None.
        weights: (2, m): how much an example counts in the cost that is trained, and in what networks are validated by.
            None is 1 for each.
        units: (F,): how many original units a unit of each network's targets is; None is 1 for each.
        unreduced: Where the first layer is reduced: the same examples for a training that leaves their span; X itself,
            or R if there are more features than examples. Else None, and where no training leaves it.
        raw: The examples before scaling, for trainings on minibatches alone; else None.
    """

    inputs: FloatArray | None
    targets: FloatArray
    held_out: BoolArray
    validated: BoolArray
    gram: Float64Array | None
    columns: IndexArray
    training_inputs: FloatArray | None
    validation_inputs: FloatArray | None
    rows: FloatArray | None = None
    basis: FloatArray | None = None
    weights: Float64Array | None = None
    units: Float64Array | None = None
    unreduced: "TrainingData | None" = None
    raw: RawRows | None = None

    @classmethod
    def of(
        cls,
        X: FloatArray,
        Y: FloatArray,
        held_out: BoolArray,
        dtype: npt.DTypeLike = np.float64,
        *,
        reduce: bool | None = None,
        leaves_span: bool = True,
        validated: BoolArray | None = None,
    ) -> "TrainingData":
        """Prepare arrays for training.

        Args:
            X: (n[0], m), scaled.
            Y: (n[L], m).
            held_out: (F, m).
            dtype: float32 or float64, in which networks are trained. The Gram matrix is summed in float64 either way.
            reduce: Whether to train the first layer in the span of the examples; None: if that is faster.
            leaves_span: Whether a training may leave that span (`Hyperparameters.leaves_span`). False saves the time
                and the memory of `unreduced`; such a training is then refused.
            validated: (F, m), see the attribute; None is all that are held out.
        Raises:
            ShapeError: The numbers of examples differ, or a fold trains on none.
        """
        _check(X, Y, held_out)
        return cls._prepared(X, Y, Folds.of(held_out, validated), dtype, reduce, leaves_span)

    @classmethod
    def of_networks(
        cls,
        own: Iterable[tuple[FloatArray, FloatArray]],
        held_out: BoolArray,
        dtype: npt.DTypeLike = np.float64,
        *,
        reduce: bool | None = None,
        leaves_span: bool = True,
        validated: BoolArray | None = None,
    ) -> "TrainingData":
        """Prepare arrays for networks that each have their own X and Y of the same examples.

        Args:
            own: X (n[0], m) and Y (n[L], m) of each of the F networks, one after the other. They share the targets if
                these are the same for all.
            held_out: (F, m).
            dtype, reduce, leaves_span, validated: As in `of`.
        Raises:
            ShapeError: As in `of`, or shapes differ between networks.
        """
        folds, networks, targets = Folds.of(held_out, validated), [], []
        inputs: OwnInputs | None = None
        for (X, Y), of_network in zip(own, folds.each(), strict=True):
            _check(X, Y, of_network.held_out)
            targets.append(Y)
            if folds.is_reduced(len(X), reduce):
                networks.append(cls._prepared(X, Y, of_network, dtype, reduce, leaves_span))
                continue
            inputs = inputs or OwnInputs(len(X), folds, np.dtype(dtype))  # large: no network is there twice
            inputs.put(X)
        shares_targets = all(np.array_equal(Y, targets[0]) for Y in targets)
        if inputs is None:
            return cls._together(networks, shares_targets=shares_targets)
        return cls(
            inputs=inputs.rows.mT,
            targets=(targets[0] if shares_targets else np.stack(targets)).astype(dtype),
            held_out=folds.held_out,
            validated=folds.validated,
            gram=None,
            columns=inputs.columns,
            training_inputs=inputs.training,
            validation_inputs=inputs.validation,
            rows=inputs.rows,
        )

    @classmethod
    def of_raw(
        cls,
        raw: RawRows,
        Y: FloatArray,
        held_out: BoolArray,
        dtype: npt.DTypeLike = np.float64,
        *,
        validated: BoolArray | None = None,
    ) -> "TrainingData":
        """Examples that are scaled when they are trained on, for trainings on minibatches alone.

        They train networks to the bits of `of`, or `of_networks`, with the scaled X.

        Args:
            raw: The examples, and each network's scaling.
            Y: (n[L], m), or (F, n[L], m) where each network has its own.
            held_out: (F, m).
            dtype, validated: As in `of`.
        Raises:
            ShapeError: As in `of`.
        """
        _check(raw.values.T, Y[0] if Y.ndim == 3 else Y, held_out)
        folds = Folds.of(held_out, validated)
        return cls(
            inputs=None,
            targets=Y.astype(dtype),
            held_out=folds.held_out,
            validated=folds.validated,
            gram=None,
            columns=folds.validation_columns(),
            training_inputs=None,
            validation_inputs=None,
            raw=raw,
        )

    @classmethod
    def _prepared(
        cls,
        X: FloatArray,
        Y: FloatArray,
        folds: Folds,
        dtype: npt.DTypeLike,
        reduce: bool | None,
        leaves_span: bool,
    ) -> "TrainingData":
        m = X.shape[1]
        Y = Y.astype(dtype)
        if not folds.is_reduced(len(X), reduce):
            return cls._divided(_with_ones(X, dtype), Y, folds, None)
        inputs = np.vstack([X, np.ones((1, m))])
        data = cls._divided(copied(inputs, dtype), Y, folds, inputs.T @ inputs)
        if not leaves_span:
            return data
        basis = None
        if X.shape[0] > m:
            basis, coordinates = rotated(X.astype(np.float64, copy=False))
            inputs = np.vstack([coordinates, np.ones((1, m))])
        unreduced = cls._divided(copied(inputs, dtype), Y, folds, None)
        return replace(data, unreduced=replace(unreduced, basis=None if basis is None else basis.astype(dtype)))

    @classmethod
    def _together(cls, networks: "list[TrainingData]", *, shares_targets: bool) -> "TrainingData":
        """Data of F networks from those of each, F = 1; ranks that differ are filled up with coordinates that are 0."""
        first = networks[0]
        if first.basis is not None:
            rank = max(network.basis.shape[1] for network in networks if network.basis is not None)
            networks = [_of_rank(network, rank) for network in networks]

        def stacked(name: str) -> npt.NDArray[Any]:
            return _stacked([getattr(network, name) for network in networks])

        def stacked_of_one(name: str) -> npt.NDArray[Any]:
            return _stacked([getattr(network, name)[0] for network in networks])

        def joined(name: str) -> npt.NDArray[Any]:
            return np.concatenate([getattr(network, name) for network in networks])

        rows = None if first.rows is None else stacked("rows")
        unreduced = [network.unreduced for network in networks if network.unreduced is not None]
        return cls(
            inputs=stacked("inputs") if rows is None else rows.mT,
            targets=first.targets if shares_targets else stacked("targets"),
            held_out=joined("held_out"),
            validated=joined("validated"),
            gram=None if first.gram is None else stacked("gram"),
            columns=joined("columns"),
            training_inputs=stacked_of_one("training_inputs"),
            validation_inputs=stacked_of_one("validation_inputs"),
            rows=rows,
            basis=None if first.basis is None else stacked("basis"),
            unreduced=cls._together(unreduced, shares_targets=shares_targets) if unreduced else None,
        )

    def weighted(self, weights: Float64Array | None) -> "TrainingData":
        """The same examples where they count differently.

        Args:
            weights: (2, m), see `weights`; 0 or more, and above 0 for some that each network trains on. The first row
                is brought to a mean of 1, so that the size of a step does not depend on its unit. None is 1 for each.
        """
        if weights is None:
            return self
        unreduced = None if self.unreduced is None else self.unreduced.weighted(weights)
        counts = np.stack([weights[0] / weights[0].mean(), weights[1]])
        return replace(self, weights=counts, unreduced=unreduced)

    def in_units(self, units: Float64Array) -> "TrainingData":
        """The same examples, whose targets have these units, (F,): see `units`."""
        unreduced = None if self.unreduced is None else self.unreduced.in_units(units)
        return replace(self, units=units, unreduced=unreduced)

    def of_all_examples(self) -> "TrainingData":
        """The same examples for one network that trains on all of them; not where each network has its own X."""
        assert not self.has_own_inputs, "no X belongs to all examples"
        nothing = Folds.of(np.zeros((1, self.n_examples), np.bool_))
        assert self.inputs is not None, "has_own_inputs is True without"
        data = self._divided(self.inputs, self.targets, nothing, self.gram)
        unreduced = None if self.unreduced is None else self.unreduced.of_all_examples()
        return replace(data, basis=self.basis, weights=self.weights, unreduced=unreduced)

    @classmethod
    def _divided(
        cls,
        inputs: FloatArray,
        targets: FloatArray,
        folds: Folds,
        gram: Float64Array | None,
    ) -> "TrainingData":
        n_networks, m = folds.held_out.shape
        columns, n_training = folds.columns(inputs.dtype)
        rows = inputs if gram is None else copied(gram, inputs.dtype)
        n_validation = folds.n_validation

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
        return cls(
            inputs=inputs,
            targets=targets,
            held_out=folds.held_out,
            validated=folds.validated,
            gram=gram,
            columns=columns,
            training_inputs=training_inputs,
            validation_inputs=validation_inputs,
            rows=rows_of_examples,
        )

    @property
    def training_columns(self) -> IndexArray:
        """(F, m_t): the example that each column of `training_inputs` holds."""
        assert self.training_inputs is not None, "of raw examples there are minibatches only"
        return self.columns[:, : self.training_inputs.shape[-1]]

    @property
    def validation_columns(self) -> IndexArray:
        """(F, m_v): the example that each column of `validation_inputs` holds, or would hold."""
        if self.validation_inputs is None:
            return self.columns
        return self.columns[:, self.n_examples - self.validation_inputs.shape[-1] : self.n_examples]

    def answers(self, logits: FloatArray, head: Head) -> Iterator[tuple[FloatArray, FloatArray, Float64Array | None]]:
        """What each network says of the columns that it is validated on, A[L] (n[L], m_f), with Y and their weights.

        All in float64 and in original units, as far as these are known; targets may lack a constant.

        Args:
            logits: Z[L] of the validation columns, (F, n[L], m_v).
            head: Makes A[L] of it.
        """
        columns = self.validation_columns
        units = np.ones(self.n_networks) if self.units is None else self.units
        parts = zip(logits, self.targets_of(columns), columns, self.validated, units, strict=True)
        for Z, Y, which, validated, unit in parts:
            is_own = validated[which]  # where folds differ in size, columns of another network fill up
            A = head.outputs(Z[:, is_own].astype(np.float64))
            weights = None if self.weights is None else self.weights[1, which[is_own]]
            yield unit * A, unit * Y[:, is_own].astype(np.float64), weights

    def spread(self, C: FloatArray) -> FloatArray:
        """Spread C (F, n, m_t), one column per training example, over all m examples: (F, n, m), 0 elsewhere."""
        everywhere = np.zeros((*C.shape[:2], self.n_examples), C.dtype)
        m = self.n_examples  # columns beyond it repeat the first example, without weight
        for all_columns, own_columns, which in zip(everywhere, C, self.training_columns, strict=True):
            all_columns[:, which[:m]] = own_columns[:, :m]
        return everywhere

    def targets_of(self, which: IndexArray) -> FloatArray:
        """Targets of the columns (F, m') of each network, (F, n[L], m')."""
        if self.targets.ndim == 3:
            return np.take_along_axis(self.targets, which[:, np.newaxis], axis=2)
        return np.ascontiguousarray(np.moveaxis(self.targets[:, which], 1, 0))

    @property
    def has_own_inputs(self) -> bool:
        """Whether each network has its own X, or makes it of raw examples."""
        return self.inputs is None or self.inputs.ndim == 3

    @property
    def n_examples(self) -> int:
        """m."""
        return int(self.held_out.shape[1])

    @property
    def n_features(self) -> int:
        """n[0]."""
        if self.raw is not None:
            return self.raw.n_features
        assert self.inputs is not None, "there are inputs, or raw examples"
        return int(self.inputs.shape[-2]) - 1 if self.basis is None else int(self.basis.shape[-2])

    @property
    def n_rows_of_inputs(self) -> int:
        """k, the rows of what passes through the first layer."""
        return self.n_features + 1 if self.training_inputs is None else int(self.training_inputs.shape[1])

    @property
    def n_outputs(self) -> int:
        """n[L]."""
        return int(self.targets.shape[-2])

    @property
    def n_networks(self) -> int:
        """F."""
        return int(self.held_out.shape[0])

    @property
    def _are_rows_inputs(self) -> bool:
        """Whether `inputs` are a view of `rows`."""
        return self.has_own_inputs and self.rows is not None

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """float32 or float64."""
        return self.targets.dtype

    def save(self, directory: Path) -> None:
        """Write one .npy file per array into an existing directory, for `load` in other processes."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, TrainingData | RawRows):
                (directory / field.name).mkdir()
                value.save(directory / field.name)
            elif value is not None and not (field.name == "inputs" and self._are_rows_inputs):
                np.save(directory / f"{field.name}.npy", value, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path) -> "TrainingData":
        """Map the arrays that `save` wrote into memory, read-only: all processes of a machine share one copy."""

        def there(name: str) -> npt.NDArray[Any] | None:
            return mapped_if_there(directory / f"{name}.npy")

        targets, held_out, validated, columns = (
            mapped(directory / f"{name}.npy") for name in ("targets", "held_out", "validated", "columns")
        )
        inputs, rows = there("inputs"), there("rows")
        unreduced, raw = directory / "unreduced", directory / "raw"
        return cls(
            inputs=rows.mT if inputs is None and rows is not None else inputs,
            targets=targets,
            held_out=held_out,
            validated=validated,
            gram=there("gram"),
            columns=columns,
            training_inputs=there("training_inputs"),
            validation_inputs=there("validation_inputs"),
            rows=rows,
            basis=there("basis"),
            weights=there("weights"),
            units=there("units"),
            unreduced=cls.load(unreduced) if unreduced.exists() else None,
            raw=RawRows.load(raw) if raw.exists() else None,
        )


def _with_ones(X: FloatArray, dtype: npt.DTypeLike) -> FloatArray:
    """[X; 1] in another dtype."""
    inputs = empty((X.shape[0] + 1, X.shape[1]), dtype)
    inputs[:-1] = X
    inputs[-1] = 1
    return inputs


def _check(X: FloatArray, Y: FloatArray, held_out: BoolArray) -> None:
    m = X.shape[-1]
    if X.ndim != 2 or Y.ndim != 2 or Y.shape[1] != m or held_out.ndim != 2 or held_out.shape[1] != m:
        raise ShapeError(
            f"X has shape {X.shape}, Y {Y.shape}, held_out {held_out.shape}. All three are matrices with one "
            "column per example; transpose or select the same examples in each."
        )


def _of_rank(data: TrainingData, rank: int) -> TrainingData:
    """Coordinates in a basis of more columns: the added ones are 0, in the basis as in the examples.

    A gradient there is 0, and so is a weight, so no optimizer moves along them.
    """
    assert data.basis is not None
    n_added = rank - data.basis.shape[1]

    def filled(name: str, axis: int) -> FloatArray:
        array = getattr(data, name)
        return np.insert(array, [array.shape[axis] - 1] * n_added, 0, axis=axis)  # before the ones

    return replace(
        data,
        inputs=filled("inputs", 0),
        training_inputs=filled("training_inputs", 1),
        validation_inputs=filled("validation_inputs", 1),
        rows=None if data.rows is None else filled("rows", 1),
        basis=np.pad(data.basis, [(0, 0), (0, n_added)]),
    )


def _stacked(arrays: list[FloatArray]) -> FloatArray:
    return np.stack(arrays, out=empty((len(arrays), *arrays[0].shape), arrays[0].dtype))
