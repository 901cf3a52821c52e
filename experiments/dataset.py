"""A labelled data set: training examples, a sealed test set, and a fingerprint of both.

`load_dataset` goes all the way from what the user wrote to arrays that can be trusted: it reads, determines the task,
encodes the labels, seals the test set away and takes the fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field, replace
from json.encoder import encode_basestring_ascii as json_text
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many
from experiments.random_splits import two_parts
from experiments.readers import Examples, read_pair
from experiments.readers.amounts import MAX_NUMERALS, kind_of_amounts
from experiments.readers.classes import Classes
from experiments.readers.examples import Advance, Features
from experiments.readers.labels import Task, infer_task, regression_targets
from experiments.readers.options import Dates, ExamplesAxis, ReadOptions
from experiments.readers.source import SKLEARN_PREFIX, Source, name_of
from experiments.splits import Relation, Split, sealed_in_words, shared_groups, split_related

__all__ = ["Dataset", "Task", "load_dataset", "split_off"]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Examples as read: rows are examples, values are raw.

    Attributes:
        name: The file's stem, or the set's name in scikit-learn.
        task: "binary", "multiclass" or "regression".
        X_train: Images (m, h, w, c), features (m, n), or a table whose columns are float64 or str.
        y_train: (m,): class codes 0..C-1 as int64, or targets as float64.
        X_test: As X_train, (m_test, ...). Sealed: only the winner is scored on it.
        y_test: As y_train, (m_test,).
        class_names: What the codes mean; empty for regression.
        feature_names: Empty where the source has none (images, bare arrays).
        image_shape: (h, w, c) if an example is an image, flattened or not.
        source: The path or the name in scikit-learn, as the user wrote it.
        target: The column to predict, for tables; else None.
        sample_weight: The column of weights, for tables; None where there is none.
        weights_train, weights_test: How much each example counts, (m,), 0 or more; None is 1.
        relation_train, relation_test: What relates the examples to each other: the groups that they belong to, when
            each was, or which fold holds it out. None where nothing is said.
        dates: What columns of dates become, see `ReadOptions`.
        ignored: Columns of the table that are no features, beside target and weights.
        examples_axis: Which axis of a stored array counted the examples.
        notes: What a person should know of how it was read, sentences; the first says which task was inferred and why.
        digest: SHA-256 of the content, train and test: the same for the same values from any file or format.
    """

    name: str
    task: Task
    X_train: Features
    y_train: NDArray[Any]
    X_test: Features
    y_test: NDArray[Any]
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    image_shape: tuple[int, int, int] | None
    source: str
    target: str | None = None
    sample_weight: str | None = None
    weights_train: NDArray[np.float64] | None = None
    weights_test: NDArray[np.float64] | None = None
    relation_train: Relation | None = None
    relation_test: Relation | None = None
    dates: Dates | None = None
    ignored: tuple[str, ...] = ()
    examples_axis: ExamplesAxis = "rows"
    notes: tuple[str, ...] = ()
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", _digest(self))

    @property
    def are_whole_numbers(self) -> bool:
        """Whether all names of classes are numbers, so that they may be quantities."""
        return are_whole_numbers(self.class_names)

    @property
    def n_train(self) -> int:
        """Examples to train and validate on, m."""
        return len(self.y_train)

    @property
    def n_test(self) -> int:
        """Examples sealed away."""
        return len(self.y_test)

    @property
    def n_features(self) -> int:
        """Raw features of one example: pixels times channels, or columns of the table before encoding."""
        return math.prod(self.X_train.shape[1:])

    @property
    def n_classes(self) -> int:
        """0 for regression."""
        return len(self.class_names)

    @property
    def class_balance(self) -> dict[str, int]:
        """Number of training examples of each class; empty for regression."""
        return {name: int((self.y_train == code).sum()) for code, name in enumerate(self.class_names)}


def are_whole_numbers(class_names: tuple[str, ...]) -> bool:
    """Whether there are classes, and all have numbers for names."""
    return bool(class_names) and all(re.fullmatch(r"-?\d+", name) for name in class_names)


