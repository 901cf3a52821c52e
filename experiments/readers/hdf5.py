"""Named arrays in an HDF5 file."""

from __future__ import annotations

import errno
from functools import partial
from pathlib import Path
from typing import TypeVar

import h5py

from experiments.errors import InputError
from experiments.readers.arrays import Take, read_contents
from experiments.readers.examples import Contents, Examples
from experiments.readers.hdf5_sources import check_link, check_storage
from experiments.readers.hdf5_values import stored_array
from experiments.readers.options import ReadOptions
from experiments.readers.stored_array import StoredArray

T = TypeVar("T")


def read_hdf5(path: Path, place: str, options: ReadOptions, train: Examples | None = None) -> Contents:
    """Read an HDF5 file in one of the layouts of `arrays.LAYOUTS`.

    Raises:
        InputError: Truncated or damaged, of no known layout, or with unsound arrays.
    """
    take: Take[Contents] = partial(read_contents, said=options.examples, train=train)
    return take_from_hdf5(path, place, take, follow_links=options.follow_links)


def take_from_hdf5(path: Path, place: str, take: Take[T], *, follow_links: bool = False) -> T:
    """What `take` returns for an HDF5 file, given the names of its arrays, a function that reads one, and `place`.

    Raises:
        InputError: Truncated or damaged, of no known layout, or with unsound arrays; or its values are in other files
            and `follow_links` is not set.
    """
    try:
        with _opened(path, place) as file:

            def read(key: str) -> StoredArray:
                check_link(file, key, f"{place}: '{key}'", follow_links=follow_links)
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
                check_storage(item, file, f"{place}: '{key}'", follow_links=follow_links)
                return stored_array(item, f"{place}: '{key}'")

            return take(list(file), read, place)
    except InputError:
        raise
    # How h5py reports truncation and damage; TypeError: a type that NumPy has not, such as H5T_TIME.
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{place}: the HDF5 file is truncated or damaged ({error}).",
            "All of it must be readable.",
            "Copy or export the file again.",
        ) from error


def _opened(path: Path, place: str) -> h5py.File:
    """Open under HDF5's lock, where there are locks: it keeps away from what is just being written.

    Raises:
        InputError: Another program has the file open for writing.
    """
    try:
        return h5py.File(path, "r")
    except OSError as error:
        if "unable to lock file" not in str(error):
            raise
        if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
            raise InputError(
                f"{place}: another program has the file open for writing.",
                "It must not change while it is read.",
                "Close it there; where no program has it open, type: export HDF5_USE_FILE_LOCKING=FALSE",
            ) from error
        return h5py.File(path, "r", locking=False)  # a file system without locks, or one that is mounted read-only
