"""Sparse numbers in LIBSVM's text format: a label, then index:value for each value that is not 0.

Index k is feature k, whether a file counts from 0 or from 1: in the second case feature 0 is always 0 and teaches
nothing. So no file has to say how it counts, and a test file cannot be read with another beginning.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many
from experiments.readers.arrays import read_contents
from experiments.readers.examples import Contents, Examples
from experiments.readers.options import ReadOptions
from experiments.readers.stored_array import StoredArray

MOST_BYTES = 4 * 2**30
"""Of the numbers when none is left out."""


def read_libsvm(path: Path, place: str, options: ReadOptions, train: Examples | None = None) -> Contents:
    """Read a file in LIBSVM's format; test examples get the training examples' number of features.

    Raises:
        InputError: Not such a file, more features than the training examples have, or too many numbers.
    """
    n_features = train.X.shape[1] if train is not None and isinstance(train.X, np.ndarray) else None
    X, y = _read(path, place, n_features)
    arrays = {"X": StoredArray(X), "y": StoredArray(y)}
    return read_contents(list(arrays), arrays.__getitem__, place, options.examples, train)


def read_unlabelled_libsvm(path: Path, place: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """Its examples, (m, n); labels are there in this format and ignored."""
    return _read(path, place, shape[0] if len(shape) == 1 else None)[0]


def _read(path: Path, place: str, n_features: int | None) -> tuple[NDArray[Any], NDArray[Any]]:
    from sklearn.datasets import load_svmlight_file

    try:
        X, y = load_svmlight_file(str(path), n_features=n_features, zero_based=True)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(
            f"{place}: cannot be read in LIBSVM's format ({error}).",
            "A line is a label and index:value pairs, indices rising, such as: 1 3:0.5 7:2"
            + (f"; the training examples have the features 0 to {n_features - 1}." if n_features else "."),
            "Correct or export the file again.",
        ) from error
    n_bytes = X.shape[0] * X.shape[1] * X.dtype.itemsize
    if n_bytes > MOST_BYTES:
        raise InputError(
            f"{place}: {how_many(X.shape[0], 'example')} of {how_many(X.shape[1], 'feature')} take "
            f"{n_bytes / 2**30:.1f} GB when no 0 is left out.",
            f"Networks train on all numbers, and {MOST_BYTES / 2**30:.0f} GB of them are read.",
            "Choose features or examples, or project them (scikit-learn's TruncatedSVD) and save X and y as NPZ.",
        )
    return X.toarray(), y
