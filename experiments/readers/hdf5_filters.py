"""Filters by which the values of an HDF5 array are compressed: those of HDF5 and h5py, and those that plugins bring.

Source: the HDF Group's registry of filters, by number.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

import h5py

from experiments.errors import InputError

_OF_PLUGIN = {
    307: "bzip2",
    32001: "Blosc",
    32004: "LZ4",
    32008: "Bitshuffle",
    32013: "ZFP",
    32015: "Zstandard",
    32017: "SZ",
    32018: "FCIDECOMP",
    32024: "SZ3",
    32026: "Blosc2",
    32028: "SPERR",
}
"""What the package hdf5plugin brings."""


def check_filters(dataset: h5py.Dataset, place: str) -> None:
    """Check that an array can be decompressed; loads hdf5plugin where it is needed and installed.

    Raises:
        InputError: A filter is not installed.
    """
    filters = dataset.id.get_create_plist()
    for index in range(filters.get_nfilters()):
        code, _, _, name = filters.get_filter(index)
        if code in _OF_PLUGIN and not h5py.h5z.filter_avail(code):
            with suppress(ImportError):
                import_module("hdf5plugin")
        if h5py.h5z.filter_avail(code):
            continue
        known = _OF_PLUGIN.get(code)
        label = known or name.decode("utf-8", "replace").split(";")[0] or "without a name"
        raise InputError(
            f"{place} is compressed with the HDF5 filter {code} ({label}), which is not installed here.",
            "The file is sound; filters that are always there are gzip, lzf, shuffle and fletcher32.",
            "Type: pip install hdf5plugin"
            if known
            else f"Type: h5repack -f GZIP=4 old.h5 new.h5 where the filter ({label}) is installed.",
        )
