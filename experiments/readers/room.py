"""Room for many numbers, as a table's: in memory, or in a file that is mapped into it where they would fill it."""

from __future__ import annotations

import errno
import math
import os
import tempfile
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from experiments.control_groups import own_groups
from experiments.errors import InputError

SHARE = 0.25
"""Of the memory that there is; of more numbers the system keeps in memory what is in use, and the rest on the disk."""


class NoRoomError(InputError):
    """Neither memory nor disk has room for so many numbers."""


def room_for(*shape: int) -> NDArray[np.float64]:
    """An array of this shape that is to be filled.

    Large ones lie in a file without a name in the folder for temporary files (TMPDIR), which is gone with the process.

    Raises:
        NoRoomError: The disk has no room for the file, or it cannot be mapped.
    """
    n_bytes = 8 * math.prod(shape)
    if n_bytes <= SHARE * memory_bytes():
        return np.empty(shape)
    try:
        with tempfile.TemporaryFile() as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, n_bytes)  # or a full disk would kill the process when it writes
            return np.asarray(np.memmap(file, np.float64, "w+", shape=shape))
    except OSError as error:
        too_much = (
            f"{' x '.join(f'{n:,}' for n in shape)} numbers take {n_bytes / 2**30:.1f} GB, too much for the memory"
        )
        if error.errno == errno.ENOMEM:
            raise NoRoomError(
                f"{too_much}, and the limit of addresses (ulimit -v) does not let a file of them be mapped.",
                "Numbers that would fill the memory lie in a mapped file.",
                "Raise that limit, or limit the memory by ulimit -d, which does not count mapped files.",
            ) from error
        raise NoRoomError(
            f"{too_much}, and {tempfile.gettempdir()} has no room for them ({error.strerror}).",
            "Numbers that would fill the memory lie in a temporary file.",
            "Make room there, or set TMPDIR to a folder on a larger disk.",
        ) from error


def shortage(error: MemoryError | NoRoomError) -> str:
    """What there was too little of, as a part of a sentence."""
    return error.what.rstrip(".") if isinstance(error, NoRoomError) else f"memory ran out ({error})"


def limits_of_process() -> list[int]:
    """Bytes of memory and of addresses that this process may have, as far as they are limited."""
    with suppress(ImportError):  # Windows
        import resource

        limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS))
        return [limit for limit in limits if limit != resource.RLIM_INFINITY]
    return []


def memory_bytes() -> int:
    """Memory of the machine, or what control groups (a container) or limits (`ulimit -d`, `-v`) leave this process."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *limits_of_process()]
    for folder in own_groups("memory"):
        for limit in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):  # there is none, or it is "max"
                sizes.append(int((folder / limit).read_text()))
    return min(sizes)
