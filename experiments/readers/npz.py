"""Named arrays in a NumPy archive."""

from __future__ import annotations

import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from experiments.errors import InputError
from experiments.readers.arrays import Take, read_contents
from experiments.readers.declared_size import check_declared_size
from experiments.readers.examples import Contents, Examples
from experiments.readers.options import ReadOptions
from experiments.readers.stored_array import StoredArray

T = TypeVar("T")

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_IS_ENCRYPTED = 0x1  # bit of a member's flags


def read_npz(path: Path, place: str, options: ReadOptions, train: Examples | None = None) -> Contents:
    """Read an NPZ file in one of the layouts of `arrays.LAYOUTS`. Nothing is ever unpickled.

    Raises:
        InputError: Damaged, holding Python objects, of no known layout, or with unsound arrays.
    """
    take: Take[Contents] = partial(read_contents, said=options.examples, train=train)
    return take_from_npz(path, place, take)


def _check_packing(member: zipfile.ZipInfo, place: str) -> None:
    how = f"is compressed by method {member.compress_type}" if member.compress_type not in _METHODS else ""
    how = "is encrypted" if member.flag_bits & _IS_ENCRYPTED else how
    if how:
        raise InputError(
            f"{place} {how}, which is not read here.",
            "An NPZ file holds its arrays plain, or deflated as numpy.savez_compressed writes them.",
            "Save it again with numpy.savez.",
        )


def take_from_npz(path: Path, place: str, take: Take[T]) -> T:
    """What `take` returns for an NPZ file, given the names of its arrays, a function that reads one, and `place`.

    Raises:
        InputError: Damaged, holding Python objects, of no known layout, or with unsound arrays.
    """
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:

            def read(key: str) -> StoredArray:
                member = next(info for info in archive.zip.infolist() if info.filename.removesuffix(".npy") == key)
                _check_packing(member, f"{place}: '{key}'")
                check_declared_size(f"{place}: '{key}'", member.file_size, member.compress_size)
                try:
                    return StoredArray(np.asarray(archive[key]))
                except ValueError as error:
                    if "allow_pickle" not in str(error):
                        raise
                    raise InputError(
                        f"{place}: '{key}' is an array of Python objects, which would have to be unpickled.",
                        "Arrays must be of numbers or text.",
                        f"Save {key}.astype(float), or .astype(str) for labels.",
                    ) from error

            return take(list(archive.files), read, place)
    except InputError:
        raise
    # MemoryError: a damaged header may promise any shape. RuntimeError: encrypted, or packed in an unknown way.
    except (OSError, EOFError, ValueError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(
            f"{place}: the NPZ file is truncated or damaged ({error}).",
            "All of it must be readable.",
            "Copy it or save it again with numpy.savez.",
        ) from error
