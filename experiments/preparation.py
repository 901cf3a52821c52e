"""From a data set to what the engine trains on: columns, targets and held-out masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.dataset import Dataset, split_off
from experiments.errors import InputError
from experiments.example_weights import ClassWeight, example_weights
from experiments.mirror_images import mirrored
from experiments.preprocessing import Preprocessing
from experiments.random_splits import folds_of
from experiments.scaling import FloatArray, Scaling, standardization
from experiments.splits import Split, refuse_repeats, related_folds

_NUMBERS_AT_ONCE = 2**20  # 8 MB, of which scaling makes two or three copies


@dataclass(frozen=True, slots=True)
class TargetScaling:
    """Targets as trained = (original - offset) / scale. Classes are not scaled: offset 0, scale 1."""

    offset: float = 0.0
    scale: float = 1.0

    def scaled(self, Y: FloatArray) -> FloatArray:
        """Bring targets from original units into the form that is trained on, same shape."""
        return (Y - self.offset) / self.scale

    def to_original(self, Y: NDArray[np.floating]) -> FloatArray:
        """Bring targets or predictions from the trained form back to original units, same shape, float64."""
        return np.asarray(Y, dtype=np.float64) * self.scale + self.offset


@dataclass(frozen=True, slots=True, eq=False)
class FoldScaling:
    """What a fold learned of features and targets from the examples that it trains on."""

    preprocessing: Preprocessing
    target_scaling: TargetScaling


@dataclass(frozen=True, slots=True, eq=False)
class PreparedData:
    """What the engine trains on; columns are examples.

    Attributes:
        Y: (n[L], m) float64: one row of 0 and 1 (binary), one-hot rows (multiclass), one row of scaled
            targets (regression).
        held_out: (F, m): True where fold f does not train on the column.
        validated: (F, m): True where it is validated on the column, which it holds out: on all of these, unless they
            come later than what it is validated on.
        preprocessing: The map from raw inputs to X.
        target_scaling: The map between Y and original units.
        weights: (2, m): how much each column counts in the cost that is trained, and in what models are judged by; None
            is 1 for each.
        dataset: The data set that all of this was made from.
        folds: Each fold's own scaling; empty where folds share X and Y.
        n_starts: How often each fold is there: networks that begin with different weights. The folds of the first start
            come first, then the same of the second.
        repeats: How often the examples are divided; the folds of the first division come first.
        encoded: (m, n0), what the folds scale, from `inputs.encoded`, for tables of numbers a view of these; None where
            they share X.
    """

    Y: FloatArray
    held_out: NDArray[np.bool_]
    validated: NDArray[np.bool_]
    preprocessing: Preprocessing
    target_scaling: TargetScaling
    dataset: Dataset
    weights: FloatArray | None = None
    folds: tuple[FoldScaling, ...] = ()
    encoded: NDArray[Any] | None = None
    n_starts: int = 1
    repeats: int = 1
    has_mirror_images: bool = False
    notes: tuple[str, ...] = ()

    @property
    def X(self) -> FloatArray:  # noqa: N802
        """(n0, m) float64, C-contiguous; made anew whenever it is asked for, since most of the time nobody needs it."""
        if self.encoded is not None:
            return self.preprocessing.of_encoded(self.encoded)
        return self.preprocessing.transform(self.dataset.X_train, f"{self.dataset.source} (training examples)")

    @property
    def X_test(self) -> FloatArray:  # noqa: N802
        """(n0, m_test), sealed; made as X is."""
        return self.preprocessing.transform(self.dataset.X_test, f"{self.dataset.source} (test examples)")

    def parts(self, which: NDArray[np.bool_], fold: int | None = None) -> Iterator[FloatArray]:
        """X of some of the examples, (n0, m'), a few at a time; as a fold's network has them, None as the winner has.

        Args:
            which: (m,).
            fold: Index of the fold.
        """
        X, chosen, place = self.dataset.X_train, np.flatnonzero(which), f"{self.dataset.source} (training examples)"
        own = self.preprocessing if fold is None or not self.folds else self.folds[fold].preprocessing
        for at_once in self._some_at_a_time(len(chosen)):
            part = chosen[at_once]
            if self.encoded is not None:
                yield own.of_encoded(self.encoded[part])
            else:
                yield own.transform(X[part] if isinstance(X, np.ndarray) else X.iloc[part], place)

    def test_parts(self) -> Iterator[FloatArray]:
        """`X_test`, some examples at a time."""
        encoded = self.preprocessing.inputs.encoded(self.dataset.X_test, f"{self.dataset.source} (test examples)")
        for at_once in self._some_at_a_time(len(encoded)):
            yield self.preprocessing.of_encoded(encoded[at_once])

    def _some_at_a_time(self, m: int) -> Iterator[slice]:
        """So many of m examples that scaling them takes little memory."""
        n_at_once = max(1, _NUMBERS_AT_ONCE // self.n_features)
        for start in range(0, m, n_at_once):
            yield slice(start, start + n_at_once)

    @property
    def n_features(self) -> int:
        """n0."""
        return len(self.preprocessing.inputs.is_one_hot)

    @property
    def n_folds(self) -> int:
        """Of all repeats; each is there `n_starts` times."""
        return len(self.held_out) // self.n_starts

    @property
    def n_examples(self) -> int:
        """m."""
        return self.dataset.n_train

    def of_fold(self, fold: int) -> tuple[FloatArray, FloatArray]:
        """X (n0, m) and Y (n[L], m) as a fold's network sees them; Y itself for classes."""
        if not self.folds or self.encoded is None:
            return self.X, self.targets_of_fold(fold)
        return self.folds[fold].preprocessing.of_encoded(self.encoded), self.targets_of_fold(fold)

    def targets_of_fold(self, fold: int) -> FloatArray:
        """Y (n[L], m) as a fold's network sees it; Y itself for classes."""
        if not self.folds or self.folds[fold].target_scaling == self.target_scaling:
            return self.Y
        return _targets(self.dataset.y_train, self.dataset, self.folds[fold].target_scaling)

    def mirror_images(self) -> PreparedData:
        """The mirror images of these pictures, prepared as they are."""
        X_train, shape = self.dataset.X_train, self.dataset.image_shape
        assert isinstance(X_train, np.ndarray), "only pictures have mirror images"
        assert shape is not None, "only pictures have mirror images"
        images = replace(self.dataset, X_train=mirrored(X_train, shape))
        return replace(self, dataset=images, encoded=None if self.encoded is None else mirrored(self.encoded, shape))

    def with_copies(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """Numbers (k, m) that belong to the examples, and again for their mirror images if these are trained on."""
        return np.tile(numbers, (1, 2)) if self.has_mirror_images else numbers

    @property
    def versions(self) -> list[PreparedData]:
        """What networks train on: these examples and, if they are trained on, their mirror images."""
        return [self, self.mirror_images()] if self.has_mirror_images else [self]

    @property
    def target_scalings(self) -> tuple[TargetScaling, ...]:
        """The map between each fold's Y and original units."""
        if not self.folds:
            return (self.target_scaling,) * len(self.held_out)
        return tuple(fold.target_scaling for fold in self.folds)


def prepare(
    dataset: Dataset,
    *,
    scaling: Scaling = "auto",
    folds: int | None = 5,
    validation_fraction: float | None = None,
    nonnegative_target: bool = False,
    class_weight: ClassWeight = "none",
    seed: int = 0,
    n_starts: int = 1,
    scales_folds: bool = False,
    repeats: int = 1,
) -> PreparedData:
    """Scale, encode and divide a data set.

    Scaling of features and targets is fitted on the training examples; with `scales_folds` that of each fold is fitted
    on those that it does not hold out.

    Args:
        dataset: From `load_dataset`.
        scaling: See `Preprocessing.fit`.
        folds: F stratified folds (regression: plain), or None for a hold-out.
        validation_fraction: Share of one stratified hold-out, F = 1, or None for folds.
        nonnegative_target: Regression whose predictions cannot be negative (relu head): targets are divided
            by their deviation and not centred, so that 0 stays 0.
        class_weight: See `example_weights`.
        seed: Decides which examples are held out.
        n_starts: How many networks each fold has.
        scales_folds: Whether folds have their own scaling, as far as there is something to learn. Without, they share
            X and Y, and what they hold out has a part in these.
        repeats: How often the examples are divided, each time anew.

    Raises:
        InputError: Both or neither of folds and validation_fraction are given, there are too few examples for them,
            they would be the same each time they are repeated, the scaling does not suit the data, or targets are too
            large for float64 arithmetic or negative where they must not be.
    """
    if repeats > 1 and dataset.relation_train is not None:
        refuse_repeats(dataset.relation_train, repeats, dataset.source)
    divided = [_divided(dataset, folds, validation_fraction, seed + repeat) for repeat in range(repeats)]
    held_out, validated = (np.vstack(masks) for masks in zip(*divided, strict=True))
    preprocessing = Preprocessing.fit(dataset, scaling)
    target_scaling = _fit_target_scaling(dataset, dataset.y_train, nonnegative_target)
    own: tuple[FoldScaling, ...] = ()
    place, encoded = f"{dataset.source} (training examples)", None
    if scales_folds and preprocessing.is_learned:
        encoded = preprocessing.inputs.encoded(dataset.X_train, place)
    if encoded is not None or (scales_folds and dataset.task == "regression"):
        own = tuple(
            FoldScaling(
                preprocessing if encoded is None else preprocessing.fitted_to(encoded, ~of_fold, place),
                _fit_target_scaling(dataset, dataset.y_train[~of_fold], nonnegative_target),
            )
            for of_fold in held_out
        )
    return PreparedData(
        Y=_targets(dataset.y_train, dataset, target_scaling),
        held_out=np.tile(held_out, (n_starts, 1)),
        validated=np.tile(validated, (n_starts, 1)),
        preprocessing=preprocessing,
        target_scaling=target_scaling,
        dataset=dataset,
        weights=example_weights(dataset, class_weight),
        folds=own * n_starts,
        encoded=encoded,
        n_starts=n_starts,
        repeats=repeats,
    )


def trained_on(versions: Sequence[PreparedData], fold: int | None) -> tuple[FloatArray, FloatArray]:
    """X and Y of what networks train on: of the examples and, after them, of their mirror images if there are any.

    Args:
        versions: The examples, prepared, and their `mirror_images`.
        fold: Whose network; None is one of all examples, as the winner's.
    """
    parts = [(one.X, one.Y) if fold is None else one.of_fold(fold) for one in versions]
    if len(parts) == 1:
        return parts[0]
    X, Y = zip(*parts, strict=True)
    return np.hstack(X), np.hstack(Y)


def one_hot(codes: NDArray[np.generic], n_classes: int) -> FloatArray:
    """Turn class codes 0..C-1, (m,), into columns with a single 1, (C, m)."""
    is_class: NDArray[np.bool_] = codes[np.newaxis, :] == np.arange(n_classes)[:, np.newaxis]
    return is_class.astype(np.float64)


def _divided(
    dataset: Dataset, folds: int | None, validation_fraction: float | None, seed: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What each fold holds out and, of it, what it is validated on, (F, m)."""
    if (folds is None) == (validation_fraction is None):
        raise InputError(
            f"folds = {folds} and validation_fraction = {validation_fraction} are both "
            f"{'absent' if folds is None else 'given'}.",
            "Exactly one of them divides the training examples.",
            "Write folds = 5 or validation_fraction = 0.2.",
        )
    m, place = dataset.n_train, f"{dataset.source} (training examples)"
    if folds is None:
        assert validation_fraction is not None
        how = Split(validation_fraction, seed, "validation_fraction", place)
        _, held = split_off(dataset.y_train, how, dataset.task, dataset.class_names, dataset.relation_train)
        parts = [held]
    elif dataset.relation_train is None:
        parts = _folds(dataset, folds, seed)
    else:
        y = None if dataset.task == "regression" else dataset.y_train
        trained, parts = related_folds(y, dataset.relation_train, folds, seed, place)
        return ~_masks(trained, m), _masks(parts, m)
    validated = _masks(parts, m)
    return validated, validated


def _masks(parts: Sequence[NDArray[np.intp]], m: int) -> NDArray[np.bool_]:
    """(F, m): True in the columns of each part."""
    masks = np.zeros((len(parts), m), dtype=np.bool_)
    for mask, columns in zip(masks, parts, strict=True):
        mask[columns] = True
    return masks


def _folds(dataset: Dataset, folds: int, seed: int) -> list[NDArray[np.intp]]:
    """The held-out columns of each fold."""
    if folds < 2:
        raise InputError(
            f"folds = {folds}: nothing to compare with.",
            "At least 2 folds are needed.",
            "Write folds = 5, or validation_fraction = 0.2 for one hold-out.",
        )
    if dataset.task == "regression":
        smallest, what, n_examples = 0, "training examples", dataset.n_train
    else:
        counts = np.bincount(dataset.y_train, minlength=dataset.n_classes)
        smallest = int(counts.argmin())
        what, n_examples = f"training examples of class '{dataset.class_names[smallest]}'", int(counts.min())
    if n_examples < folds:
        raise InputError(
            f"{dataset.source}: {n_examples} {what} for folds = {folds}.",
            "Every fold needs at least one.",
            _cure_of_few(dataset, smallest, n_examples)
            + (' If these are quantities, write task = "regression".' if dataset.are_whole_numbers else ""),
        )
    return folds_of(dataset.n_train, folds, seed, None if dataset.task == "regression" else dataset.y_train)


def _cure_of_few(dataset: Dataset, smallest: int, n_examples: int) -> str:
    """What to do where there are fewer examples of a class than folds, or of all."""
    if dataset.task == "regression":
        return f"Add examples, or write folds = {n_examples}." if n_examples >= 2 else "Add examples."
    name = dataset.class_names[smallest]
    if n_examples < 2:
        return f"Merge '{name}' with another class, leave its rows out, or add examples."
    return (
        f"Write validation_fraction = 0.2 in place of folds, merge '{name}' with another class, leave its rows out, "
        f"or write folds = {n_examples}."
    )


def _fit_target_scaling(dataset: Dataset, y: NDArray[Any], nonnegative_target: bool) -> TargetScaling:
    if dataset.task != "regression":
        return TargetScaling()
    if nonnegative_target:
        lowest = min(dataset.y_train.min(), dataset.y_test.min())
        if lowest < 0:
            raise InputError(
                f"{dataset.source}: the lowest target is {lowest}, but predictions are to be nonnegative.",
                "Targets must be 0 or more for a relu head.",
                "Correct the targets, or allow negative predictions.",
            )
    offset, scale = standardization(y[:, np.newaxis], [dataset.target or "y"], dataset.source)
    return TargetScaling(0.0 if nonnegative_target else float(offset[0]), float(scale[0]))


def _targets(y: NDArray[np.generic], dataset: Dataset, scaling: TargetScaling) -> FloatArray:
    """Turn labels (m,) into rows (n[L], m)."""
    row = y[np.newaxis, :].astype(np.float64)
    if dataset.task == "binary":
        return row
    if dataset.task == "regression":
        return scaling.scaled(row)
    return one_hot(y, dataset.n_classes)
