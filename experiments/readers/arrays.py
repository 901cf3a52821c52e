"""Named arrays: which of them are examples and labels, and whether they are sound.

Shared by HDF5 and NPZ; `feature_array` also checks what a saved model is asked to predict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many, listed
from experiments.readers.axes import ArrayForm, as_bytes, channels_last, examples_first, oriented
from experiments.readers.examples import Contents, Examples
from experiments.readers.labels import label_array
from experiments.readers.options import ExamplesAxis
from experiments.readers.stored_array import StoredArray, lowest_integer

T = TypeVar("T")
Read: TypeAlias = Callable[[str], StoredArray]
Take: TypeAlias = Callable[[Sequence[str], Read, str], T]


class Layout(NamedTuple):
    """The names under which a file keeps its arrays."""

    X: str
    y: str
    X_test: str
    y_test: str
    classes: str


LAYOUTS = (
    Layout("train_set_x", "train_set_y", "test_set_x", "test_set_y", "list_classes"),  # the course's
    Layout("X", "y", "X_test", "y_test", "classes"),
    Layout("x_train", "y_train", "x_test", "y_test", "classes"),  # Keras's, as in mnist.npz
)


def read_contents(
    keys: Sequence[str], read: Read, place: str, said: ExamplesAxis | None = None, train: Examples | None = None
) -> Contents:
    """Read the training and test examples that a file of named arrays holds.

    Args:
        keys: The names in the file.
        read: Reads one array by its name.
        place: How messages name the file.
        said: Which axis counts the examples, if the user says so; see `examples_first`.
        train: The training examples, if they are in another file.

    Raises:
        InputError: No known layout, different numbers of labels and examples, or unsound values.
    """
    for layout in LAYOUTS:
        if layout.X in keys or layout.X_test in keys:
            classes = _class_names(read(layout.classes).values) if layout.classes in keys else None
            own = _read_pair((layout.X, layout.y), keys, read, place, classes, said, train)
            test = _read_pair((layout.X_test, layout.y_test), keys, read, place, classes, said, train or own)
            return Contents(own, test)
    raise InputError(
        f"{place}: no examples found; its arrays are {listed(keys, 12) or 'none'}.",
        "The known names are train_set_x with train_set_y (and test_set_x, test_set_y, list_classes), "
        "or X with y (and X_test, y_test, classes).",
        "Export the file again under these names.",
    )


def read_unlabelled(
    keys: Sequence[str], read: Read, place: str, shape: tuple[int, ...] = (), trained: ExamplesAxis = "rows"
) -> NDArray[Any]:
    """Read the examples of a file of named arrays and ignore its labels.

    Args:
        keys: As in `read_contents`.
        read: As in `read_contents`.
        place: As in `read_contents`.
        shape: Of one training example, see `oriented`.
        trained: Which axis of the training array counted the examples.

    Returns:
        As `feature_array`.

    Raises:
        InputError: No examples, or more than one set of them; unsound values.
    """
    known = [key for layout in LAYOUTS for key in (layout.X, layout.X_test)]
    found = [key for key in known if key in keys]
    if len(found) != 1:
        raise InputError(
            f"{place}: {listed(found)} all hold examples."
            if found
            else f"{place}: no examples found; its arrays are {listed(keys, 12) or 'none'}.",
            f"Exactly one array of examples is needed, named {', '.join(known)}.",
            "Export those to be predicted as X into a file of their own.",
        )
    return feature_array(oriented(read(found[0]).values, shape, trained), f"{place}: '{found[0]}'")


def _read_pair(
    pair: tuple[str, str],
    keys: Sequence[str],
    read: Read,
    place: str,
    classes: tuple[str, ...] | None,
    said: ExamplesAxis | None,
    train: Examples | None,
) -> Examples | None:
    X_key, y_key = pair
    if X_key not in keys and y_key not in keys:
        return None
    for key in pair:
        if key not in keys:
            raise InputError(
                f"{place}: '{key}' is missing; the file's arrays are {listed(keys, 12)}.",
                f"'{X_key}' and '{y_key}' go together.",
                f"Export the file again with '{key}'.",
            )
    X_place, y_place = f"{place}: '{X_key}'", f"{place}: '{y_key}'"
    stored, labels = read(X_key), read(y_key)
    form = ArrayForm(
        X_place, labels.values.shape, stored.is_matlab, said, None if train is None else train.examples_axis
    )
    array, notes = examples_first(stored.values, form)
    examples: ExamplesAxis = "columns" if notes else "rows"
    X, more = channels_last(feature_array(array, X_place), X_place)
    X, notes = as_bytes(X), notes + more
    y = label_array(labels.values, y_place, is_text=train is not None and train.y.dtype.kind == "U")
    if labels.levels and classes is None:  # R's factors keep levels that no example has
        classes = tuple(level for level in labels.levels if level in set(y.tolist()))
    is_image = X.ndim == 4
    if len(y) != len(X):
        raise InputError(
            f"{y_place} has {how_many(len(y), 'label')} for {how_many(len(X), 'image' if is_image else 'example')}.",
            "They must be equal.",
            "Export the file again.",
        )
    image_shape = (X.shape[1], X.shape[2], X.shape[3]) if is_image else None
    return Examples(
        X_place,
        X,
        y,
        y_place,
        listed_classes=classes,
        image_shape=image_shape,
        examples_axis=examples,
        notes=tuple(notes),
    )


def feature_array(X: NDArray[Any], place: str) -> NDArray[Any]:
    """Check an array of features and bring it into one of two shapes.

    Args:
        X: Numbers: features (m, n), grey images (m, h, w) or images (m, h, w, c).
        place: How messages name the array.

    Returns:
        (m, n) or (m, h, w, c), in native byte order; truth values and long doubles as float64, other dtypes kept.

    Raises:
        InputError: Not numbers, another number of axes, empty, or NaN or infinity among the values.
    """
    if X.dtype.kind not in "buif":
        raise InputError(
            f"{place} holds {_described(X.dtype)}, not numbers.",
            "Features are integers, floats or truth values.",
            "Encode them as numbers, or bring text features in a CSV or Parquet table.",
        )
    if X.ndim not in (2, 3, 4):
        raise InputError(
            f"{place} has shape {X.shape}.",
            "Features are (m, n), images (m, h, w) or (m, h, w, c), m examples first.",
            "Reshape the array; a single example x is x[None].",
        )
    if X.size == 0:
        raise InputError(
            f"{place} is empty: its shape is {X.shape}.",
            "At least one example with one feature is needed.",
            "Export the file again.",
        )
    if X.ndim == 3:
        X = X[..., np.newaxis]
    is_odd = X.dtype.kind == "b" or X.dtype.itemsize > 8  # truth values, and C's long double
    X = X.astype(np.float64 if is_odd else X.dtype.newbyteorder("="), copy=False)
    _refuse_lowest_integer(X, place)
    _refuse_not_finite(X, place)
    return X


def _refuse_lowest_integer(X: NDArray[Any], place: str) -> None:
    mark = lowest_integer(X.dtype)
    if mark is None or X.min() > mark:
        return
    n = int(np.count_nonzero(mark == X))
    raise InputError(
        f"{place} has {how_many(n, 'value that is', 'values that are')} {mark}, which is how R writes a missing "
        "integer, and what NumPy makes of NaN.",
        "No value may be missing in an array.",
        "Remove or fill them; train on a CSV or Parquet table if values are missing.",
    )


def _refuse_not_finite(X: NDArray[Any], place: str) -> None:
    if X.dtype.kind != "f":
        return
    bad = ~np.isfinite(X.reshape(len(X), -1))
    if not bad.any():
        return
    rows, columns = np.flatnonzero(bad.any(axis=1)), np.flatnonzero(bad.any(axis=0))
    raise InputError(
        f"{place} has {how_many(int(bad.sum()), 'value that is', 'values that are')} NaN or infinite: in "
        f"row{'' if len(rows) == 1 else 's'} {listed(rows)}; in column{'' if len(columns) == 1 else 's'} "
        f"{listed(columns)} (counted from 0).",
        "All values must be finite.",
        "Remove or fill them; train on a CSV or Parquet table if values are missing.",
    )


def _class_names(names: NDArray[Any]) -> tuple[str, ...]:
    if names.dtype.kind == "f" and np.array_equal(names, np.trunc(names)):
        names = names.astype(np.int64)  # 1.0 is the label 1
    values = names.reshape(-1).tolist()
    return tuple((v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)).strip() for v in values)


def _described(dtype: np.dtype[Any]) -> str:
    kinds = {"S": "text", "U": "text", "O": "text or Python objects", "c": "complex numbers", "V": "records"}
    return kinds.get(dtype.kind, f"{dtype}")
