"""A file that appears whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    with unfinished_file(path) as unfinished:
        try:
            file = unfinished.open("w", encoding="utf-8", newline="")
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}).",
                "The file must be in a folder that exists and that you may write.",
                "Make the folder, or name another file.",
            ) from error
        with file:
            yield file


@contextmanager
def unfinished_file(path: Path) -> Iterator[Path]:
    """Where to write in the block what is to be at `path`, for whoever opens files himself; else as `whole_file`."""
    is_special = path.exists() and not path.is_file()  # a pipe or a terminal takes the text; a folder refuses it
    if is_special:
        yield path
        return
    place = path.resolve()  # what a symbolic link names is replaced, not the link
    unfinished = place.with_name(f".{place.name}.{os.getpid()}.new")
    try:
        yield unfinished
        unfinished.replace(place)
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):  # it was given its name, or never made
            unfinished.unlink()


def write_durably(path: Path, data: bytes) -> None:
    """Replace a small file of our own, private to its user: a kill or a power cut leaves the old one or the new one.

    Raises:
        OSError: It cannot be written; it is as it was before.
    """
    replacement = path.with_name(path.name + ".new")  # always the same: a kill leaves one behind, not one a kill
    with open(replacement, "wb", opener=_open_private) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    replacement.replace(path)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
