"""A number for each row of a table, the same for the same values: pandas' own, where columns are many much sooner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from experiments.readers.number_block import NUMBERS_AT_ONCE, runs

if TYPE_CHECKING:
    import pandas as pd

Hashes = NDArray[np.uint64]


def row_hashes(frame: pd.DataFrame) -> Hashes:
    """To the bit `pandas.util.hash_pandas_object(frame, index=False)`, (m,), which takes 0.7 s of 80 x 20,000.

    Source: Python's hash of a tuple (xxHash came later), as pandas combines the hashes of columns.
    """
    hashes = np.empty(len(frame), np.uint64)
    n_at_once = max(1, NUMBERS_AT_ONCE // max(1, frame.shape[1]))
    for start in range(0, len(frame), n_at_once):
        rows = slice(start, start + n_at_once)
        hashes[rows] = _hashes_of(frame.iloc[rows])
    return hashes


def _hashes_of(frame: pd.DataFrame) -> Hashes:
    n_left, multiplier = frame.shape[1], 1_000_003
    hashes = np.full(len(frame), 0x345678, np.uint64)
    for of_column in _of_columns(frame):
        hashes ^= of_column
        hashes *= np.uint64(multiplier)
        multiplier = (multiplier + 82520 + 2 * n_left) % 2**64
        n_left -= 1
    hashes += np.uint64(97531)
    return hashes


def _of_columns(frame: pd.DataFrame) -> Iterator[Hashes]:
    import pandas as pd

    for stretch, is_number in runs(frame):
        columns = frame.iloc[:, stretch]
        if is_number:
            together = np.ascontiguousarray(columns.to_numpy().T)
            yield from pd.util.hash_array(together.ravel()).astype(np.uint64, copy=False).reshape(together.shape)
        else:
            yield np.asarray(pd.util.hash_pandas_object(columns.iloc[:, 0], index=False), np.uint64)
