"""Tables whose numbers lie in one array, so that there is one copy of them and no column is handled alone.

A million rows of 20 numbers are 160 MB, and 20,000 columns of 100 numbers take pandas a second for each step that it
makes column by column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

NUMBERS_AT_ONCE = 2**20
"""How many numbers are looked at together, 8 MB."""


def frame_of(names: Sequence[str], numbers: NDArray[np.float64], others: Mapping[int, pd.Series]) -> pd.DataFrame:
    """A table of numbers and other columns.

    Args:
        names: Of all n columns, in order.
        numbers: (n, m); the rows of other columns are not looked at. The table is a view of it.
        others: The columns that are no numbers, (m,) each, by their position.
    """
    import pandas as pd

    if not names:
        return pd.DataFrame()
    pieces: list[pd.DataFrame] = []
    start = 0
    for position in [*sorted(others), len(names)]:
        if start < position:
            pieces.append(pd.DataFrame(numbers[start:position].T, copy=False))
        if position < len(names):
            pieces.append(others[position].reset_index(drop=True).to_frame())
        start = position + 1
    frame = _beside(pieces)
    frame.columns = pd.Index(list(names))
    return frame


def names_of(frame: pd.DataFrame) -> list[str]:
    """The names of the columns; to iterate over pandas' index of them takes ten times as long."""
    return [str(name) for name in frame.columns.tolist()]


def runs(frame: pd.DataFrame) -> Iterator[tuple[slice, bool]]:
    """The table's columns, as stretches of float64 columns (True) and single other ones (False), in order."""
    is_number = np.array([dtype == np.float64 for dtype in frame.dtypes], dtype=bool)
    start, n = 0, len(is_number)
    while start < n:
        stop = start + 1
        while is_number[start] and stop < n and is_number[stop]:
            stop += 1
        yield slice(start, stop), bool(is_number[start])
        start = stop


def column_parts(n_rows: int, n_columns: int) -> Iterator[slice]:
    """All columns of a table, a few at a time: about 8 MB of float64, and never one alone unless it is the only one.

    NumPy adds up a single column in another order than several, so a lone one would have other last digits.
    """
    n_parts = max(1, min(n_columns // 2, -(-n_rows * n_columns // NUMBERS_AT_ONCE)))
    edges = [n_columns * number // n_parts for number in range(n_parts + 1)]
    for start, stop in pairwise(edges):
        yield slice(start, stop)


def divided(
    frame: pd.DataFrame, first: NDArray[np.intp], second: NDArray[np.intp]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two parts of a table's rows. The table is used up: its numbers change places where they are, without a copy.

    Args:
        frame: (m, n).
        first, second: Row numbers of the parts; together each row once.
    """
    import pandas as pd

    order, n_first = np.concatenate([first, second]), len(first)
    pieces: tuple[list[pd.DataFrame], list[pd.DataFrame]] = [], []
    for columns, is_number in runs(frame):
        part = frame.iloc[:, columns]
        if is_number:
            values = _writable(part.to_numpy())
            for column in values.T:
                column[...] = column[order]
            pieces[0].append(pd.DataFrame(values[:n_first], columns=part.columns, copy=False))
            pieces[1].append(pd.DataFrame(values[n_first:], columns=part.columns, copy=False))
        else:
            pieces[0].append(part.iloc[first].reset_index(drop=True))
            pieces[1].append(part.iloc[second].reset_index(drop=True))
    return _beside(pieces[0]), _beside(pieces[1])


def _beside(pieces: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pieces[0] if len(pieces) == 1 else pd.concat(pieces, axis="columns")


def _writable(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same memory, which pandas lends for reading only, where it is an array of ours; else a copy."""
    try:
        values.flags.writeable = True
    except ValueError:
        return values.copy(order="F")
    return values
