"""A file that appears whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from experiments.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """A text file to write in the block; it gets its name when the block ends well, and leaves nothing when it fails.

    It is opened first, so that an impossible place is told before the work and not after it.

    Raises:
        InputError: It cannot be opened or written there.
        OSError: The disk is full.
    """
    place = path.resolve()  # what a symbolic link names is replaced, not the link
    is_special = place.exists() and not place.is_file()  # a pipe or a terminal takes the text; a folder refuses it
    unfinished = place if is_special else place.with_name(f".{place.name}.{os.getpid()}.new")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            yield file
        if not is_special:
            unfinished.replace(place)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise InputError(
            f"{path}: cannot be written ({error.strerror}).",
            "The file must be in a folder that exists and that you may write.",
            "Make the folder, or name another file.",
        ) from error
    finally:
        if not is_special:
            unfinished.unlink(missing_ok=True)
