"""Room for the numbers of a table: in memory, or in a file that is mapped into it where they would fill it."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARE = 0.25
"""Of the memory that there is; of more numbers the system keeps in memory what is in use, and the rest on the disk."""

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def room_for(n_columns: int, n_rows: int) -> NDArray[np.float64]:
    """An array (n, m) that is to be filled.

    Large ones lie in a file without a name in the folder for temporary files (TMPDIR), which is gone with the process.

    Raises:
        OSError: The disk has no room for the file.
    """
    n_bytes = 8 * n_columns * n_rows
    if n_bytes <= SHARE * memory_bytes():
        return np.empty((n_columns, n_rows))
    with tempfile.TemporaryFile() as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, n_bytes)  # or a full disk would kill the process when it writes
        return np.asarray(np.memmap(file, np.float64, "w+", shape=(n_columns, n_rows)))


def memory_bytes() -> int:
    """Memory of the machine, or what a container may use of it."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in map(Path, _LIMITS):
        with suppress(OSError, ValueError):  # there is none, or it is "max"
            sizes.append(int(limit.read_text()))
    return min(sizes)
