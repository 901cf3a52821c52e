"""Which axis of an array counts the examples, and which one the colours of a picture.

NumPy's users put examples first, MATLAB's and the course's mathematics put them last, and what R or Fortran write has
its axes reversed. The number of labels tells which is which, or the user does; nothing is guessed.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many
from experiments.readers.options import ExamplesAxis

N_CHANNELS = (1, 3, 4)  # of a picture: grey, RGB, RGBA


class ArrayForm(NamedTuple):
    """What is known of an array of examples.

    Attributes:
        place: How messages name it.
        labels_shape: (m,), (1, m) or (m, 1), as stored.
        is_matlab: Whether MATLAB wrote it, where pictures are (h, w, m) or (h, w, c, m).
        said: What the user says of the axis that counts the examples; decides.
        in_doubt: Which axis it is where both fit; the training array's, for a test set.
    """

    place: str
    labels_shape: tuple[int, ...]
    is_matlab: bool
    said: ExamplesAxis | None
    in_doubt: ExamplesAxis | None


def examples_first(X: NDArray[Any], form: ArrayForm) -> tuple[NDArray[Any], list[str]]:
    """Bring the axis that counts the examples to the front.

    Args:
        X: As stored; an array that MATLAB wrote as MATLAB shows it.
        form: What else is known.

    Returns:
        The array, m first where that is known, and what a person should be told.

    Raises:
        InputError: Only the last axis is as long as there are labels, and nothing else says that it counts the
            examples; or both are.
    """
    m = math.prod(form.labels_shape)
    if X.ndim < 2:
        return X, []
    fits_first, fits_last = X.shape[0] == m, X.shape[-1] == m
    axis = form.said
    if axis is None and fits_first and fits_last and (X.ndim == 2 or form.is_matlab):
        axis = "rows" if m == 1 else form.in_doubt
        if axis is None:
            raise InputError(
                f"{form.place} has shape {X.shape}, and there are {m} labels: the examples could be its rows or its "
                "columns.",
                "[data] examples says which.",
                'Write examples = "rows" if the first axis counts the examples, examples = "columns" if the last does.',
            )
    is_last = axis == "columns" if axis else fits_last and not fits_first
    if not is_last:
        return X, []
    is_row = len(form.labels_shape) == 2 and form.labels_shape[0] == 1 < m
    if axis is None and not form.is_matlab and not (is_row and X.ndim == 2):
        raise InputError(
            f"{form.place} looks transposed: its shape is {X.shape}, and there are {m} labels.",
            "The first axis counts the examples, unless [data] examples says otherwise.",
            'Write examples = "columns" if the last axis counts them'
            + ("." if X.ndim == 2 else "; if all axes are reversed, as R writes them, export the array reversed."),
        )
    X = np.moveaxis(X, -1, 0)
    return X, [f"{form.place}: its last axis counts the examples, so it is read as {described(X)}."]


def described(X: NDArray[Any]) -> str:
    """How many examples of what: "120 pictures, 9 high and 6 wide"."""
    if X.ndim == 2:
        return f"{how_many(X.shape[0], 'example')} of {how_many(X.shape[1], 'feature')}"
    return f"{how_many(X.shape[0], 'picture')}, {X.shape[1]} high and {X.shape[2]} wide"


def channels_last(X: NDArray[Any], place: str) -> tuple[NDArray[Any], list[str]]:
    """Bring the colours of pictures (m, c, h, w) to the end, as PyTorch's users write them.

    Args:
        X: (m, n) or four axes; others are left alone.
        place: How the note names the array.

    Returns:
        (m, n) or (m, h, w, c), and what a person should be told.
    """
    if X.ndim != 4 or not is_channels_first(X.shape[1:]):
        return X, []
    X = np.moveaxis(X, 1, -1)
    return X, [f"{place}: its second axis holds {X.shape[3]} colours, so it is read as {described(X)}."]


def is_channels_first(shape: tuple[int, ...]) -> bool:
    """Whether (c, h, w) is certain: the first can be a number of channels, and the last cannot."""
    return len(shape) == 3 and shape[0] in N_CHANNELS and shape[2] not in N_CHANNELS


def as_bytes(X: NDArray[Any]) -> NDArray[Any]:
    """Pictures of whole numbers up to 255 as the bytes that they are; everything else as it is.

    Values that all stay below 128 are no photographs, but levels of some other scale.
    """
    if X.ndim == 4 and X.dtype.kind in "iu" and X.dtype != np.uint8 and X.min() >= 0 and 128 <= X.max() <= 255:
        return X.astype(np.uint8)
    return X


def oriented(X: NDArray[Any], shape: tuple[int, ...], trained: ExamplesAxis) -> NDArray[Any]:
    """The examples of a prediction, which have no labels that could be counted: the model's shape tells.

    Args:
        X: As stored.
        shape: Of one training example.
        trained: Which axis of the training array counted the examples; decides where both fit.

    Returns:
        The array with its last axis first if that makes it fit; else as it is.
    """
    if X.ndim < 2:
        return X
    turned = np.moveaxis(X, -1, 0)
    fits, fits_turned = (_is_of(array.shape[1:], shape) for array in (X, turned))
    if fits_turned and (not fits or trained == "columns"):
        return turned
    return X


def _is_of(found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return found in (shape, shape[:2] if shape[2:] == (1,) else shape)
