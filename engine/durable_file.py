"""Writing a file of our own so that a kill or a power cut leaves the old one or the new one, and never half of one."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

PRIVATE = 0o600
"""Permission bits of a file that is nobody's business but its user's."""

READABLE = 0o666
"""Permission bits of a file that others may read, as far as the user's umask lets them."""


def write_durably(path: Path, content: bytes | memoryview, mode: int = PRIVATE) -> None:
    """Replace a file as a whole; what is written is on the disk before the file has its name.

    Raises:
        OSError: The folder is not writable or the disk is full; the file is as it was before.
    """
    unfinished = unfinished_name(path)
    try:
        with open(unfinished, "wb", opener=partial(os.open, mode=mode)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def unfinished_name(path: Path) -> Path:
    """Where this process writes what is to be at `path`; a kill leaves it behind. All such names end in `.new`."""
    return path.with_name(f".{path.name}.{os.getpid()}.new")


def leftovers(folder: Path) -> Iterator[Path]:
    """Unfinished files in a folder whose process has ended; another one may be writing there at this moment."""
    for file in folder.glob("*.new"):  # the pattern finds names that begin with a dot too
        process = re.search(r"\.(\d+)\.new$", file.name)
        if process is None or not _is_alive(int(process[1])):
            yield file


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):  # the second: no process has such a number
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def name_of_damaged(path: Path) -> Path:
    """Where a damaged file is put aside, for somebody to look at; nothing has this name yet."""
    names = (path.with_name(f"{path.name}.damaged{number}") for number in ("", *(f"-{n}" for n in range(2, 10_000))))
    return next(name for name in names if not name.exists())


def sync(path: str | Path) -> None:
    """Return when a file's content, or the names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
