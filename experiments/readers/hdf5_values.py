"""What other writers mean by the values of an HDF5 array: MATLAB, netCDF, R, and files that are spread over several.

Sources: MATLAB's MAT-file 7.3 (attributes MATLAB_class, MATLAB_empty); the CF conventions 1.11, 2.5 and 8.1
(_FillValue, missing_value, scale_factor, add_offset); netCDF's default fill values (netcdf.h, NC_FILL_*).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many, listed
from experiments.readers.declared_size import check_declared_size
from experiments.readers.hdf5_filters import check_filters
from experiments.readers.stored_array import StoredArray

NETCDF_FILL = {"i1": -127, "i2": -32767, "i4": -2147483647, "i8": -9223372036854775806, "f4": 9.969209968386869e36}
NETCDF_FILL |= {"f8": NETCDF_FILL["f4"], "u2": 65535, "u4": 4294967295, "u8": 18446744073709551614}


def stored_array(dataset: h5py.Dataset, place: str) -> StoredArray:
    """An array as its writer meant it: missing values are NaN, MATLAB's axes are in MATLAB's order.

    Args:
        dataset: At the top of its file.
        place: How messages name it.

    Raises:
        InputError: It is of a type that NumPy has not, needs a filter that is not there, or hardly any of its values
            were written.
    """
    _check_type(dataset, place)
    check_filters(dataset, place)
    if not dataset.is_virtual and not dataset.external:
        check_declared_size(place, dataset.size * dataset.dtype.itemsize, dataset.id.get_storage_size())
    levels = h5py.check_enum_dtype(dataset.dtype)
    if levels is not None:
        return _enumerated(np.asarray(dataset[()]), levels)
    matlab_class = dataset.attrs.get("MATLAB_class")
    if matlab_class is None:
        return StoredArray(_unpacked(np.asarray(dataset[()]), dataset))
    values = np.empty(0) if "MATLAB_empty" in dataset.attrs else np.asarray(dataset[()])
    name = matlab_class.decode() if isinstance(matlab_class, bytes) else str(matlab_class)
    if name == "cell":
        texts = [_matlab_text(dataset.file[reference]) for reference in values.ravel()]
        values = np.array(texts, dtype=object).reshape(values.shape)
    elif name == "char":
        return StoredArray(np.array(_matlab_rows(values), dtype=object), is_matlab=True)
    return StoredArray(values.T, is_matlab=True)


def _matlab_rows(codes: NDArray[Any]) -> list[str]:
    """The rows of a MATLAB matrix of characters, stored (columns, rows) as UTF-16 units."""
    return [row.astype("<u2").tobytes().decode("utf-16-le", "replace").strip() for row in np.atleast_2d(codes.T)]


def _matlab_text(cell: h5py.Dataset) -> str:
    if "MATLAB_empty" in cell.attrs:
        return ""
    values = np.asarray(cell[()])
    if cell.attrs.get("MATLAB_class") in (b"char", "char"):
        return "".join(_matlab_rows(values))
    return str(values.ravel()[0])


def _enumerated(values: NDArray[Any], levels: dict[str, int]) -> StoredArray:
    """Truth values as numbers, NA as NaN; any other enumeration, such as R's factors, as its names."""
    names = {int(code): name.strip() for name, code in levels.items()}
    is_truth = {name.lower() for name in names.values()} - {"na"} == {"false", "true"}
    if is_truth:
        numbers = {code: {"false": 0.0, "true": 1.0}.get(name.lower(), np.nan) for code, name in names.items()}
        truth = np.array([numbers.get(code, np.nan) for code in values.ravel().tolist()]).reshape(values.shape)
        return StoredArray(truth if np.isnan(truth).any() else truth.astype(np.bool_))
    texts = np.array([names.get(code, str(code)) for code in values.ravel().tolist()], dtype=object)
    return StoredArray(texts.reshape(values.shape), levels=tuple(names[code] for code in sorted(names)))


def _unpacked(values: NDArray[Any], dataset: h5py.Dataset) -> NDArray[Any]:
    """Numbers with what netCDF's conventions call missing as NaN, then unpacked: value * scale_factor + add_offset."""
    attributes = dataset.attrs
    if values.dtype.kind not in "iuf":
        return values
    marks = [np.ravel(attributes[key]) for key in ("_FillValue", "missing_value") if key in attributes]
    if "_FillValue" not in attributes and "_NCProperties" in dataset.file.attrs:
        default = NETCDF_FILL.get(f"{values.dtype.kind}{values.dtype.itemsize}")
        marks += [] if default is None else [np.array([default])]
    numeric = [mark for mark in marks if mark.dtype.kind in "iuf"]
    if numeric:
        is_missing = np.isin(values, np.concatenate([mark.astype(values.dtype) for mark in numeric]))
        if is_missing.any():
            values = np.where(is_missing, np.nan, values)
    if "scale_factor" in attributes or "add_offset" in attributes:
        scale = float(np.ravel(attributes.get("scale_factor", 1))[0])
        values = values * scale + float(np.ravel(attributes.get("add_offset", 0))[0])
    return values


def _check_type(dataset: h5py.Dataset, place: str) -> None:
    try:
        _ = dataset.dtype
    except TypeError as error:
        is_time = dataset.id.get_type().get_class() == h5py.h5t.TIME
        raise InputError(
            f"{place} is of {'the type H5T_TIME' if is_time else 'a type'} of HDF5, which NumPy has not.",
            "Examples are numbers; labels are numbers, truth values or text.",
            "Export the array again, times as whole numbers of seconds." if is_time else "Export the array again.",
        ) from error


def check_link(file: h5py.File, key: str, place: str, *, follow_links: bool) -> None:
    """Check that an array is in the file, or may be elsewhere.

    Raises:
        InputError: A link leads out of the file, and `follow_links` is not set.
    """
    link = file.get(key, getlink=True)
    if isinstance(link, h5py.ExternalLink) and not follow_links:
        raise _elsewhere(f"{place} is a link to '{link.path}' in {link.filename}")


def check_storage(dataset: h5py.Dataset, file: h5py.File, place: str, *, follow_links: bool) -> None:
    """Check that the values of an array are in its file, or in other files that are there and may be read.

    Args:
        dataset: The array.
        file: Where it was looked for; relative names start at its folder.
        place: How messages name the array.
        follow_links: Whether other files may be read.

    Raises:
        InputError: They may not, or one of them is absent: HDF5 would fill its part with zeros without a word.
    """
    folder = Path(dataset.file.filename).parent
    if dataset.file.filename != file.filename and not follow_links:
        raise _elsewhere(f"{place} is in {dataset.file.filename}")
    outside = [str(entry[0]) for entry in dataset.external or ()]
    if dataset.is_virtual:
        outside += [source.file_name for source in dataset.virtual_sources() if source.file_name != "."]
    if not outside:
        return
    names = list(dict.fromkeys(outside))
    if not follow_links:
        raise _elsewhere(f"{place} has its values in {listed(names)}")
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise InputError(
            f"{place} has its values in {how_many(len(names), 'other file')}, and "
            f"{how_many(len(absent), 'is', 'are')} not there: {listed(absent)}.",
            f"Their names are relative to {folder}; HDF5 reads zeros in their place.",
            "Copy these files there, or export the array itself.",
        )


def _elsewhere(what: str) -> InputError:
    return InputError(
        f"{what}, outside of this file.",
        "A file holds its own values, unless [data] follow_links = true.",
        "Write follow_links = true, or export the file again with the array itself.",
    )
