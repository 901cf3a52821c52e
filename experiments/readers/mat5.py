"""Named arrays in a MATLAB file of version 5 to 7; those of version 7.3 are HDF5."""

from __future__ import annotations

import struct
import zlib
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError
from experiments.readers.arrays import Take, read_contents
from experiments.readers.examples import Contents, Examples
from experiments.readers.mat5_form import check_mat5_form
from experiments.readers.options import ReadOptions
from experiments.readers.stored_array import StoredArray

T = TypeVar("T")


def read_mat5(path: Path, place: str, options: ReadOptions, train: Examples | None = None) -> Contents:
    """Read a MATLAB file in one of the layouts of `arrays.LAYOUTS`.

    Raises:
        InputError: Damaged, of no known layout, or with unsound arrays.
    """
    return take_from_mat5(path, place, partial(read_contents, said=options.examples, train=train))


def take_from_mat5(path: Path, place: str, take: Take[T]) -> T:
    """What `take` returns for a MATLAB file, given the names of its arrays, a function that reads one, and `place`.

    Raises:
        InputError: Damaged, of no known layout, or with unsound arrays.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    damage = (zlib.error, struct.error, MatReadError)
    try:
        check_mat5_form(path.read_bytes())
        arrays = {name: array for name, array in loadmat(path).items() if not name.startswith("__")}
    except (OSError, EOFError, LookupError, MemoryError, RuntimeError, TypeError, ValueError, *damage) as error:
        raise InputError(
            f"{place}: the MATLAB file is truncated or damaged ({error}).",
            "All of it must be readable.",
            "Copy it or save it again.",
        ) from error
    return take(list(arrays), lambda name: StoredArray(_without_cells(arrays[name]), is_matlab=True), place)


def _without_cells(values: object) -> NDArray[Any]:
    """Cells of text as text; sparse matrices filled in."""
    from scipy.sparse import issparse

    array: NDArray[Any] = np.asarray(values.toarray() if issparse(values) else values)  # type: ignore[attr-defined]
    if array.dtype != object:
        return array
    texts = [str(cell.ravel()[0]) if isinstance(cell, np.ndarray) and cell.size else "" for cell in array.ravel()]
    return np.array(texts, dtype=object).reshape(array.shape)
