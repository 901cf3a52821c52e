"""An array of a file, with what the file says of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class StoredArray(NamedTuple):
    """An array as it is in a file.

    Attributes:
        values: The array; one that MATLAB wrote as MATLAB shows it.
        levels: The names of an enumeration in its order; `values` are then names.
        is_matlab: Whether MATLAB wrote it.
    """

    values: NDArray[Any]
    levels: tuple[str, ...] = ()
    is_matlab: bool = False


def lowest_integer(dtype: np.dtype[Any]) -> int | None:
    """The value with which R writes a missing integer and NumPy replaces NaN; None where every value may be one."""
    return int(np.iinfo(dtype).min) if dtype.kind == "i" and dtype.itemsize >= 4 else None
