"""A few pictures of each class on one sheet, for a person to see whether they were read as they are meant."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.dataset import Dataset
from experiments.readers.picture_cache import picture_cache
from experiments.whole_file import unfinished_file

if TYPE_CHECKING:
    from PIL import Image

N_CLASSES, N_OF_CLASS = 12, 10
_TILE, _GAP, _LABEL = 96, 4, 14  # pixels


def write_contact_sheet(dataset: Dataset) -> Path | None:
    """Draw it into the cache of pictures, under the digest of the data; None where there is none to be drawn.

    A picture of the sheet has the pixels that are trained on, enlarged without smoothing where it is small.
    """
    X = dataset.X_train
    if not isinstance(X, np.ndarray) or X.ndim != 4 or X.dtype != np.uint8 or X.shape[3] not in (1, 3, 4):
        return None
    try:
        path = picture_cache() / f"{dataset.digest[:16]}.png"
        with unfinished_file(path) as unfinished:
            _drawn(dataset).save(unfinished, format="PNG")
    except (OSError, RuntimeError):  # no such folder, or it is full
        return None
    return path


def _drawn(dataset: Dataset) -> Image.Image:
    from PIL import Image, ImageDraw

    rows = _rows(dataset)
    across = max(len(which) for _, which in rows)
    height = _TILE + _LABEL + _GAP
    sheet = Image.new("RGB", (across * (_TILE + _GAP) + _GAP, len(rows) * height + _GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (name, which) in enumerate(rows):
        draw.text((_GAP, _GAP + row * height), name, fill="black")
        for column, picture in enumerate(dataset.X_train[which]):
            tile = Image.fromarray(picture if picture.shape[2] > 1 else picture[..., 0]).convert("RGB")
            factor = _TILE / max(tile.size)
            size = (max(1, round(tile.width * factor)), max(1, round(tile.height * factor)))
            smooth = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BICUBIC
            sheet.paste(tile.resize(size, smooth), (_GAP + column * (_TILE + _GAP), _GAP + row * height + _LABEL))
    return sheet


def _rows(dataset: Dataset) -> list[tuple[str, np.ndarray]]:
    """A heading and the numbers of some examples, evenly spaced: of each class, or of all."""
    if not dataset.class_names:
        return [("training examples", _spaced(np.arange(dataset.n_train)))]
    return [
        (f"{name}: {(dataset.y_train == code).sum():,}", _spaced(np.flatnonzero(dataset.y_train == code)))
        for code, name in enumerate(dataset.class_names[:N_CLASSES])
    ]


def _spaced(which: np.ndarray) -> np.ndarray:
    chosen: np.ndarray = which[np.linspace(0, len(which) - 1, min(len(which), N_OF_CLASS)).astype(int)]
    return chosen
