"""Raw inputs of a prediction: examples in files, without labels or with labels that are ignored."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from experiments.errors import InputError
from experiments.readers.arrays import Take, read_unlabelled
from experiments.readers.compressed import uncompressed
from experiments.readers.images import is_image
from experiments.readers.options import ExamplesAxis
from experiments.readers.source import TABLES, format_of

if TYPE_CHECKING:
    import pandas as pd

IMAGE = "image"


def input_format(path: Path) -> str:
    """Name the format of an input file: one of those of `source.py`, or "image".

    Raises:
        InputError: No such file, a directory, unreadable, empty, or of no known format.
    """
    with uncompressed(path, str(path)) as plain:
        found = format_of(plain, str(path), home="the working directory")
    if found is None and is_image(path):
        found = IMAGE
    if found is None:
        raise InputError(
            f"{path}: neither its content nor its extension '{path.suffix}' is of a known format, or it is damaged.",
            "Inputs are CSV (.csv, .tsv), Parquet (.parquet), Feather (.feather), Excel (.xlsx), ARFF (.arff), LIBSVM "
            "(.svm), HDF5 (.h5), NPZ (.npz), MATLAB (.mat) or images (JPEG, PNG, ...).",
            "Convert the file, or copy it again; if it is a table of comma-separated text, rename it to .csv.",
        )
    return found


def read_inputs(
    path: Path,
    file_format: str,
    shape: tuple[int, ...] = (),
    trained: ExamplesAxis = "rows",
    numbers: Collection[str] = (),
) -> NDArray[Any] | pd.DataFrame:
    """Read the examples of a table or of a file of named arrays; see `read_images` for images.

    Args:
        path: The file.
        file_format: From `input_format`.
        shape: Of one training example, by which the axis of an array that counts the examples is known.
        trained: Which axis of the training array did.
        numbers: As in `read_frame`.

    Returns:
        A table as it is in the file but for these, or an array as `feature_array` returns it.

    Raises:
        InputError: The file is damaged, or its examples are unsound.
    """
    with uncompressed(path, str(path)) as plain:
        if file_format in TABLES:
            from experiments.readers.table import read_frame

            return read_frame(plain, str(path), file_format, numbers=numbers)
        return _read(plain, str(path), file_format, shape, trained)


def _read(path: Path, place: str, file_format: str, shape: tuple[int, ...], trained: ExamplesAxis) -> NDArray[Any]:
    take: Take[NDArray[Any]] = partial(read_unlabelled, shape=shape, trained=trained)
    if file_format == "HDF5":
        from experiments.readers.hdf5 import take_from_hdf5

        return take_from_hdf5(path, place, take)
    if file_format == "MATLAB":
        from experiments.readers.mat5 import take_from_mat5

        return take_from_mat5(path, place, take)
    if file_format == "LIBSVM":
        from experiments.readers.libsvm import read_unlabelled_libsvm

        return read_unlabelled_libsvm(path, place, shape)
    from experiments.readers.npz import take_from_npz

    return take_from_npz(path, place, take)
