"""A file that is compressed by a filter that is not here is sound, and what reads it is named."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from experiments.dataset import load_dataset
from experiments.errors import InputError


def write(folder: Path, code: int) -> None:
    """What hdf5plugin's users write, with bytes that nobody can decompress."""
    with h5py.File(folder / "a.h5", "w") as file:
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((200, 3))
        how.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (3,))
        space = h5py.h5s.create_simple((200, 3))
        h5py.h5d.create(file.id, b"X", h5py.h5t.IEEE_F64LE, space, how).write_direct_chunk((0, 0), b"abc")
        file["y"] = np.arange(200) % 2


@pytest.mark.parametrize(("code", "name"), [(32001, "Blosc"), (32004, "LZ4"), (32015, "Zstandard")])
def test_the_filter_is_named_and_the_package_that_brings_it(tmp_path: Path, code: int, name: str) -> None:
    if h5py.h5z.filter_avail(code):
        pytest.skip("the filter is installed")
    write(tmp_path, code)
    with pytest.raises(InputError, match=rf"filter {code} \({name}\).*The file is sound.*pip install hdf5plugin"):
        load_dataset("a.h5", directory=tmp_path)


def test_a_filter_of_nobodys_is_left_to_where_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, 32999)
    with pytest.raises(InputError, match=r"filter 32999 \(without a name\).*h5repack -f GZIP=4"):
        load_dataset("a.h5", directory=tmp_path)


@pytest.mark.parametrize("key", ["X", "y"])
def test_a_type_that_numpy_has_not_is_named(tmp_path: Path, key: str) -> None:
    arrays = {"X": np.ones((20, 2)), "y": np.arange(20) % 2}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        space = h5py.h5s.create_simple(arrays.pop(key).shape)
        h5py.h5d.create(file.id, key.encode(), h5py.h5t.UNIX_D32LE, space)
        for other, values in arrays.items():
            file[other] = values
    with pytest.raises(
        InputError, match=rf"'{key}' is of the type H5T_TIME of HDF5.*times as whole numbers of seconds"
    ):
        load_dataset("a.h5", directory=tmp_path)
