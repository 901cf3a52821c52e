"""Image files, one image each, brought into the form of the training images."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, listed
from experiments.readers.threads import in_threads

if TYPE_CHECKING:
    from PIL import Image

T = TypeVar("T")

_GREY = frozenset({"1", "L", "I", "I;16", "I;16B", "I;16L"})
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by number of channels
_ALLOWED = "Images are files that Pillow reads, such as JPEG, PNG, GIF, BMP, TIFF and WebP."


def is_image(path: Path) -> bool:
    """Whether Pillow recognises the file as an image, by its first bytes."""
    from PIL import Image, UnidentifiedImageError

    try:
        with _quiet(), Image.open(path):
            return True
    except Image.DecompressionBombError:
        return True
    except (UnidentifiedImageError, OSError, ValueError):
        return False


class Look(NamedTuple):
    """What a picture's file says before it is decoded: (height, width) as it is to be seen, and whether it is grey."""

    size: tuple[int, int]
    is_grey: bool


def seen_from_outside(paths: Sequence[Path], place: str) -> list[Look]:
    """The size and the colours of each picture.

    Raises:
        InputError: Some are no pictures; all of these are named.
    """
    with _quiet():
        looks = in_threads(_look, paths)
    return _all_or_refused(looks, place)


def read_images(
    paths: Sequence[Path], shape: tuple[int, int, int], tell: Callable[[int], None] = lambda n_done: None
) -> NDArray[np.uint8]:
    """Read image files of any size and mode, several at once.

    Each is turned as its EXIF orientation says, laid on white where it is transparent, and reduced from 16 to 8 bits
    per channel; of an animation the first frame is taken. Then it is stretched to the training images' height and width
    (bicubic, averaging where it shrinks).

    Args:
        paths: The files, named in messages as given here.
        shape: (h, w, c) of a training image; c is 1 (grey), 3 (RGB) or 4 (RGBA).
        tell: Told how many are read.

    Returns:
        (m, h, w, c) bytes.

    Raises:
        InputError: Files are missing, damaged, too large or not images, and all of these are named; or c is another
            number.
    """
    height, width, n_channels = shape
    if n_channels not in _MODES:
        raise InputError(
            f"{paths[0]}: the training images have {n_channels} channels.",
            f"Image files have {', '.join(map(str, _MODES))}.",
            "Give the examples as an array X in an HDF5 or NPZ file.",
        )
    images = np.empty((len(paths), height, width, n_channels), np.uint8)

    def read(position: int) -> InputError | None:
        try:
            pixels = _read_image(paths[position], _MODES[n_channels], (width, height))
        except InputError as error:
            return error
        images[position] = pixels.reshape(shape)
        return None

    with _quiet():
        found = in_threads(read, range(len(paths)), tell)
    _all_or_refused(found, str(paths[0].parent))
    return images


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings about faulty metadata or about a size that can still be read; around threads, not in them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _all_or_refused(found: Sequence[T | InputError], place: str) -> list[T]:
    """What was found, if there is no error among it; else all errors as one."""
    errors = [one for one in found if isinstance(one, InputError)]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise InputError(
            f"{place}: {len(errors)} of {len(found)} files cannot be read as pictures. "
            f"{listed((error.what.rstrip('.') for error in errors), 10)}.",
            errors[0].allowed,
            "Copy or export them again, or remove them.",
        )
    return [one for one in found if not isinstance(one, InputError)]


def _look(path: Path) -> Look | InputError:
    from PIL import ExifTags, Image

    try:
        with Image.open(path) as file:
            width, height = file.size
            is_turned = file.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
            return Look((width, height) if is_turned else (height, width), file.mode in _GREY)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        return InputError(f"{path}: no picture, or damaged ({error}).", _ALLOWED, "Copy or export it again.")


def _read_image(path: Path, mode: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file)
            if upright.mode == "F":
                raise InputError(
                    f"{path}: its pixels are floating-point numbers of an unknown scale.",
                    "Pixels are whole numbers of 8 or 16 bits.",
                    "Export it as PNG or JPEG.",
                )
            return np.asarray(_in_mode(upright, mode).resize(size))
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path}: {error}",
            f"Images have at most {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels.",
            "Make it smaller first.",
        ) from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # SyntaxError: Pillow's, for a broken PNG
        raise InputError(
            f"{path}: the image is missing, truncated or damaged ({error}).", _ALLOWED, "Copy or export it again."
        ) from error


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    from PIL import Image

    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would cut off at 255 instead of scaling
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    if mode == "RGBA" or not image.has_transparency_data:
        return image.convert(mode)
    transparent = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, transparent).convert(mode)
