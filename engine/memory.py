"""Arrays whose first byte begins a cache line, and arrays in files that are mapped into memory.

NumPy aligns arrays to 16 bytes. An AVX-512 register holds 64, so unless an array begins on a cache line every load and
store touches two lines. Measurements: README, decisions.
"""

import math
from pathlib import Path
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


def written(directory: Path, **arrays: npt.NDArray[Any] | None) -> None:
    """Write one .npy file per array that is there into an existing directory, for `mapped`."""
    for name, array in arrays.items():
        if array is not None:
            np.save(directory / f"{name}.npy", array, allow_pickle=False)


def mapped(path: Path) -> npt.NDArray[Any]:
    """The array of a .npy file, read-only: all processes of a machine share one copy."""
    array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return np.asarray(array)  # the same memory without np.memmap's Python-level cost in every ufunc


def mapped_if_there(path: Path) -> npt.NDArray[Any] | None:
    """The same, or None where there is no such file."""
    return mapped(path) if path.exists() else None
