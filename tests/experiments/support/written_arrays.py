"""Arrays as their writers write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import netcdf_file, savemat
from scipy.sparse import csr_matrix
from sklearn.datasets import dump_svmlight_file

from tests.experiments.support.written import PICTURES, TABLE, M, Written, X, Y

UNKNOWN = "is of a known format"


def _of(package: str, what: str, name: str, write: Callable[[Path], Any], refused: str = "", **options: Any) -> Written:
    return Written(package, what, name, write, "arrays", refused, options)


def _npz(what: str, refused: str = "", **arrays: Any) -> Written:
    return _of("numpy", what, "t.npz", lambda path: np.savez(path, **arrays), refused)


def _savetxt(path: Path, **how: Any) -> None:
    np.savetxt(path, TABLE.to_numpy(), fmt="%s", delimiter=",", **how)


NUMPY = [
    _npz("savez()", X=X, y=Y),
    _of("numpy", "savez_compressed()", "t.npz", lambda path: np.savez_compressed(path, X=X, y=Y)),
    _npz("savez() of float16, (m, 1) labels", X=X.astype(np.float16), y=Y[:, None]),
    _npz("savez() of longdouble", X=X.astype(np.longdouble), y=Y),
    _npz("savez() of big-endian numbers, Fortran's order", X=np.asfortranarray(X.astype(">f8")), y=Y.astype(">i2")),
    Written(
        "numpy",
        "savez() of pictures (m, 3, h, w)",
        "t.npz",
        lambda path: np.savez(path, X=PICTURES.transpose(0, 3, 1, 2), y=Y),
        "pictures",
    ),
    _npz("savez() of objects", "have to be unpickled", X=X.astype(object), y=Y),
    _npz("savez() of records", "not numbers", X=np.zeros(M, [("a", float), ("b", int)]), y=Y),
    _npz("savez() of features x examples", 'examples = "columns"', X=X.T, y=Y),
    _of("numpy", "save()", "t.npy", lambda path: np.save(path, X), UNKNOWN),
    Written("numpy", "savetxt(header=...)", "t.csv", lambda path: _savetxt(path, header="area,rooms,roof,price")),
    _of("numpy", "arrays (X, y)", "", lambda path: (X, Y)),
]


def _h5(path: Path, how: dict[str, Any] | None = None, **file: Any) -> None:
    with h5py.File(path, "w", **file) as opened:
        opened.create_dataset("X", data=X, **(how or {}))
        opened["y"] = Y


def _h5_of(what: str, refused: str = "", options: dict[str, Any] | None = None, **arrays: Any) -> Written:
    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            for key, array in arrays.items():
                file[key] = array

    return _of("h5py", what, "t.h5", write, refused, **(options or {}))


def _virtual(path: Path) -> None:
    _h5(path.with_name("source.h5"))
    layout = h5py.VirtualLayout(shape=X.shape, dtype="f8")
    layout[:] = h5py.VirtualSource("source.h5", "X", shape=X.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("X", layout)
        file["y"] = Y


def _link(path: Path) -> None:
    _h5(path.with_name("source.h5"))
    with h5py.File(path, "w") as file:
        file["X"] = h5py.ExternalLink("source.h5", "X")
        file["y"] = Y


def _group(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X/values"], file["y"] = X, Y


H5PY = [
    _of("h5py", "contiguous", "t.h5", _h5),
    *(
        _of("h5py", f"chunks, {what}", "t.h5", lambda path, how=how: _h5(path, how))
        for what, how in (
            ("gzip and shuffle", {"compression": "gzip", "shuffle": True}),
            ("lzf", {"compression": "lzf"}),
            ("fletcher32", {"fletcher32": True}),
        )
    ),
    _of("h5py", "libver='latest'", "t.h5", lambda path: _h5(path, libver="latest")),
    _of("h5py", "a user block", "t.h5", lambda path: _h5(path, userblock_size=512)),
    _h5_of("big-endian float32", X=X.astype(">f4"), y=Y.astype(">i4")),
    _h5_of("pictures in the course's layout", train_set_x=X, train_set_y=Y[None, :]),
    _h5_of("features x examples, y (1, m)", X=X.T, y=Y[None, :]),
    _h5_of("compound X", "not numbers", X=np.zeros(M, [("a", float)]), y=Y),
    _h5_of("complex X", "not numbers", X=X * 1j, y=Y),
    _of("h5py", "a group X", "t.h5", _group, "is a group"),
    _of("h5py", "virtual dataset", "t.h5", _virtual, "follow_links"),
    _of("h5py", "virtual dataset, follow_links", "t.h5", _virtual, follow_links=True),
    _of("h5py", "external link", "t.h5", _link, "follow_links"),
    _of("h5py", "external link, follow_links", "t.h5", _link, follow_links=True),
]


def _by_plugin(name: str) -> Written:
    def write(path: Path) -> None:
        import hdf5plugin

        _h5(path, dict(getattr(hdf5plugin, name)()))

    return _of("hdf5plugin", name, "t.h5", write)


def _mat(what: str, refused: str = "", options: dict[str, Any] | None = None, **arrays: Any) -> Written:
    return _of("scipy", what, "t.mat", lambda path: savemat(path, arrays), refused, **(options or {}))


def _netcdf3(path: Path) -> None:
    with netcdf_file(path, "w") as file:
        file.createDimension("m", M)
        file.createVariable("y", "i4", ("m",))[:] = Y


SCIPY = [
    _mat("savemat()", X=X, y=Y),
    _of(
        "scipy",
        "savemat(do_compression=True)",
        "t.mat",
        lambda path: savemat(path, {"X": X, "y": Y}, do_compression=True),
    ),
    _of("scipy", "savemat(format='4')", "t.mat", lambda path: savemat(path, {"X": X, "y": Y}, format="4"), UNKNOWN),
    _mat("savemat() of sparse X", X=csr_matrix(X), y=Y),
    _mat("savemat() of features x examples", X=X.T, y=Y),
    _mat("savemat() beside a structure", X=X, y=Y, about={"by": "us", "when": 2026}),
    _of("scipy", "netcdf_file()", "t.nc", _netcdf3, "not an HDF5 file"),
]

SKLEARN = [
    _of("scikit-learn", "dump_svmlight_file()", "t.svm", lambda path: dump_svmlight_file(X, Y, str(path))),
    _of(
        "scikit-learn",
        "dump_svmlight_file(comment=..., query_id=...)",
        "t.svm",
        lambda path: dump_svmlight_file(X, Y, str(path), comment="ours", query_id=np.arange(M)),
    ),
    _of(
        "scikit-learn",
        "dump_svmlight_file(multilabel=True)",
        "t.svm",
        lambda path: dump_svmlight_file(X, np.c_[Y, np.ones(M, int)], str(path), multilabel=True),
        "LIBSVM's format",
    ),
]


def _netcdf4(path: Path, gap: bool = False, **how: Any) -> None:
    import netCDF4

    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("m", M)
        file.createDimension("n", 3)
        values = np.ma.masked_array(X, mask=np.arange(3 * M).reshape(M, 3) == 5) if gap else X
        file.createVariable("X", "f8", ("m", "n"), **how)[:] = values
        file.createVariable("y", "i4", ("m",))[:] = Y


def _h5netcdf(path: Path) -> None:
    import h5netcdf

    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"m": M, "n": 3}
        file.create_variable("X", ("m", "n"), data=X)
        file.create_variable("y", ("m",), data=Y)


def _xarray(path: Path) -> None:
    import xarray

    xarray.Dataset({"X": (("m", "n"), X), "y": ("m", Y)}).to_netcdf(path, engine="h5netcdf")


def _pytables(path: Path, **how: Any) -> None:
    import tables

    with tables.open_file(str(path), "w") as file:
        file.create_carray("/", "X", obj=X, filters=tables.Filters(**how) if how else None)
        file.create_array("/", "y", Y)


def _frame_in_hdf(path: Path) -> None:
    TABLE.to_hdf(path, key="X")


def _hdf5storage(path: Path) -> None:
    import hdf5storage

    hdf5storage.savemat(str(path), {"X": X, "y": Y[:, None]}, format="7.3", oned_as="column")


OTHERS = [
    *map(_by_plugin, ("Blosc", "Blosc2", "LZ4", "Zstd", "Bitshuffle", "BZip2")),
    _of("netCDF4", "Dataset", "t.nc", _netcdf4),
    _of("netCDF4", "Dataset, zlib", "t.nc", lambda path: _netcdf4(path, zlib=True, least_significant_digit=3)),
    _of("netCDF4", "Dataset with masked values", "t.nc", lambda path: _netcdf4(path, gap=True), "NaN or infinite"),
    _of("h5netcdf", "File", "t.nc", _h5netcdf),
    _of("xarray", "Dataset.to_netcdf()", "t.nc", _xarray),
    _of("tables", "create_carray()", "t.h5", _pytables),
    _of("tables", "create_carray(), zlib", "t.h5", lambda path: _pytables(path, complevel=5, complib="zlib")),
    _of("tables", "DataFrame.to_hdf()", "t.h5", _frame_in_hdf, "'y' is missing"),
    _of("hdf5storage", "savemat(format='7.3')", "t.mat", _hdf5storage),
]

ARRAYS = [*NUMPY, *H5PY, *SCIPY, *SKLEARN, *OTHERS]
