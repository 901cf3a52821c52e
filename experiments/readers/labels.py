"""Labels as read, brought into one form; and the task that they pose. `classes.py` codes those that are classes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many, in_rows
from experiments.readers.amounts import MAX_NUMERALS
from experiments.readers.examples import Examples
from experiments.readers.stored_array import lowest_integer

Task = Literal["binary", "multiclass", "regression"]
MAX_INTEGER_CLASSES = 20

# Ways to write that there is no label, in lower case. "none" and "-" are not among them: they name classes, too.
MISSING_LABELS = frozenset(
    {"", "na", "n/a", "<na>", "#na", "#n/a", "nan", "-nan", "null", "?", ".", "\\n"}
    | {"#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!"}
)


def label_array(values: NDArray[Any], place: str, *, is_text: bool = False) -> NDArray[Any]:
    """Bring labels into one of four dtypes.

    Args:
        values: (m,), (1, m) or (m, 1), of any dtype a file may hold; objects are text or bytes.
        place: How messages name them.
        is_text: Whether text stays text although all of it is numbers, as the training examples' labels are.

    Returns:
        (m,) of int64, float64 (also integers beyond int64), bool or text (dtype U) without blanks around it; text that
        is numbers throughout is numbers, as in a CSV.

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
        mark = lowest_integer(values.dtype)
        if mark is not None:
            _refuse_missing(values == mark, place, f"{mark}, which is how R writes a missing one")
        return values.astype(np.int64)
    if kind == "f":
        numbers = values.astype(np.float64)
        _refuse_missing(~np.isfinite(numbers), place, "missing or infinite")
        return numbers
    if kind == "b":
        return values
    if kind in "SUO":
        texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values.tolist()]
        if all(text is None or text != text or isinstance(text, str) for text in texts):
            return _text_labels(texts, place, is_text=is_text)
    raise InputError(
        f"{place} holds values of dtype {values.dtype}.",
        "Labels are integers, floats, truth values or text.",
        "Convert them before saving.",
    )


def _text_labels(texts: list[Any], place: str, *, is_text: bool) -> NDArray[Any]:
    import pandas as pd

    from experiments.readers.columns import parsed

    stripped = [text.strip() if isinstance(text, str) else "" for text in texts]
    distinct, inverse = np.unique(stripped, return_inverse=True)
    is_mark = np.array([is_missing_label(label) for label in distinct.tolist()], dtype=bool)
    missing = is_mark[inverse]
    marks = ", ".join(repr(mark) for mark in distinct[is_mark & (distinct != "")].tolist())
    _refuse_missing(missing, place, f"missing, written {marks}" if marks else "missing")
    if is_text:
        return distinct[inverse]
    numbers, is_other = parsed(pd.Series(distinct, dtype=str))
    if not is_other.any() and len(distinct):
        return label_array(numbers.to_numpy()[inverse], place)
    return distinct[inverse]


def is_missing_label(label: str) -> bool:
    """Whether this is a way to write that there is no label."""
    return label.strip().lower() in MISSING_LABELS


def _refuse_missing(missing: NDArray[np.bool_], place: str, how: str) -> None:
    if missing.any():
        rows = np.flatnonzero(missing)
        raise InputError(
            f"{place} has {how_many(len(rows), 'label that is', 'labels that are')} {how}: {in_rows(rows)}.",
            "Every example needs a label.",
            'Fill them in, or remove these rows (of a table: missing_target = "drop"); a class needs another name.',
        )


def infer_task(examples: Examples) -> tuple[Task, str]:
    """Decide the task from the labels when the user does not name it.

    Text, truth values and labels whose classes the file lists are classes. Numbers are classes if all are
    integers (1.0 counts) and there are two different ones, or at most 20 with two examples each on average.
    Everything else is regression. Two classes are binary.

    Returns:
        The task, and a sentence that says why.

    Raises:
        InputError: Numbers with text among them, or as a spreadsheet shows them ($106,190), or dates.
    """
    y, listed_classes = examples.y, examples.listed_classes
    n_distinct = len(np.unique(y))
    if y.dtype.kind == "U" and listed_classes is None:
        _refuse_quantities(y, examples.y_place)
    n_classes = n_distinct if listed_classes is None else len(listed_classes)
    task: Task = "binary" if n_classes <= 2 else "multiclass"
    what, otherwise = f"{n_classes} different {'truth values' if y.dtype.kind == 'b' else 'words'}", ""
    if listed_classes is not None:
        what = f"labels of {n_classes} classes that the file lists"
    elif y.dtype.kind in "if":
        otherwise = 'task = "regression" if they are quantities' if n_distinct > 2 else ""
        what = f"{n_distinct} different whole numbers, few enough for classes"
        is_few = n_distinct <= 2 or (n_distinct <= MAX_INTEGER_CLASSES and 2 * n_distinct <= len(y))
        if not is_whole(y):
            task, what, otherwise = "regression", "numbers that are not whole", ""
        elif not is_few:
            task, what = "regression", f"{n_distinct} different whole numbers, too many for classes"
            otherwise = 'task = "multiclass" if they are classes'
    said = f" Otherwise write {otherwise}." if otherwise else ""
    return task, f'task = "{task}", because {examples.y_place} holds {what}.{said}'


def dates_as_labels(place: str, example: object) -> InputError:
    """What to say of labels that are dates."""
    return InputError(
        f"{place} holds dates, such as {example}.",
        "Labels are numbers or names of classes.",
        "Write a number, such as the days since some date, or name another target.",
    )


def _refuse_quantities(y: NDArray[Any], place: str) -> None:
    """Refuse text that is meant to be numbers, or dates."""
    import pandas as pd

    from experiments.readers.columns import refuse_numbers_as_text
    from experiments.readers.dates import are_dates

    distinct = pd.Series(np.unique(y), dtype=str)
    if len(distinct) > MAX_NUMERALS and are_dates(distinct):
        raise dates_as_labels(place, distinct[0])
    refuse_numbers_as_text(
        distinct,
        place,
        allowed="Targets are all numbers, or all names of classes.",
        remedy="Correct it, or remove its row; if these are classes, set task.",
    )


def regression_targets(y: NDArray[Any], place: str) -> NDArray[np.float64]:
    """The labels as float64, (m,).

    Raises:
        InputError: They are text, such as amounts of money, or truth values.
    """
    if y.dtype.kind == "U":
        _refuse_quantities(y, place)
    if y.dtype.kind not in "if":
        held = f"text such as '{y[0]}'" if y.dtype.kind == "U" else "truth values"
        raise InputError(
            f"{place} holds {held}, but the task is regression.",
            "Regression needs numbers to predict.",
            "Choose a numeric target, or task = 'binary' or 'multiclass'.",
        )
    return y.astype(np.float64)


def is_whole(y: NDArray[Any]) -> bool:
    """Whether all numbers are whole."""
    return bool(np.all(y == np.trunc(y)))
