"""Two sources that belong together: what to train on and what to test on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.errors import InputError, listed
from experiments.readers.examples import Advance, Examples
from experiments.readers.options import ReadOptions
from experiments.readers.source import SKLEARN_PREFIX, Source, name_of, read_source, resolve


def read_pair(
    train: Source,
    test: Source | None,
    directory: Path,
    options: ReadOptions,
    advance: Advance | None = None,
) -> tuple[Examples, Examples | None]:
    """Read the training examples, and the test examples if the user or the training file has any.

    Args:
        train: As in `read_source`.
        test: Likewise; its test set is used, or its only examples. It takes precedence over a test set in the
            training file.
        directory: Where relative paths start.
        options: What the user says of both.
        advance: Told how far it is, where there are many files to read.

    Returns:
        Training and test examples; a test table has the training table's columns, in their order and kinds.

    Raises:
        InputError: One of them cannot be read, or they do not have the same features and classes.
    """
    contents = read_source(train, directory, options, advance=advance)
    if contents.train is None:
        raise InputError(
            f"{name_of(train)}: holds a test set only, no training examples.",
            "train needs train_set_x with train_set_y, or X with y.",
            "Exchange train and test, or name another file.",
        )
    sealed = contents.test
    if test is not None:
        if sealed is None and _is_same(train, test, directory):
            raise InputError(
                f"{name_of(test)}: test is the training file itself.",
                "The test set must be other examples.",
                "Name another file, or remove test and let test_fraction be sealed away.",
            )
        tested = read_source(test, directory, options, contents.train, advance)
        sealed = tested.test or tested.train
    return contents.train, None if sealed is None else _alike(sealed, contents.train)


def _is_same(train: Source, test: Source, directory: Path) -> bool:
    if not isinstance(train, str) or not isinstance(test, str):
        return not isinstance(train, str) and not isinstance(test, str) and train.X is test.X
    if train.startswith(SKLEARN_PREFIX) or test.startswith(SKLEARN_PREFIX):
        return train == test
    return resolve(train, directory).resolve() == resolve(test, directory).resolve()


def _alike(sealed: Examples, train: Examples) -> Examples:
    """The test examples, if they are of the training examples' kind."""
    if isinstance(train.X, np.ndarray) and isinstance(sealed.X, np.ndarray):
        if sealed.X.shape[1:] != train.X.shape[1:]:
            raise InputError(
                f"{sealed.place}: test examples have shape {sealed.X.shape[1:]}, "
                f"training examples {train.X.shape[1:]}.",
                "They must have the same features.",
                "Export the test set with the training set's features.",
            )
        if train.X.ndim == 4 and (sealed.X.dtype.kind == "f") != (train.X.dtype.kind == "f"):
            raise InputError(
                f"{sealed.place}: test images are {sealed.X.dtype}, training images {train.X.dtype}.",
                "They must be on the same scale: both integers or both floats.",
                "Export both the same way.",
            )
    elif isinstance(train.X, np.ndarray) or isinstance(sealed.X, np.ndarray):
        raise InputError(
            f"{sealed.place}: one of train and test is a table, the other arrays.",
            "They must be of one kind.",
            "Export the test set in the format of the training set.",
        )
    if sealed.listed_classes is not None and sealed.listed_classes != train.listed_classes:
        raise InputError(
            f"{sealed.y_place}: the test set lists the classes {listed(sealed.listed_classes)}.",
            f"The training set's are {listed(train.listed_classes or ('none',))}; they must be the same.",
            "Export both with the same list of classes.",
        )
    return Examples(
        sealed.place,
        sealed.X,
        sealed.y,
        sealed.y_place,
        weights=sealed.weights,
        relation=sealed.relation,
        notes=sealed.notes,
    )
