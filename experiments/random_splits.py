"""Examples that are held out at random, drawn as scikit-learn draws them: to the row, from the same seed.

Its splitters stand behind a second of imports (SciPy's statistics, pandas), before which nothing could be trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]


def two_parts(m: int, n_second: int, seed: int, y: NDArray[Any] | None = None) -> tuple[Rows, Rows]:
    """Split m examples in two, as `train_test_split` does.

    Args:
        m: How many there are.
        n_second: How many of them are the second part.
        seed: Decides which.
        y: Class codes, (m,), of which each part gets its share; None where there are no classes. Each class has two
            examples or more, and each part has as many as there are classes or more.

    Returns:
        Sorted row numbers of the first and of the second part.
    """
    rng = np.random.RandomState(seed)  # scikit-learn's
    if y is None:
        order = rng.permutation(m)
        return np.sort(order[n_second:]), np.sort(order[:n_second])
    _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    of_first = _shares(counts, m - n_second, rng)
    of_second = _shares(counts - of_first, n_second, rng)
    first, second = [], []
    for rows, n_in_first, n_in_second in zip(
        np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1]), of_first, of_second, strict=True
    ):
        drawn = rows[rng.permutation(len(rows))]
        first.append(drawn[:n_in_first])
        second.append(drawn[n_in_first : n_in_first + n_in_second])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))


def folds_of(m: int, n_folds: int, seed: int, y: NDArray[Any] | None = None) -> list[Rows]:
    """Divide m examples into folds, as `KFold` and `StratifiedKFold` with `shuffle=True` do.

    Args:
        m: How many there are, at least as many as folds.
        n_folds: F.
        seed: Decides which fold each is in.
        y: Class codes, (m,), of which each fold gets its share; None where there are no classes.

    Returns:
        Sorted row numbers of each fold.
    """
    rng = np.random.RandomState(seed)  # scikit-learn's
    if y is None:
        order = np.arange(m)
        rng.shuffle(order)
        return [np.sort(fold) for fold in np.array_split(order, n_folds)]
    _, first_seen, codes = np.unique(y, return_index=True, return_inverse=True)
    codes = np.argsort(np.argsort(first_seen))[codes]  # classes are numbered as they come
    in_order = np.sort(codes)
    fold_of_example = np.empty(m, dtype=np.intp)
    n_classes = len(first_seen)
    n_in_folds = np.array([np.bincount(in_order[fold::n_folds], minlength=n_classes) for fold in range(n_folds)])
    for code in range(n_classes):
        fold_of_class = np.arange(n_folds).repeat(n_in_folds[:, code])
        rng.shuffle(fold_of_class)
        fold_of_example[codes == code] = fold_of_class
    return [np.flatnonzero(fold_of_example == fold) for fold in range(n_folds)]


def _shares(counts: NDArray[np.intp], n_drawn: int, rng: np.random.RandomState) -> NDArray[np.intp]:
    """How many of each class are among so many that are drawn: nearly in proportion, ties at random."""
    expected = counts / counts.sum() * n_drawn
    drawn: NDArray[np.float64] = np.floor(expected)
    remainders, missing = expected - drawn, int(n_drawn - drawn.sum())
    for remainder in np.unique(remainders)[::-1]:
        if missing == 0:
            break
        tied = np.flatnonzero(remainders == remainder)
        chosen = rng.choice(tied, size=min(len(tied), missing), replace=False)
        drawn[chosen] += 1
        missing -= len(chosen)
    return drawn.astype(np.intp)
