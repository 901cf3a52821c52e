"""Image files, one image each, brought into the form of the training images."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # by number of channels
_ALLOWED = "Images are files that Pillow reads, such as JPEG, PNG, GIF, BMP, TIFF and WebP."


def is_image(path: Path) -> bool:
    """Whether Pillow recognises the file as an image, by its first bytes."""
    from PIL import Image, UnidentifiedImageError

    try:
        with _opened(path):
            return True
    except Image.DecompressionBombError:
        return True
    except (UnidentifiedImageError, OSError, ValueError):
        return False


def read_images(paths: Sequence[Path], shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Read image files of any size and mode.

    Each is turned as its EXIF orientation says, laid on white where it is transparent, and reduced from 16 to 8 bits
    per channel; of an animation the first frame is taken. Then it is stretched to the training images' height and width
    (bicubic, averaging where it shrinks).

    Args:
        paths: The files, named in messages as given here.
        shape: (h, w, c) of a training image; c is 1 (grey), 3 (RGB) or 4 (RGBA).

    Returns:
        (m, h, w, c) bytes.

    Raises:
        InputError: A file is missing, damaged, too large or not an image; or c is another number.
    """
    height, width, n_channels = shape
    if n_channels not in _MODES:
        raise InputError(
            f"{paths[0]}: the training images have {n_channels} channels.",
            f"Image files have {', '.join(map(str, _MODES))}.",
            "Give the examples as an array X in an HDF5 or NPZ file.",
        )
    images = np.empty((len(paths), height, width, n_channels), np.uint8)
    for image, path in zip(images, paths, strict=True):
        image[...] = _read_image(path, _MODES[n_channels], (width, height)).reshape(shape)
    return images


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image without warnings about faulty metadata or about a size that can still be read."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as file:
            yield file


def _read_image(path: Path, mode: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    try:
        with _opened(path) as file:
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
