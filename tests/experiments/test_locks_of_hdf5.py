"""HDF5's own lock on the file that is read: held by somebody, or not to be had."""

import errno
import fcntl
from pathlib import Path

import h5py
import numpy as np
import pytest

from experiments.dataset import load_dataset
from experiments.errors import InputError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as written:
        written["X"], written["y"] = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    return tmp_path / "a.h5"


def test_a_file_that_another_program_is_writing_is_not_called_damaged(file: Path) -> None:
    with file.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)  # as HDF5 does while it writes
        with pytest.raises(InputError, match=r"another program has the file open for writing.*FILE_LOCKING=FALSE"):
            load_dataset("a.h5", directory=file.parent)
    assert load_dataset("a.h5", directory=file.parent).n_train > 0


def test_on_a_file_system_without_locks_the_file_is_read_all_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoLocks(h5py.File):
        """As h5py 3.16 where flock() answers ENOLCK (seen with a preloaded flock)."""

        def __init__(self, name: Path, mode: str = "r", locking: bool | None = None) -> None:
            if locking is not False:
                raise OSError(errno.ENOLCK, "Unable to synchronously open file (unable to lock file, errno = 37)")
            super().__init__(name, mode, locking=False)

    whole = load_dataset("a.h5", directory=file.parent)
    monkeypatch.setattr(h5py, "File", NoLocks)
    assert load_dataset("a.h5", directory=file.parent).digest == whole.digest
