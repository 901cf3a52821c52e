"""Small files that say they hold gigabytes are refused before a byte of that is asked for."""

import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest

from experiments.dataset import load_dataset
from experiments.errors import InputError
from experiments.readers.declared_size import check_declared_size


def unwritten_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("X", (10**9, 1000), "float64", chunks=(1000, 1000))
        file.create_dataset("y", (10**9,), "int64", chunks=(100_000,))


def zeros_in_npz(path):
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (100000, 2000), }".ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(2 * 10**8)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", content)
        archive.writestr("y.npy", content)


@pytest.mark.parametrize(("name", "write"), [("huge.h5", unwritten_hdf5), ("huge.npz", zeros_in_npz)])
def test_an_array_of_which_the_file_holds_hardly_anything_is_refused(tmp_path, name, write):
    path = tmp_path / name
    write(path)
    assert path.stat().st_size < 1_000_000
    tracemalloc.start()
    with pytest.raises(InputError, match=rf"{name}: 'X' says that it has [\d,]+ bytes, and the file holds"):
        load_dataset(str(path))
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_what_compresses_well_and_what_is_small_is_read(tmp_path):
    check_declared_size("a", 400_000_000, 1_000_000)
    check_declared_size("a", 99_000_000, 0)
    with h5py.File(tmp_path / "small.h5", "w") as file:
        file["X"], file["y"] = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    assert load_dataset(str(tmp_path / "small.h5")).n_train + load_dataset(str(tmp_path / "small.h5")).n_test == 20
