"""The classes of the training examples, and the codes 0..C-1 of labels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, listed
from experiments.readers.examples import Examples
from experiments.readers.labels import is_whole

MAX_INTEGER_LABEL = 2**53  # beyond it float64 skips integers


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
            InputError: Labels are not whole numbers; some differ only by upper and lower case; a listed name occurs
                twice; or the names are numbers, and it is open whether they are the labels themselves.
        """
        names = train.listed_classes
        if names is None:
            # np.unique sorts numbers by value (2 before 10) and text alphabetically.
            written = tuple(_as_text(np.unique(train.y), train.y_place).tolist())
            _refuse_spellings(written, train.y_place)
            return cls(written, written)
        if len(set(names)) < len(names):
            raise InputError(
                f"{train.y_place}: the file's list of classes repeats a name: {listed(names)}.",
                "Every class has its own name.",
                "Export the file again.",
            )
        codes = tuple(str(k) for k in range(len(names)))
        if set(names) == set(codes):  # the labels themselves, in the order in which they first appear
            return cls(codes, codes)
        if train.y.dtype.kind == "U":
            return cls(names, names)
        labels = set(_as_text(np.unique(train.y), train.y_place).tolist())
        if set(names) == {"False", "True"} and labels <= {"0", "1"}:
            return cls(codes, ("False", "True"))
        if not labels <= set(names):
            return cls(codes, names)
        if labels <= set(codes):
            raise InputError(
                f"{train.y_place}: the labels are {listed(sorted(labels))}, and the file lists the classes "
                f"{listed(names)}.",
                f"These can be the labels themselves or names of the codes 0 to {len(names) - 1}.",
                "Remove the list, or name the classes in words.",
            )
        return cls(names, names)  # a list "3", "5" for labels 3 and 5

    def codes(self, y: NDArray[Any], place: str) -> NDArray[np.int64]:
        """The code of each label's class, (m,) int64.

        Raises:
            InputError: A label is in none of these classes, not a whole number, or a float beyond MAX_INTEGER_LABEL.
        """
        if y.dtype.kind == "b" and self.written == ("0", "1"):
            y = y.astype(np.int64)
        values, inverse = np.unique(y, return_inverse=True)
        distinct = _as_text(values, place).tolist()
        code_of = {written: code for code, written in enumerate(self.written)}
        unknown = sorted(label for label in distinct if label not in code_of)
        if unknown:
            raise InputError(
                f"{place} has labels of unseen classes: {listed(repr(u) for u in unknown)}.",
                f"The training examples' classes are {listed((repr(w) for w in self.written), 10)}.",
                "Correct these labels, or remove their examples.",
            )
        codes = np.array([code_of[label] for label in distinct], dtype=np.int64)
        return codes[inverse]


def _refuse_spellings(labels: tuple[str, ...], place: str) -> None:
    spellings = defaultdict(list)
    for label in labels:
        spellings[" ".join(label.casefold().split())].append(label)
    groups = [" and ".join(map(repr, group)) for group in spellings.values() if len(group) > 1]
    if groups:
        raise InputError(
            f"{place} has labels that differ only by case or blanks: {listed(groups)}; "
            f"all labels are {listed(map(repr, labels), 12)}.",
            "Every class has one spelling.",
            "Write each class in one way; if these are different classes, give them names that differ in letters.",
        )


def _as_text(y: NDArray[Any], place: str) -> NDArray[np.str_]:
    """Write labels the way they compare between files: 1, 1.0 and "1" are the same label."""
    if y.dtype.kind == "f":
        if not is_whole(y):
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
