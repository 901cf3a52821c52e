"""Where the values of an HDF5 array are: in its file, or in others that it names, which must then be there and fit."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from experiments.errors import InputError, how_many, listed

_PACKING = {"_FillValue": np.nan, "missing_value": np.nan, "scale_factor": 1, "add_offset": 0}
"""Attributes of the CF conventions, and what is as good as none."""


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
        InputError: They may not; or a part of a virtual array is absent, which HDF5 would fill with zeros without a
            word; or two parts number the names of an enumeration differently.
    """
    folder = Path(dataset.file.filename).parent
    if dataset.file.filename != file.filename and not follow_links:
        raise _elsewhere(f"{place} is in {dataset.file.filename}")
    outside = [str(entry[0]) for entry in dataset.external or ()]
    sources = dataset.virtual_sources() if dataset.is_virtual else []
    outside += [source.file_name for source in sources if source.file_name != "."]
    names = list(dict.fromkeys(outside))
    if names and not follow_links:
        raise _elsewhere(f"{place} has its values in {listed(names)}")
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise InputError(
            f"{place} has its values in {how_many(len(names), 'other file')}, and "
            f"{how_many(len(absent), 'is', 'are')} not there: {listed(absent)}.",
            f"Their names are relative to {folder}; HDF5 reads zeros in their place.",
            "Copy these files there, or export the array itself.",
        )
    if dataset.is_virtual:
        _check_sources(dataset, sources, folder, place, follow_links=follow_links)


def _check_sources(
    dataset: h5py.Dataset, sources: Sequence[Any], folder: Path, place: str, *, follow_links: bool
) -> None:
    """Check the arrays, in files that are there, from which a virtual one takes its values."""
    if (n_without := _n_without_source(dataset, sources)) > 0:
        raise InputError(
            f"{place} does not say where {n_without:,} of its {dataset.size:,} values are.",
            "HDF5 reads zeros in their place.",
            "Export the array itself, or with a layout that covers it.",
        )
    numbering = h5py.check_enum_dtype(dataset.dtype)
    for source in sources:
        is_inside = source.file_name == "."
        where = f"'{source.dset_name}'" + ("" if is_inside else f" of {source.file_name}")
        with nullcontext(dataset.file) if is_inside else _opened(folder / source.file_name, place) as file:
            part = file.get(source.dset_name)
            if not isinstance(part, h5py.Dataset) or not _holds(part, source):
                raise InputError(
                    f"{place} has values in {where}, which is not there or has another size than it had.",
                    "HDF5 reads zeros in place of what is missing.",
                    "Export that file, or the array itself, again.",
                )
            odd = [key for key in _PACKING if _packing(part, key) != _packing(dataset, key)]
            if odd:
                raise InputError(
                    f"{place} has values in {where}, whose {listed(odd)} is not that of the array.",
                    "It says what a number means; HDF5 takes the numbers alone from the parts.",
                    "Export the array itself, unpacked.",
                )
            own = h5py.check_enum_dtype(part.dtype)
            numbering = own if numbering is None else numbering
            if own != numbering:
                raise InputError(
                    f"{place} has values in {where}, which numbers their names differently.",
                    "They are read as numbers: all parts must number names as the array does, or labels change places.",
                    "Export the array itself, with its names.",
                )
            check_storage(part, file, f"{place} ({where})", follow_links=follow_links)


def _opened(path: Path, place: str) -> h5py.File:
    try:
        return h5py.File(path)
    except OSError as error:
        raise InputError(
            f"{place} has values in {path.name}, which cannot be read ({error}).",
            "All of it must be readable.",
            "Copy or export that file again.",
        ) from error


def _packing(dataset: h5py.Dataset, key: str) -> str:
    """What an attribute makes of a number, as text; "" where it changes none."""
    value = np.ravel(dataset.attrs.get(key, _PACKING[key]))
    return "" if np.array_equal(value, [_PACKING[key]], equal_nan=value.dtype.kind == "f") else str(value)


def _n_without_source(dataset: h5py.Dataset, sources: Sequence[Any]) -> int:
    """How many values no source gives; 0 where a source may grow without end, as the array then does."""
    has_source = np.zeros(dataset.shape, np.bool_)
    for source in sources:
        if source.vspace.get_select_type() == h5py.h5s.SEL_ALL:
            return 0
        if source.vspace.is_regular_hyperslab():
            of_axes = []
            for start, stride, count, block in zip(*source.vspace.get_regular_hyperslab(), strict=True):
                if h5py.h5s.UNLIMITED in (count, block):
                    return 0
                of_axes.append((start + stride * np.arange(count)[:, None] + np.arange(block)).ravel())
            has_source[np.ix_(*of_axes)] = True
        else:
            for first, last in source.vspace.get_select_hyper_blocklist():
                has_source[tuple(slice(i, j + 1) for i, j in zip(first, last, strict=True))] = True
    return int(has_source.size - np.count_nonzero(has_source))


def _holds(part: h5py.Dataset, source: Any) -> bool:  # noqa: ANN401  # an item of `virtual_sources`
    """Whether an array has the values that are wanted of it."""
    wanted = source.src_space
    if wanted.get_select_type() == h5py.h5s.SEL_ALL:
        return bool(part.size == source.vspace.get_select_npoints())
    if wanted.is_regular_hyperslab():
        _, _, count, block = wanted.get_regular_hyperslab()
        if h5py.h5s.UNLIMITED in (*count, *block):
            return True  # as many as there are
    _, last = wanted.get_select_bounds()
    return len(last) == part.ndim and all(i < n for i, n in zip(last, part.shape, strict=True))


def _elsewhere(what: str) -> InputError:
    return InputError(
        f"{what}, outside of this file.",
        "A file holds its own values, unless [data] follow_links = true.",
        "Write follow_links = true, or export the file again with the array itself.",
    )
