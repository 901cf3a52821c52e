"""A file that appears whole or not at all."""

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
        InputError: It cannot be opened there.
        OSError: It cannot be written to its end; the disk is full.
    """
    is_special = path.exists() and not path.is_file()  # a pipe or a terminal takes the text; a folder refuses it
    place = path if is_special else path.resolve()  # what a symbolic link names is replaced, not the link
    unfinished = place if is_special else place.with_name(f".{place.name}.{os.getpid()}.new")
    try:
        file = unfinished.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}).",
            "The file must be in a folder that exists and that you may write.",
            "Make the folder, or name another file.",
        ) from error
    try:
        with file:
            yield file
        if not is_special:
            unfinished.replace(place)
    finally:
        if not is_special:
            unfinished.unlink(missing_ok=True)