def load_dataset(
    train: Source,
    *,
    test: Source | None = None,
    target: str | None = None,
    task: Task | None = None,
    test_fraction: float = 0.2,
    sample_weight: str | None = None,
    seed: int = 0,
    directory: Path = Path("."),
    options: ReadOptions | None = None,
    advance: Advance | None = None,
) -> Dataset:
    """Read a labelled data set and check it for everything that can be wrong.

    Args:
        train: A file (HDF5, NPZ, CSV, Parquet) or a folder of pictures, relative to `directory`; "sklearn:<name>"; or
            objects (`readers.in_memory`).
        test: Likewise. If absent, the training file's own test set is used (test_set_x, X_test); if it has none,
            `test_fraction` of the examples is sealed away at random, stratified by class.
        target: The column to predict; for tables only.
        task: Inferred when absent, see `labels.infer_task`.
        test_fraction: Share of the examples to seal away, 0 < test_fraction < 1.
        sample_weight: The column that says how much each example counts; for tables only.
        seed: Decides which examples are sealed away.
        directory: Where relative paths start.
        options: What else the user says of the files; its target and weights are taken from the arguments above.
        advance: Told how far it is, where there are many files to read.

    Raises:
        InputError: Something is wrong with the user's files or options.
    """
    options = replace(options or ReadOptions(), target=target, sample_weight=sample_weight)
    examples, sealed = read_pair(train, test, directory, options, advance)
    source = name_of(train)
    notes = examples.notes + (() if sealed is None else sealed.notes)
    if task is None:
        task, why = infer_task(examples)
        notes = (why, *notes)
    y, y_sealed, class_names = _coded(examples, sealed, task)
    if sealed is not None and y_sealed is not None:
        X_train, y_train, X_test, y_test = examples.X, y, sealed.X, y_sealed
        weights = examples.weights, sealed.weights
        relation = examples.relation, sealed.relation
        notes = (*notes, *shared_groups(examples.relation, sealed.relation, sealed.place))
    else:
        how = Split(test_fraction, seed, "test_fraction", examples.place)
        kept, held = split_off(y, how, task, class_names, examples.relation)
        X_train, X_test = _divided(examples.X, kept, held)
        y_train, y_test = y[kept], y[held]
        w = examples.weights
        weights = (None, None) if w is None else (w[kept], w[held])
        related = examples.relation
        relation = (None, None) if related is None else (related.of(kept), related.of(held))
        notes = notes if related is None else (*notes, sealed_in_words(related, held, examples.place))
    _check_enough(y_train, y_test, task, class_names, examples.y_place, None if sealed is None else sealed.place)
    return Dataset(
        name=source.removeprefix(SKLEARN_PREFIX) if source.startswith(SKLEARN_PREFIX) else Path(source).stem,
        task=task,
        X_train=X_train,
        y_train=y_train,
        X_test=X_test,
        y_test=y_test,
        class_names=class_names,
        feature_names=examples.feature_names,
        image_shape=examples.image_shape,
        source=source,
        target=options.target,
        sample_weight=options.sample_weight,
        weights_train=weights[0],
        weights_test=weights[1],
        relation_train=relation[0],
        relation_test=relation[1],
        dates=options.dates,
        ignored=examples.ignored,
        examples_axis=examples.examples_axis,
        notes=notes,
    )


