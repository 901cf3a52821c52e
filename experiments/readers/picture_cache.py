"""Pictures that were read once, kept for the next time in a folder of this user alone.

    ~/.cache/sweeps/pictures/KEY.h5    X (m, h, w, c) bytes, with HDF5's own checksums; XDG_CACHE_HOME moves ~/.cache

KEY names all that the bytes were made of, so a file is right or absent. Nothing is lost when the folder is deleted, and
a folder that cannot be written costs time and no more.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.user_cache import user_cache
from experiments.whole_file import unfinished_file

N_KEPT = 8
"""Files: a set of training and of test pictures each of the last four sizes or sets."""


def picture_cache() -> Path:
    """The folder; made, for its user alone, where it was not there.

    Raises:
        OSError: It cannot be made.
        RuntimeError: The user has no home.
    """
    return user_cache("pictures")


def cached(key: str, read: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The pictures of a key, from the cache or else from `read`, and then kept."""
    try:
        file = picture_cache() / f"{key}.h5"
    except (OSError, RuntimeError):  # RuntimeError: a user without a home
        return read()
    found = _load(file)
    if found is not None:
        return found
    X = read()
    with suppress(OSError):
        _save(file, X)
    return X


def _load(file: Path) -> NDArray[np.uint8] | None:
    import h5py

    try:
        with h5py.File(file) as opened:
            X = np.asarray(opened["X"][...])
        os.utime(file)
    except (OSError, KeyError, RuntimeError, ValueError):  # absent or damaged
        return None
    return X if X.dtype == np.uint8 and X.ndim == 4 else None


def _save(file: Path, X: NDArray[np.uint8]) -> None:
    import h5py

    with unfinished_file(file) as unfinished, h5py.File(unfinished, "w") as opened:
        opened.create_dataset("X", data=X, chunks=True, fletcher32=True)
    newest_first = sorted(file.parent.glob("*.h5"), key=lambda other: other.stat().st_mtime, reverse=True)
    for other in newest_first[N_KEPT:]:
        other.unlink(missing_ok=True)
