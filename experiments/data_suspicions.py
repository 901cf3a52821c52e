"""What in a data set looks like a mistake, though it can be trained on: said before anything is trained.

Each of these has been trained on without a word: a column that numbers the rows (and with it the classes, where the
file is sorted by them), one value that is so far away that standardizing makes all others equal, test examples that
were trained on, pictures that no picture file can be predicted with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.dataset import Dataset
from experiments.errors import how_many, listed
from experiments.readers.classes import MAX_INTEGER_LABEL
from experiments.readers.examples import Features
from experiments.readers.number_block import column_parts, runs
from experiments.row_hashes import row_hashes

FAR = 100
"""A value is far away if it is this many times the spread of the middle 80 % from the median."""
_FEWEST_STEPS = 1000
"""Whole numbers that 64-bit floats tell apart by fewer steps than this, from the lowest to the highest, are said."""
_MOST_NAMED = 5  # columns of one sentence
FEW_TO_SORT = 100_000
"""Numbers that NumPy's sort finds others among in 27 ms; a million take 0.8 s, and pandas' hash table 0.04."""
_N_SAMPLED = 2000  # rows that the spread of a column is taken from
_FEWEST = 20  # examples from which on it is no chance that a column tells the answer
_KEY = re.compile(r"(^|[^a-z])(id|key|index|uuid|nr|no)$|[a-z]I[dD]$", re.IGNORECASE)


def suspicions(dataset: Dataset) -> list[str]:
    """Sentences for a person, one a column and kind, or one for all columns; they name column, value and share."""
    notes: list[str] = []
    constant = _of_one_word(dataset)
    for names, values in _blocks(dataset):  # once: each is a copy
        notes.extend(_of_columns(names, values, dataset))
        constant += [str(names[j]) for j in np.flatnonzero(_are_constant(values)).tolist()]
    notes += [*_constant(constant, dataset), *_telling_words(dataset), *_target(dataset)]
    return [*notes, *_shared_rows(dataset), *_pictures(dataset)]


def _blocks(dataset: Dataset) -> Iterator[tuple[Sequence[str], NDArray[np.floating]]]:
    """Names and values (m, b) of the columns of numbers of the training examples, pictures aside, some at a time."""
    X = dataset.X_train
    if isinstance(X, np.ndarray):
        if X.ndim != 2 or X.dtype == np.uint8 or dataset.image_shape is not None:
            return
        blocks = [(dataset.feature_names or tuple(f"x{j}" for j in range(X.shape[1])), X)]
    else:
        tables = [X.iloc[:, columns] for columns, is_number in runs(X) if is_number]
        blocks = [(tuple(table.columns.tolist()), table.to_numpy()) for table in tables]
    for names, values in blocks:
        for part in column_parts(*values.shape):
            yield names[part], values[:, part].astype(np.float64, copy=False)


def _of_columns(names: Sequence[str], values: NDArray[np.floating], dataset: Dataset) -> Iterator[str]:
    is_far = _has_far_values(values)
    for j in np.flatnonzero(is_far | _seem_keys(values)).tolist():
        place, column = f"{dataset.source}: column '{names[j]}'", values[:, j]
        if _is_key(names[j], column):
            yield (
                f"{place} has another whole number in every row, so it names rows and says nothing of new ones"
                f"{', and the classes are sorted by it' if _is_sorted(dataset, column) else ''}. "
                f"{_without(names[j : j + 1], dataset)} unless it measures something."
            )
        if is_far[j]:
            consequence = "Standardized with it, the others are nearly equal"
            yield _far_values(place, column, consequence, '; scaling = "robust" keeps the others apart')
    for j in np.flatnonzero(_are_too_large(values)).tolist():
        yield _too_large(f"{dataset.source}: column '{names[j]}'", values[:, j])
    for j in np.flatnonzero(_may_tell_the_target(values, dataset)).tolist():
        column = values[:, j]
        if _is_told(column, dataset.y_train, dataset.n_classes) and not _is_key(names[j], column):
            yield _telling(f"{dataset.source}: column '{names[j]}'", names[j], dataset)


def _telling(place: str, name: str, dataset: Dataset) -> str:
    return (
        f"{place} alone tells the {'class' if dataset.class_names else 'target'} of all {dataset.n_train:,} training "
        "examples. If it is known only afterwards, or made from the answer, it is no feature. "
        f"{_without([name], dataset)}."
    )


def _without(names: Sequence[str], dataset: Dataset) -> str:
    """What to do for a model without these columns: only those of tables can be left out in the configuration."""
    if isinstance(dataset.X_train, np.ndarray):
        return f"Leave {'it' if len(names) == 1 else 'them'} out of the array"
    if len(names) > _MOST_NAMED:
        return "Name them, or a pattern that fits them, in ignore under [data]"
    return f"Write ignore = {json.dumps([str(name) for name in names], ensure_ascii=False)} under [data]"


def _are_constant(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each of the columns (m, b) has one value, missing ones aside, (b,). Of few examples nothing is said."""
    if len(values) < _FEWEST:
        return np.zeros(values.shape[1], np.bool_)
    found = np.asarray(np.fmax.reduce(values[:_FEWEST], axis=0) <= np.fmin.reduce(values[:_FEWEST], axis=0))
    found |= np.isnan(values[:_FEWEST]).all(axis=0)
    some = values[:, found]
    found[found] = np.fmax.reduce(some, axis=0) == np.fmin.reduce(some, axis=0)
    return found


