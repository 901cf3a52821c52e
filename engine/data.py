"""The examples a stack of networks trains on, prepared once and shared by all trials and workers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.activations import BoolArray, Float64Array, FloatArray
from engine.errors import ShapeError
from engine.folds import Folds, IndexArray
from engine.heads import Head
from engine.inputs import Inputs, forms
from engine.memory import mapped, mapped_if_there, written
from engine.own_inputs import OwnInputs
from engine.raw_rows import RawRows


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Examples, targets and folds.

    Attributes:
        inputs: What passes through the first layers. Of large data, for trainings on minibatches alone, the examples
            before scaling: one copy for all networks.
        targets: Y, (n[L], m); (F, n[L], m) where each network has its own.
        held_out: (F, m); True where network f does not train on the example.
        validated: (F, m); True where it is validated on the example, which it holds out: on all of these, unless some
            are only there to be trained on by other networks, as copies of examples are, and what comes later in time.
        validation_columns: (F, m_v): the examples that are validated side by side, where m_v is the largest number that
            any network is validated on; one that is validated on fewer has others among them.
        weights: (2, m): how much an example counts in the cost that is trained, and in what networks are validated by.
            None is 1 for each.
        units: (F,): how many original units a unit of each network's targets is; None is 1 for each.
        unreduced: Where the first layer is reduced: the same examples for a training that leaves their span; X itself,
            or R if there are more features than examples. Else None, and where no training leaves it.
    """

    inputs: Inputs | RawRows
    targets: FloatArray
    held_out: BoolArray
    validated: BoolArray
    validation_columns: IndexArray
    weights: Float64Array | None = None
    units: Float64Array | None = None
    unreduced: "TrainingData | None" = None

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
        folds = Folds.of(held_out, validated)
        return cls._of(forms(X, folds, dtype, reduce=reduce, leaves_span=leaves_span), Y.astype(dtype), folds)

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
        folds, targets = Folds.of(held_out, validated), []
        reduced: list[Inputs] = []
        unreduced: list[Inputs] = []
        plain: OwnInputs | None = None
        for (X, Y), of_network in zip(own, folds.each(), strict=True):
            _check(X, Y, of_network.held_out)
            targets.append(Y)
            if folds.is_reduced(len(X), reduce):
                form, other = forms(X, of_network, dtype, reduce=reduce, leaves_span=leaves_span)
                reduced.append(form)
                unreduced += [] if other is None else [other]
                continue
            plain = plain or OwnInputs(len(X), folds, np.dtype(dtype))  # large: no network is there twice
            plain.put(X)
        shares_targets = all(np.array_equal(Y, targets[0]) for Y in targets)
        Y = (targets[0] if shares_targets else np.stack(targets)).astype(dtype)
        if plain is not None:
            return cls._of((plain.inputs, None), Y, folds)
        return cls._of((Inputs.together(reduced), Inputs.together(unreduced) if unreduced else None), Y, folds)

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
        return cls(raw, Y.astype(dtype), folds.held_out, folds.validated, folds.validation_columns())

    @classmethod
    def _of(cls, both: tuple[Inputs, Inputs | None], Y: FloatArray, folds: Folds) -> "TrainingData":
        """Data whose inputs have two forms, or one."""
        inputs, unreduced = both
        data = cls(inputs, Y, folds.held_out, folds.validated, inputs.validation_columns)
        return data if unreduced is None else replace(data, unreduced=replace(data, inputs=unreduced))

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

    def row_by_row(self) -> "TrainingData":
        """The same examples; raw ones with contiguous rows, for a worker that has no file of them."""
        if self.raw is None:
            return self
        return replace(self, inputs=replace(self.raw, values=np.ascontiguousarray(self.raw.values)))

    def of_all_examples(self) -> "TrainingData":
        """The same examples for one network that trains on all of them; not where each network has its own X."""
        assert not self.has_own_inputs, "no X belongs to all examples"
        nothing = Folds.of(np.zeros((1, self.n_examples), np.bool_))
        inputs = self.scaled.divided_anew(nothing)
        return replace(
            self,
            inputs=inputs,
            held_out=nothing.held_out,
            validated=nothing.validated,
            validation_columns=inputs.validation_columns,
            units=None,
            unreduced=None if self.unreduced is None else self.unreduced.of_all_examples(),
        )

    @property
    def scaled(self) -> Inputs:
        """`inputs`, which are no raw examples."""
        assert isinstance(self.inputs, Inputs), "of raw examples there are minibatches only"
        return self.inputs

    @property
    def raw(self) -> RawRows | None:
        """`inputs`, if they are raw examples."""
        return None if isinstance(self.inputs, Inputs) else self.inputs

    @property
    def gram(self) -> Float64Array | None:
        """K, where the first layer is reduced: trained in the span of the examples, with fewer operations."""
        return None if isinstance(self.inputs, RawRows) else self.inputs.gram

    @property
    def basis(self) -> FloatArray | None:
        """Q, where X = Q R has been rotated."""
        return None if isinstance(self.inputs, RawRows) else self.inputs.basis

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
        for all_columns, own_columns, which in zip(everywhere, C, self.scaled.training_columns, strict=True):
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
        return isinstance(self.inputs, RawRows) or self.inputs.with_ones.ndim == 3

    @property
    def n_examples(self) -> int:
        """m."""
        return int(self.held_out.shape[1])

    @property
    def n_features(self) -> int:
        """n[0]."""
        return self.inputs.n_features

    @property
    def n_rows_of_inputs(self) -> int:
        """k, the rows of what passes through the first layer."""
        return self.n_features + 1 if isinstance(self.inputs, RawRows) else int(self.inputs.training.shape[1])

    @property
    def n_outputs(self) -> int:
        """n[L]."""
        return int(self.targets.shape[-2])

    @property
    def n_networks(self) -> int:
        """F."""
        return int(self.held_out.shape[0])

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """float32 or float64."""
        return self.targets.dtype

    def save(self, directory: Path) -> None:
        """Write one .npy file per array into an existing directory, for `load` in other processes."""
        parts = {"inputs" if self.raw is None else "raw": self.inputs, "unreduced": self.unreduced}
        for name, part in parts.items():
            if part is not None:
                (directory / name).mkdir()
                part.save(directory / name)
        written(
            directory,
            targets=self.targets,
            held_out=self.held_out,
            validated=self.validated,
            validation_columns=self.validation_columns,
            weights=self.weights,
            units=self.units,
        )

    @classmethod
    def load(cls, directory: Path) -> "TrainingData":
        """Map the arrays that `save` wrote into memory, read-only: all processes of a machine share one copy."""
        raw, unreduced = directory / "raw", directory / "unreduced"
        targets, held_out, validated, validation_columns = (
            mapped(directory / f"{name}.npy") for name in ("targets", "held_out", "validated", "validation_columns")
        )
        return cls(
            inputs=RawRows.load(raw) if raw.exists() else Inputs.load(directory / "inputs"),
            targets=targets,
            held_out=held_out,
            validated=validated,
            validation_columns=validation_columns,
            weights=mapped_if_there(directory / "weights.npy"),
            units=mapped_if_there(directory / "units.npy"),
            unreduced=cls.load(unreduced) if unreduced.exists() else None,
        )


def _check(X: FloatArray, Y: FloatArray, held_out: BoolArray) -> None:
    m = X.shape[-1]
    if X.ndim != 2 or Y.ndim != 2 or Y.shape[1] != m or held_out.ndim != 2 or held_out.shape[1] != m:
        raise ShapeError(
            f"X has shape {X.shape}, Y {Y.shape}, held_out {held_out.shape}. All three are matrices with one "
            "column per example; transpose or select the same examples in each."
        )
