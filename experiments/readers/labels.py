"""From labels as read to class codes 0..C-1 or to numbers: which task it is, and which classes there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, listed
from experiments.readers.examples import Examples

Task = Literal["binary", "multiclass", "regression"]
MAX_INTEGER_CLASSES = 20
MAX_INTEGER_LABEL = 2**53  # beyond it float64 skips integers


def label_array(values: NDArray[Any], place: str) -> NDArray[Any]:
    """Bring labels into one of four dtypes.

    Args:
        values: (m,), (1, m) or (m, 1), of any dtype a file may hold; objects are text or bytes.
        place: How messages name them.

    Returns:
        (m,) of int64, float64 (also integers beyond int64), bool or text (dtype U).

    Raises:
        InputError: Another shape (such as one-hot), not labels at all, or some are missing or infinite.
    """
    if values.ndim == 2 and 1 in values.shape:
        values = values.reshape(-1)
    if values.ndim != 1:
        raise InputError(
            f"{place} has shape {values.shape}.",
            "Labels are one number or name per example: (m,) or (1, m).",
            "If they are one-hot rows, save y.argmax(axis=1).",
        )
    kind = values.dtype.kind
    if kind == "u" and values.size and values.max() > np.iinfo(np.int64).max:
        return values.astype(np.float64)
    if kind in "iu":
        return values.astype(np.int64)
    if kind == "f":
        numbers = values.astype(np.float64)
        _refuse_missing(~np.isfinite(numbers), place, "missing or infinite")
        return numbers
    if kind in "bU":
        return values
    if kind in "SO":
        texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values.tolist()]
        missing = np.array([text is None or text != text for text in texts], dtype=bool)
        _refuse_missing(missing, place, "missing")
        if all(isinstance(text, str) for text in texts):
            return np.array(texts, dtype=np.str_)
    raise InputError(
        f"{place} holds values of dtype {values.dtype}.",
        "Labels are integers, floats, truth values or text.",
        "Convert them before saving.",
    )


def _refuse_missing(missing: NDArray[np.bool_], place: str, how: str) -> None:
    if missing.any():
        rows = np.flatnonzero(missing)
        raise InputError(
            f"{place} has {len(rows)} labels that are {how}: rows {listed(rows)} (counted from 0).",
            "Every example needs a label.",
            "Fill them in, or remove these rows.",
        )


def infer_task(examples: Examples) -> Task:
    """Decide the task from the labels when the user does not name it.

    Text, truth values and labels whose classes the file lists are classes. Numbers are classes if all are
    integers (1.0 counts) and there are two different ones, or at most 20 with two examples each on average.
    Everything else is regression. Two classes are binary.

    Raises:
        InputError: Numbers with text among them, or as a spreadsheet shows them ($106,190).
    """
    y = examples.y
    n_distinct = len(np.unique(y))
    if y.dtype.kind == "U" and examples.listed_classes is None:
        _refuse_numbers_as_text(y, examples.y_place)
    if y.dtype.kind in "if" and examples.listed_classes is None:
        is_few = n_distinct <= 2 or (n_distinct <= MAX_INTEGER_CLASSES and 2 * n_distinct <= len(y))
        if not (is_few and _is_whole(y)):
            return "regression"
    n_classes = n_distinct if examples.listed_classes is None else len(examples.listed_classes)
    return "binary" if n_classes <= 2 else "multiclass"


def _refuse_numbers_as_text(y: NDArray[Any], place: str) -> None:
    import pandas as pd

    from experiments.readers.columns import refuse_numbers_as_text

    refuse_numbers_as_text(
        pd.Series(np.unique(y), dtype=str),
        place,
        allowed="Targets are all numbers, or all names of classes.",
        remedy="Correct it, or remove its row; if these are classes, set task.",
    )


def regression_targets(y: NDArray[Any], place: str) -> NDArray[np.float64]:
    """The labels as float64, (m,).

    Raises:
        InputError: They are text or truth values.
    """
    if y.dtype.kind not in "if":
        held = f"text such as '{y[0]}'" if y.dtype.kind == "U" else "truth values"
        raise InputError(
            f"{place} holds {held}, but the task is regression.",
            "Regression needs numbers to predict.",
            "Choose a numeric target, or task = 'binary' or 'multiclass'.",
        )
    return y.astype(np.float64)


@dataclass(frozen=True, slots=True)
class Classes:
    """The classes of the training examples: how the file writes each, and what we call it.

    Attributes:
        written: Each label as text, in the order of the codes 0..C-1: ("0", "1").
        names: What the class is called: ("non-cat", "cat"); the same as `written` unless the file lists names.
    """

    written: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, train: Examples) -> Classes:
        """Take the classes from the training examples.

        Raises:
            InputError: Labels are not whole numbers, or a listed name occurs twice.
        """
        names = train.listed_classes
        if names is None:
            # np.unique sorts numbers by value (2 before 10) and text alphabetically.
            written = tuple(_as_text(np.unique(train.y), train.y_place).tolist())
            return cls(written, written)
        if len(set(names)) < len(names):
            raise InputError(
                f"{train.y_place}: the file's list of classes repeats a name: {listed(names)}.",
                "Every class has its own name.",
                "Export the file again.",
            )
        codes = tuple(str(k) for k in range(len(names)))
        if train.y.dtype.kind == "U":
            return cls(names, names)
        labels = set(_as_text(np.unique(train.y), train.y_place).tolist())
        is_list_of_labels = labels <= set(names) and not labels <= set(codes)  # a list "3", "5" for labels 3 and 5
        return cls(names if is_list_of_labels else codes, names)

    def codes(self, y: NDArray[Any], place: str) -> NDArray[np.int64]:
        """The code of each label's class, (m,) int64.

        Raises:
            InputError: A label is in none of these classes, not a whole number, or a float beyond MAX_INTEGER_LABEL.
        """
        if y.dtype.kind == "b" and self.written == ("0", "1"):
            y = y.astype(np.int64)
        distinct, inverse = np.unique(_as_text(y, place), return_inverse=True)
        code_of = {written: code for code, written in enumerate(self.written)}
        unknown = [label for label in distinct.tolist() if label not in code_of]
        if unknown:
            raise InputError(
                f"{place} has labels of unseen classes: {listed(repr(u) for u in unknown)}.",
                f"The training examples' classes are {listed((repr(w) for w in self.written), 10)}.",
                "Correct these labels, or remove their examples.",
            )
        codes = np.array([code_of[label] for label in distinct.tolist()], dtype=np.int64)
        return codes[inverse]


def _as_text(y: NDArray[Any], place: str) -> NDArray[np.str_]:
    """Write labels the way they compare between files: 1, 1.0 and "1" are the same label."""
    if y.dtype.kind == "f":
        if not _is_whole(y):
            first = y[np.flatnonzero(y != np.trunc(y))[0]]
            raise InputError(
                f"{place} has labels that are not integers, such as {first}.",
                "Class labels are integers, truth values or text.",
                "Write whole labels, or set task = 'regression'.",
            )
        if np.abs(y).max() > MAX_INTEGER_LABEL:
            raise InputError(
                f"{place} has labels up to {np.abs(y).max():.17g}, which floats do not tell apart.",
                f"Class labels that are floats must not exceed 2**53 = {MAX_INTEGER_LABEL}.",
                "Write these labels as text, or set task = 'regression'.",
            )
        y = y.astype(np.int64)
    return y.astype(np.str_)


def _is_whole(y: NDArray[Any]) -> bool:
    return bool(np.all(y == np.trunc(y)))