def _of_one_word(dataset: Dataset) -> list[str]:
    """Names of the columns of text that hold one word, and no missing value, which is a category of its own."""
    if isinstance(dataset.X_train, np.ndarray) or dataset.n_train < _FEWEST:
        return []
    texts = (dataset.X_train.iloc[:, columns.start] for columns, is_number in runs(dataset.X_train) if not is_number)
    return [str(text.name) for text in texts if text.nunique(dropna=False) == 1]


def _constant(names: Sequence[str], dataset: Dataset) -> Iterator[str]:
    if names:
        several = f"{len(names):,} columns have only one value"
        what = f"column '{names[0]}' has only one value" if len(names) == 1 else several
        which = "" if len(names) == 1 else f" ({listed(names, _MOST_NAMED)})"
        yield (
            f"{dataset.source}: {what} in the {dataset.n_train:,} training examples and so "
            f"{'tells' if len(names) == 1 else 'tell'} nothing{which}. {_without(names, dataset)}."
        )


def _may_tell_the_target(values: NDArray[np.floating], dataset: Dataset) -> NDArray[np.bool_]:
    """Whether in some rows of each column (m, b) each class is one stretch of its values, or the target is monotonic.

    Of few examples nothing is said.
    """
    y = dataset.y_train
    if len(y) < _FEWEST:
        return np.zeros(values.shape[1], np.bool_)
    some = slice(None, None, max(1, len(y) // _N_SAMPLED))
    ordered = y[some][np.argsort(values[some], axis=0, kind="stable")]  # NaN comes last
    if dataset.n_classes:
        n_changes = np.count_nonzero(ordered[1:] != ordered[:-1], axis=0)
        return np.asarray(n_changes < dataset.n_classes)
    rises, falls = (ordered[1:] >= ordered[:-1]).all(axis=0), (ordered[1:] <= ordered[:-1]).all(axis=0)
    return np.asarray(rises | falls)


def _is_told(column: NDArray[np.floating], y: NDArray[Any], n_classes: int) -> bool:
    """Whether each class is one stretch of a column's values, or the target rises or falls with them throughout."""
    order = np.argsort(column, kind="stable")  # NaN comes last, as a value of its own
    values, y = column[order], y[order]
    differs = values[1:] != values[:-1]
    differs &= ~(np.isnan(values[1:]) & np.isnan(values[:-1]))
    if not differs.any() or bool((y[1:] != y[:-1])[~differs].any()):  # one value with two answers
        return False
    if n_classes:
        return int(np.count_nonzero(y[1:] != y[:-1])) < n_classes
    steps = y[1:].astype(np.float64) - y[:-1]
    return len(np.unique(y)) > 2 and bool((steps >= 0).all() or (steps <= 0).all())


def _telling_words(dataset: Dataset) -> Iterator[str]:
    """Of columns of text each of whose words has one class, or one target."""
    if isinstance(dataset.X_train, np.ndarray) or dataset.n_train < _FEWEST:
        return
    for columns, _ in (run for run in runs(dataset.X_train) if not run[1]):
        words = dataset.X_train.iloc[:, columns.start]
        if words.dtype.kind == "M":
            continue
        codes = words.factorize(use_na_sentinel=False)[0]
        first = np.full(int(codes.max()) + 1, -1)
        first[codes[::-1]] = np.arange(len(codes))[::-1]  # the first row of each word
        is_told = (dataset.y_train == dataset.y_train[first[codes]]).all()
        if is_told and 1 < len(first) <= dataset.n_train // 2:
            yield _telling(f"{dataset.source}: column '{words.name}'", str(words.name), dataset)


def _target(dataset: Dataset) -> Iterator[str]:
    if dataset.task != "regression":
        return
    place, values = f"{dataset.source}: target '{dataset.target or 'y'}'", dataset.y_train[:, np.newaxis]
    if _has_far_values(values)[0]:
        yield _far_values(place, dataset.y_train, "It decides the squared error alone")
    if _are_too_large(values)[0]:
        yield _too_large(place, dataset.y_train)


def _are_too_large(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each of the columns (m, b) holds numbers so large that floats hardly tell them apart, (b,)."""
    sample = np.abs(values[:_N_SAMPLED])  # all are as large, if any is
    found: NDArray[np.bool_] = np.fmax.reduce(sample, axis=0) > MAX_INTEGER_LABEL / 2
    for j in np.flatnonzero(found).tolist():
        lowest, highest = float(np.fmin.reduce(values[:, j])), float(np.fmax.reduce(values[:, j]))
        largest = max(abs(lowest), abs(highest))
        found[j] = largest > MAX_INTEGER_LABEL and highest - lowest < _FEWEST_STEPS * np.spacing(largest)
    return found


def _too_large(place: str, values: NDArray[np.floating]) -> str:
    largest, span = np.nanmax(np.abs(values)), np.nanmax(values) - np.nanmin(values)
    return (
        f"{place} holds numbers around {largest:.6g} that differ by {span:.6g} at most, where 64-bit floats are "
        f"{np.spacing(largest):.6g} apart: different numbers may be read as equal. Subtract the lowest before "
        "saving them."
    )


def _seem_keys(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether the first rows of each column are whole numbers, all different."""
    first = np.sort(values[:_N_SAMPLED], axis=0)
    if len(first) < 10:
        return np.zeros(values.shape[1], np.bool_)
    found: NDArray[np.bool_] = np.all(first == np.trunc(first), axis=0) & np.all(first[1:] != first[:-1], axis=0)
    return found


def _is_key(name: str, values: NDArray[np.floating]) -> bool:
    """Whether a column of whole numbers, all different, is called a key or leaves hardly a number out."""
    if len(values) < 10 or not bool(np.all(values == np.trunc(values))):  # NaN is not equal to itself
        return False
    if len(np.unique(values)) < len(values):
        return False
    return bool(_KEY.search(name) or np.ptp(values) < 1.5 * len(values))


def _is_sorted(dataset: Dataset, values: NDArray[np.floating]) -> bool:
    """Whether each class is one stretch of a column's values, so that the column alone tells it."""
    if dataset.task == "regression":
        return False
    y = dataset.y_train[np.argsort(values)]
    return int(np.count_nonzero(y[1:] != y[:-1])) == dataset.n_classes - 1


def _spread(values: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    """Where the middle 80 % of each column of a sample begin, their median and where they end, (b,) each."""
    rows = np.sort(values[:: max(1, len(values) // _N_SAMPLED)], axis=0)  # NaN comes last
    last = np.maximum(np.count_nonzero(~np.isnan(rows), axis=0) - 1, 0)
    low, median, high = (
        np.take_along_axis(rows, np.round(share * last).astype(np.intp)[np.newaxis], axis=0)[0]
        for share in (0.1, 0.5, 0.9)
    )
    return low, median, high


def _has_far_values(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether each of the columns (m, b) has one, (b,)."""
    if len(values) < 20:
        return np.zeros(values.shape[1], np.bool_)
    low, median, high = _spread(values)
    with np.errstate(over="ignore", invalid="ignore"):  # numbers too large to train on are refused elsewhere
        farthest = np.maximum(np.fmax.reduce(values, axis=0) - median, median - np.fmin.reduce(values, axis=0))
        found: NDArray[np.bool_] = (high > low) & (farthest > FAR * (high - low))
    return found


def _far_values(place: str, values: NDArray[np.floating], consequence: str, choice: str = "") -> str:
    low, median, high = (float(quantile[0]) for quantile in _spread(values[:, np.newaxis]))
    far = values[np.abs(values - median) > FAR * (high - low)]
    n, extreme = len(far), far[np.argmax(np.abs(far - median))]
    share = f"{100 * n / len(values):.2g} % of {len(values):,}"
    return (
        f"{place} has {how_many(n, 'value')} ({share}) far from all others, such as {extreme:.6g} where 80 % "
        f"lie between {low:.4g} and {high:.4g}. {consequence}: correct it, "
        f"or leave it empty if it marks a missing one{choice}."
    )


def _shared_rows(dataset: Dataset) -> Iterator[str]:
    train, test = (_row_hashes(X) for X in (dataset.X_train, dataset.X_test))
    n_shared = int(_are_among(test, train).sum())
    if n_shared > 0.01 * len(test):
        yield (
            f"{dataset.source}: {n_shared} of {how_many(len(test), 'test example')} "
            f"({100 * n_shared / len(test):.3g} %) {'has' if n_shared == 1 else 'have'} the "
            "same features as a training example, so test scores are too good for new ones. Remove the duplicates, "
            "unless such examples occur again and again."
        )


def _are_among(numbers: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of the numbers are among the others, (m,); few are sorted, sooner than pandas is imported."""
    if len(others) <= FEW_TO_SORT:
        return np.isin(numbers, others)
    import pandas as pd

    return np.asarray(pd.Index(numbers).isin(others))


def _row_hashes(X: Features) -> NDArray[np.uint64]:
    """A number for each row, the same for the same values."""
    if isinstance(X, np.ndarray):
        rows = np.ascontiguousarray(X.reshape(len(X), -1))
        return np.fromiter((hash(row.tobytes()) for row in rows), np.int64, len(rows)).view(np.uint64)
    return row_hashes(X)


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
