"""Medians of many columns, over all rows or some of them."""

import numpy as np
from numpy.typing import NDArray

from experiments.readers.number_block import column_parts

_LONG = 2**14
_N_SAMPLED = 2**10
_MARGIN = 0.06
"""Of ranks: eight standard deviations of the sampled median's."""


def medians_of(
    encoded: NDArray[np.float64],
    which: NDArray[np.bool_] | None = None,
    is_asked: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """The median of each column (n,) over some rows, nan where it has no value there.

    Args:
        encoded: (m, n), nan where a value is missing.
        which: (m,), the rows; None is all.
        is_asked: (n,), whose medians matter; None is all.
    """
    if len(encoded) >= _LONG:
        found = np.full(encoded.shape[1], np.nan)
        for j in range(len(found)) if is_asked is None else np.flatnonzero(is_asked).tolist():
            found[j] = _of_long(encoded[:, j], which)
        return found
    medians = []
    for part in column_parts(*encoded.shape):
        values = encoded.T[part] if which is None else encoded.T[part].compress(which, axis=1)
        found = np.median(values, axis=1)
        for j in np.flatnonzero(np.isnan(found)).tolist():
            found[j] = _of_some(values[j])
        medians.append(found)
    return np.concatenate(medians)


def _of_long(column: NDArray[np.float64], which: NDArray[np.bool_] | None) -> float:
    """The same number, in a third of the time: a sample says between which values it is sought."""
    sample = column[:: len(column) // _N_SAMPLED]
    sample = np.sort(sample[~np.isnan(sample)])
    if len(sample) == 0:
        return _of_some(column if which is None else column[which])
    n_margin = int(_MARGIN * len(sample)) + 1
    low, high = sample[max(0, len(sample) // 2 - n_margin)], sample[min(len(sample) - 1, len(sample) // 2 + n_margin)]
    is_below, is_above = column < low, column > high  # nan is neither
    is_between = ~(is_below | is_above)
    if which is not None:
        is_below, is_above, is_between = is_below & which, is_above & which, is_between & which
    between = column[is_between]
    between = between[~np.isnan(between)]
    n_below = int(np.count_nonzero(is_below))
    n = n_below + len(between) + int(np.count_nonzero(is_above))
    first, last = (n - 1) // 2 - n_below, n // 2 - n_below  # the two in the middle, or twice the same
    if not 0 <= first <= last < len(between):
        return _of_some(column if which is None else column[which])
    middle = np.partition(between, (first, last))[[first, last]]
    return float(middle.mean())


def _of_some(values: NDArray[np.float64]) -> float:
    there = values[~np.isnan(values)]
    return float(np.median(there)) if len(there) else np.nan
