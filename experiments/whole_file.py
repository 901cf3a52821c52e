"""A file that appears whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from engine.durable_file import unfinished_name
from experiments.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """A text file to write to in the block; it gets its name when the block succeeds, and leaves nothing if it fails.

    It is opened first, so that an impossible path is reported before the work and not after it.

    Raises:
        InputError: It cannot be opened there.
        OSError: Not all of it could be written, for instance because the disk is full.
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
    """The path to write to in the block, for callers that open the file themselves; otherwise as `whole_file`."""
    is_special = path.exists() and not path.is_file()  # a pipe or a terminal takes the text; a folder refuses it
    if is_special:
        yield path
        return
    place = path.resolve()  # a symbolic link stays; the file it names is replaced
    unfinished = unfinished_name(place)
    try:
        yield unfinished
        unfinished.replace(place)
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):  # it was renamed, or never made
            unfinished.unlink()