def split_off(
    y: NDArray[Any], how: Split, task: Task, class_names: tuple[str, ...], relation: Relation | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Split examples in two, stratified by class; used for the test set and for a hold-out.

    Args:
        y: Class codes or targets, (m,).
        how: At random unless the examples are related.
        task: Regression is not stratified.
        class_names: For the message about a class that is too small.
        relation: Keeps groups together, or makes the second part the latest; given folds are split at random.

    Returns:
        Sorted row numbers of the first and of the second part.

    Raises:
        InputError: The fraction is not between 0 and 1, or there are too few examples for it.
    """
    fraction, seed, option, place = how.fraction, how.seed, how.option, how.place
    if not 0 < fraction < 1:
        raise InputError(
            f"{option} = {fraction}: not a fraction.", "0 < fraction < 1 must hold.", f"Try {option} = 0.2."
        )
    if relation is not None and relation.folds is None:
        return split_related(None if task == "regression" else y, relation, how)
    n_second = math.ceil(len(y) * fraction)
    n_first = len(y) - n_second
    if task != "regression":
        counts = np.bincount(y, minlength=len(class_names))
        if counts.min() < 2:
            raise _too_small(class_names, class_names[counts.argmin()], int(counts.min()), how)
    n_needed = 1 if task == "regression" else len(class_names)
    if min(n_first, n_second) < n_needed:
        may_be_quantity = n_needed > 2 and are_whole_numbers(class_names)
        raise InputError(
            f"{place}: {option} = {fraction} splits {how_many(len(y), 'example')} into {n_first} and {n_second}.",
            f"Each part needs at least {n_needed}.",
            f"Add examples, or move {option} towards 0.5."
            + (' If the target is a quantity, write task = "regression".' if may_be_quantity else ""),
        )
    return two_parts(len(y), n_second, seed, None if task == "regression" else y)


def _too_small(class_names: tuple[str, ...], name: str, n_examples: int, how: Split) -> InputError:
    """What to say of a class that cannot be split; many of them are quantities."""
    fix = f"Merge '{name}' with another class, leave its rows out, or add examples."
    if len(class_names) > MAX_NUMERALS:
        if are_whole_numbers(class_names):
            fix = f'If the target is a quantity, write task = "regression"; else {fix[0].lower()}{fix[1:]}'
        elif (amounts := kind_of_amounts(class_names)) is not None:
            fix = f'These are {amounts}: write them as plain numbers, and task = "regression".'
    return InputError(
        f"{how.place}: class '{name}' has {how_many(n_examples, 'example')}.",
        f"{how.option} = {how.fraction} splits every class in two, so each needs at least 2.",
        fix,
    )


def _coded(
    train: Examples, sealed: Examples | None, task: Task
) -> tuple[NDArray[Any], NDArray[Any] | None, tuple[str, ...]]:
    if task == "regression":
        targets = regression_targets(train.y, train.y_place)
        return targets, None if sealed is None else regression_targets(sealed.y, sealed.y_place), ()
    classes = Classes.of(train)
    n_classes = len(classes.names)
    if n_classes < 2:
        raise InputError(
            f"{train.y_place} holds one class only, '{classes.names[0]}'.",
            "At least two classes are needed.",
            "Add examples of another class, or choose another target.",
        )
    if task == "binary" and n_classes > 2:
        raise InputError(
            f"{train.y_place} has {n_classes} classes, but task = 'binary'.",
            "Binary means two classes.",
            "Write task = 'multiclass', or choose another target.",
        )
    y = classes.codes(train.y, train.y_place)
    y_sealed = None if sealed is None else classes.codes(sealed.y, sealed.y_place)
    return y, y_sealed, classes.names


def _check_enough(
    y_train: NDArray[Any],
    y_test: NDArray[Any],
    task: Task,
    class_names: tuple[str, ...],
    place: str,
    test_place: str | None,
) -> None:
    """Refuse what nothing can be learned from, or scored on; the test examples may be of a file of their own."""
    if task == "regression":
        if np.ptp(y_train) == 0:
            raise InputError(
                f"{place} is {y_train[0]} for every training example.",
                "Regression needs a target that varies.",
                "Choose another target, or add examples.",
            )
        if len(y_test) < 2:
            raise InputError(
                f"{test_place or place}: the test set has {how_many(len(y_test), 'example')}.",
                "R² needs at least two.",
                "Add examples to it." if test_place else "Add examples, or raise test_fraction.",
            )
        return
    counts = np.bincount(y_train, minlength=len(class_names))
    if counts.min() == 0:
        present = int((counts > 0).sum())
        only = " one class only;" if present == 1 else ""
        raise InputError(
            f"{place} holds{only} no example of class '{class_names[counts.argmin()]}'.",
            f"Each of the {len(class_names)} classes needs training examples.",
            "Add examples of this class, or remove it from the list of classes.",
        )


def _divided(X: Features, kept: NDArray[np.intp], held: NDArray[np.intp]) -> tuple[Features, Features]:
    """Two parts of the rows; a table is used up."""
    if isinstance(X, np.ndarray):
        return X[kept], X[held]
    from experiments.readers.number_block import divided

    return divided(X, kept, held)


def _digest(dataset: Dataset) -> str:
    """SHA-256 over every value, name, shape and dtype; a header precedes each part."""
    from experiments.readers.number_block import column_parts, runs  # pandas, which a set of arrays does not need

    sha = hashlib.sha256()

    def add(header: object, content: bytes | memoryview) -> None:
        sha.update(json.dumps([header, len(content)]).encode())
        sha.update(content)

    def add_array(role: str, array: NDArray[Any]) -> None:
        little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        add([role, little_endian.dtype.str, array.shape], little_endian.data.cast("B") if array.size else b"")

    names = [dataset.class_names, dataset.feature_names, dataset.image_shape]
    add("names", json.dumps(names).encode())
    for role, X in (("X_train", dataset.X_train), ("X_test", dataset.X_test)):
        if isinstance(X, np.ndarray):
            add_array(role, X)
            continue
        for stretch, is_number in runs(X):
            columns = X.iloc[:, stretch]
            if is_number:
                m, names_of_columns = len(columns), columns.columns.tolist()
                for part in column_parts(*columns.shape):
                    numbers = columns.iloc[:, part].to_numpy().T
                    one_nan = np.where(np.isnan(numbers), np.nan, numbers).astype("<f8", copy=False)  # all NaNs alike
                    for name, row in zip(names_of_columns[part], one_nan, strict=True):
                        header = f'[[{json_text(f"{role} {name}")}, "<f8", [{m}]], {8 * m}]'  # as `add`, but sooner
                        sha.update(header.encode())
                        sha.update(row.data.cast("B"))
                continue
            column = columns.iloc[:, 0]
            if column.dtype.kind == "M":
                add_array(f"{role} {column.name} {dataset.dates}", column.to_numpy("datetime64[us]").astype(np.int64))
            else:
                texts = [text if isinstance(text, str) else None for text in column]
                add(f"{role} {column.name}", json.dumps(texts).encode())
    add_array("y_train", dataset.y_train)
    add_array("y_test", dataset.y_test)
    for role, weights in (("weights_train", dataset.weights_train), ("weights_test", dataset.weights_test)):
        if weights is not None:
            add_array(role, weights)
    for role, relation in (("relation_train", dataset.relation_train), ("relation_test", dataset.relation_test)):
        if relation is not None:
            add(f"{role} {relation.words}", json.dumps(relation.values.tolist()).encode())
    return sha.hexdigest()
