"""Named arrays in an HDF5 file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError
from experiments.readers.arrays import Take, read_contents
from experiments.readers.examples import Contents

T = TypeVar("T")


def read_hdf5(path: Path, place: str) -> Contents:
    """Read an HDF5 file in one of the layouts of `arrays.LAYOUTS`.

    Raises:
        InputError: Truncated or damaged, of no known layout, or with unsound arrays.
    """
    return take_from_hdf5(path, place, read_contents)


def take_from_hdf5(path: Path, place: str, take: Take[T]) -> T:
    """What `take` returns for an HDF5 file, given the names of its arrays, a function that reads one, and `place`.

    Raises:
        InputError: Truncated or damaged, of no known layout, or with unsound arrays.
    """
    try:
        with h5py.File(path, "r") as file:

            def read(key: str) -> NDArray[Any]:
                if file.get(key) is None and not isinstance(file.get(key, getlink=True), h5py.HardLink):
                    raise InputError(
                        f"{place}: '{key}' is a link to an array that is not there.",
                        "Examples and labels are arrays at the top of the file.",
                        "Export the file again with the array itself under this name.",
                    )
                item = file[key]
                if not isinstance(item, h5py.Dataset):
                    raise InputError(
                        f"{place}: '{key}' is a group, not an array.",
                        "Examples and labels are arrays at the top of the file.",
                        "Export the file again with the array itself under this name.",
                    )
                return np.asarray(item[()])

            return take(list(file), read, place)
    except (OSError, RuntimeError, KeyError) as error:  # how h5py reports truncation and damage
        raise InputError(
            f"{place}: the HDF5 file is truncated or damaged ({error}).",
            "All of it must be readable.",
            "Copy or export the file again.",
        ) from error
