"""Arrays whose first byte begins a cache line.

NumPy aligns arrays to 16 bytes. An AVX-512 register holds 64, so unless an array begins on a cache line every load and
store touches two lines. Measurements: README, decisions.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

CACHE_LINE = 64
"""Bytes."""


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array of the given shape with undefined values."""
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    block = np.empty(n_bytes + CACHE_LINE, np.uint8)
    start = -block.ctypes.data % CACHE_LINE
    return block[start : start + n_bytes].view(dtype).reshape(shape)


def whole_cache_lines(n: int, dtype: npt.DTypeLike) -> int:
    """n, or the next larger number of elements that fills whole cache lines."""
    in_a_line = CACHE_LINE // np.dtype(dtype).itemsize
    return -(-n // in_a_line) * in_a_line


def full(shape: tuple[int, ...], value: float, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """An array of the given shape, filled with one value."""
    array = empty(shape, dtype)
    array[...] = value
    return array


def copied(array: npt.NDArray[Any], dtype: npt.DTypeLike | None = None) -> npt.NDArray[Any]:
    """A copy, in another dtype if one is given."""
    copy = empty(array.shape, dtype or array.dtype)
    copy[...] = array
    return copy
