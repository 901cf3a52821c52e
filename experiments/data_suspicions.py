"""What in a data set looks like a mistake, though it can be trained on: said before anything is trained.

Each of these has been trained on without a word: a column that numbers the rows (and with it the classes, where the
file is sorted by them), one value that is so far away that standardizing makes all others equal, test examples that
were trained on, pictures that no picture file can be predicted with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from experiments.dataset import Dataset
from experiments.readers.examples import Features

FAR = 100
"""A value is far away if it is this many times the spread of the middle 80 % from the median."""
_ROBUST = '; scaling = "robust" keeps the others apart'
_KEY = re.compile(r"(^|[^a-z])(id|key|index|uuid|nr|no)$|[a-z]I[dD]$", re.IGNORECASE)


def suspicions(dataset: Dataset) -> list[str]:
    """Sentences for a person, one a column and kind; they name column, value and share."""
    return [
        *(note for name, values in _columns(dataset) for note in _of_column(name, values, dataset)),
        *_far_values(f"target '{dataset.target or 'y'}'", _target(dataset), "It decides the squared error alone"),
        *_shared_rows(dataset),
        *_pictures(dataset),
    ]


def _of_column(name: str, values: NDArray[np.float64], dataset: Dataset) -> Iterator[str]:
    place = f"{dataset.source}: column '{name}'"
    if _is_key(name, values):
        yield (
            f"{place} has another whole number in every row, so it names rows and says nothing of new ones"
            f"{', and the classes are sorted by it' if _is_sorted(dataset, values) else ''}. "
            f'Write ignore = ["{name}"] under [data] unless it measures something.'
        )
    yield from _far_values(
        place, values, 'Standardized with it, the others are nearly equal (scaling = "robust" keeps them apart)'
    )


def _columns(dataset: Dataset) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """The columns of numbers of the training examples, pictures aside."""
    X = dataset.X_train
    if not isinstance(X, np.ndarray):
        yield from ((str(name), X[name].to_numpy()) for name in X.columns if X[name].dtype.kind == "f")
    elif X.ndim == 2 and X.dtype != np.uint8 and dataset.image_shape is None:
        names = dataset.feature_names or tuple(f"x{j}" for j in range(X.shape[1]))
        yield from zip(names, (column.astype(np.float64) for column in X.T), strict=True)


def _target(dataset: Dataset) -> NDArray[np.float64]:
    return dataset.y_train if dataset.task == "regression" else np.empty(0)


def _is_key(name: str, values: NDArray[np.float64]) -> bool:
    """Whether a column of whole numbers, all different, is called a key or leaves hardly a number out."""
    if len(values) < 10 or not bool(np.all(values == np.trunc(values))):  # NaN is not equal to itself
        return False
    if len(np.unique(values)) < len(values):
        return False
    return bool(_KEY.search(name) or np.ptp(values) < 1.5 * len(values))


def _is_sorted(dataset: Dataset, values: NDArray[np.float64]) -> bool:
    """Whether each class is one stretch of a column's values, so that the column alone tells it."""
    if dataset.task == "regression":
        return False
    y = dataset.y_train[np.argsort(values)]
    return int(np.count_nonzero(y[1:] != y[:-1])) == dataset.n_classes - 1


def _far_values(place: str, values: NDArray[np.float64], consequence: str, choice: str = "") -> Iterator[str]:
    known = values[~np.isnan(values)]
    if len(known) < 20:
        return
    low, median, high = np.percentile(known, [10, 50, 90])
    spread = high - low
    if spread == 0:
        return
    far = known[np.abs(known - median) > FAR * spread]
    if len(far) == 0:
        return
    n, extreme = len(far), far[np.argmax(np.abs(far - median))]
    share = f"{100 * n / len(values):.2g} % of {len(values):,}"
    yield (
        f"{place} has {n} value{'s' if n > 1 else ''} ({share}) far from all others, such as {extreme:.6g} where 80 % "
        f"lie between {low:.4g} and {high:.4g}. {consequence}: correct it, or leave it empty if it marks a missing one{choice}."
    )


def _shared_rows(dataset: Dataset) -> Iterator[str]:
    train, test = (_row_hashes(X) for X in (dataset.X_train, dataset.X_test))
    n_shared = int(np.isin(test, train).sum())
    if n_shared > 0.01 * len(test):
        yield (
            f"{dataset.source}: {n_shared} of {len(test)} test examples ({100 * n_shared / len(test):.2g} %) have the "
            "same features as a training example, so test scores are too good for new ones. Remove the duplicates, "
            "unless such examples occur again and again."
        )


def _row_hashes(X: Features) -> NDArray[np.uint64]:
    """A number for each row, the same for the same values."""
    import pandas as pd

    if isinstance(X, np.ndarray):
        rows = np.ascontiguousarray(X.reshape(len(X), -1))
        return np.fromiter((hash(row.tobytes()) for row in rows), np.int64, len(rows)).view(np.uint64)
    return np.asarray(pd.util.hash_pandas_object(X, index=False), np.uint64)


def _pictures(dataset: Dataset) -> Iterator[str]:
    X = dataset.X_train
    if not isinstance(X, np.ndarray) or X.ndim != 4:
        return
    if X.dtype != np.uint8:
        yield (
            f"{dataset.source}: its pictures are {X.dtype} from {X.min():.4g} to {X.max():.4g}, so the model takes "
            "arrays on this scale, and no picture files. Export bytes, 0 to 255, to predict picture files."
        )
    elif X.shape[3] not in (1, 3, 4):
        yield f"{dataset.source}: its pictures have {X.shape[3]} channels, so the model takes arrays, no picture files."
