"""A folder per class: pets/cats/*.jpg, pets/dogs/*.png; or pets/train and pets/test with such folders inside."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many, listed
from experiments.readers.examples import Advance, Contents, Examples
from experiments.readers.images import read_images, seen_from_outside
from experiments.readers.labels import label_array
from experiments.readers.options import ReadOptions
from experiments.readers.picture_cache import cached
from experiments.readers.threads import in_threads

_TRAIN, _TEST = "train", "test"
_LEFT_BY_SYSTEMS = frozenset({"thumbs.db", "desktop.ini", "_success", "_metadata", "_common_metadata"})
_ALLOWED = "A folder of pictures has one folder for each class: pets/cats/1.jpg, pets/dogs/1.png."


def read_picture_folder(
    path: Path, place: str, options: ReadOptions, train: Examples | None = None, advance: Advance | None = None
) -> Contents:
    """Read the pictures of a folder, all of one size; the names of their folders are the classes.

    Args:
        path: The folder.
        place: How messages name it.
        options: `image_size`; without it all pictures must have one size. Everything else but `follow_links` is for
            other kinds of file.
        train: The training examples, if these are test examples: they get the same shape.
        advance: Told how far it is.

    Returns:
        Bytes (m, h, w, c), in the order of classes and names; c is 1 if all training pictures are grey, else 3.

    Raises:
        InputError: No class, a class without pictures, files that are no pictures (all are named), or several sizes.
    """
    options = options.for_pictures(place)
    folders = {child.name: child for child in _children(path) if child.is_dir()}
    if _TRAIN not in folders:
        if _TEST in folders:
            return Contents(None, _read(folders[_TEST], f"{place}/{_TEST}", options, train, advance))
        return Contents(_read(path, place, options, train, advance))
    own = _read(folders[_TRAIN], f"{place}/{_TRAIN}", options, train, advance)
    if _TEST not in folders:
        return Contents(own)
    return Contents(own, _read(folders[_TEST], f"{place}/{_TEST}", options, train or own, advance))


def files_in(folder: Path) -> list[Path]:
    """All files of a folder and of those inside it, in order, but those that `is_left_by_system` names."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(where, name) for name in names if not is_left_by_system(name)]
    return sorted(found)


def _children(folder: Path) -> Iterator[Path]:
    return (child for child in sorted(folder.iterdir()) if not is_left_by_system(child.name))


def is_left_by_system(name: str) -> bool:
    """Whether a file or folder is hidden, or what file managers and Spark leave behind."""
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def _read(folder: Path, place: str, options: ReadOptions, train: Examples | None, advance: Advance | None) -> Examples:
    children = list(_children(folder))
    beside = [child.name for child in children if not child.is_dir()]
    of_class = {child.name: files_in(child) for child in children if child.is_dir()}
    if not of_class:
        raise InputError(
            f"{place}: holds {listed(beside) or 'nothing'}, and no folder of a class.",
            _ALLOWED,
            "Put the pictures of each class into a folder of its name.",
        )
    empty = [name for name, files in of_class.items() if not files]
    if empty:
        raise InputError(
            f"{place}: {how_many(len(empty), 'folder holds', 'folders hold')} no picture: {listed(empty)}.",
            _ALLOWED,
            "Fill or remove them.",
        )
    files = [file for found in of_class.values() for file in found]
    labels = np.repeat(list(of_class), [len(found) for found in of_class.values()])
    shape = None if train is None else train.image_shape

    def tell(n_done: int) -> None:
        if advance is not None:
            advance(place, n_done, len(files))

    X = cached(
        _key(files, folder, options, shape), lambda: _read_pictures(files, place, options.height_and_width, shape, tell)
    )
    counts = listed((f"{name} {len(found):,}" for name, found in of_class.items()), 10)
    notes = [
        f"{place}: {how_many(len(files), 'picture')} of {how_many(len(of_class), 'class', 'classes')} ({counts}), "
        f"read as {X.shape[1]} x {X.shape[2]} {'grey levels' if X.shape[3] == 1 else 'pixels in colour'}."
    ]
    if beside:
        outside = how_many(len(beside), "file", "files"), "is" if len(beside) == 1 else "are"
        notes.append(f"{place}: {outside[0]} outside of the classes' folders {outside[1]} left out: {listed(beside)}.")
    return Examples(
        place,
        X,
        label_array(labels, f"{place}: names of folders"),
        f"{place}: names of folders",
        image_shape=(X.shape[1], X.shape[2], X.shape[3]),
        notes=tuple(notes),
    )


def _key(files: Sequence[Path], folder: Path, options: ReadOptions, shape: tuple[int, ...] | None) -> str:
    """Of all bytes that the pictures depend on: the files', their order, Pillow's version, and the shape asked for."""
    import PIL

    def digest(file: Path) -> str:
        try:
            with file.open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError:
            return "unreadable"  # which reading it says

    digests = in_threads(digest, files)
    names = [file.relative_to(folder).as_posix() for file in files]
    asked = [PIL.__version__, options.height_and_width, shape]
    return hashlib.sha256(json.dumps([asked, names, digests]).encode()).hexdigest()[:32]


def _read_pictures(
    files: Sequence[Path],
    place: str,
    size: tuple[int, int] | None,
    shape: tuple[int, int, int] | None,
    tell: Callable[[int], None],
) -> NDArray[np.uint8]:
    if shape is None:
        looks = seen_from_outside(files, place)
        sizes = sorted({look.size for look in looks})
        if size is None and len(sizes) > 1:
            height, width = sizes[len(sizes) // 2]
            raise InputError(
                f"{place}: its {len(files):,} pictures have {len(sizes)} sizes, from {sizes[0][0]} x {sizes[0][1]} to "
                f"{sizes[-1][0]} x {sizes[-1][1]} (height x width).",
                "A network takes pictures of one size; [data] image_size says which, and all are stretched to it.",
                f"Write image_size = 64, or image_size = [{height}, {width}].",
            )
        height, width = size or sizes[0]
        shape = (height, width, 1 if all(look.is_grey for look in looks) else 3)
    return read_images(files, shape, tell)
