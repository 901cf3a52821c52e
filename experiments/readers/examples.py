"""What every reader returns; and examples that need no reader, because a program has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from experiments.readers.options import ExamplesAxis
from experiments.splits import Relation

if TYPE_CHECKING:
    import pandas as pd

Features: TypeAlias = "NDArray[Any] | pd.DataFrame"
PYTHON_PREFIX = "python:"
Advance: TypeAlias = Callable[[str, int, int], None]
"""Told, while many files are read, of which source they are, how many are done and how many there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Labelled examples of one file, checked for form, labels not encoded yet.

    Attributes:
        place: How messages name the place they come from: "train.h5" or "train.h5: 'train_set_x'".
        X: Images (m, h, w, c), features (m, n), or a table of m rows.
        y: Labels as read, (m,): int64, float64, bool or text (dtype U); none missing.
        y_place: How messages name the labels: "train.h5: 'train_set_y'".
        listed_classes: The file's own names for the labels 0..C-1, if it lists any.
        feature_names: Empty where the file has none.
        image_shape: (h, w, c) if an example is an image.
        weights: How much each example counts, (m,), 0 or more; None is 1.
        relation: What relates examples to each other; None where nothing is said.
        ignored: Columns of a table that are no features, beside target and weights.
        examples_axis: Which axis of a stored array counted the examples.
        notes: What a person should know of how the file was read, sentences.
    """

    place: str
    X: Features
    y: NDArray[Any]
    y_place: str
    listed_classes: tuple[str, ...] | None = None
    feature_names: tuple[str, ...] = ()
    image_shape: tuple[int, int, int] | None = None
    weights: NDArray[np.float64] | None = None
    relation: Relation | None = None
    ignored: tuple[str, ...] = ()
    examples_axis: ExamplesAxis = "rows"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What one source holds: examples to train on, examples to test on, or both."""

    train: Examples | None
    test: Examples | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class InMemory:
    """Examples as a Python program handed them over; `in_memory.py` takes and reads them.

    Attributes:
        place: How messages and the record name them: "python:train".
        X: A table that holds the target, or an array of features.
        y: The labels of an array; None for a table.
        target: The table's column to predict, if that is known.
    """

    place: str
    X: Features
    y: NDArray[Any] | None = None
    target: str | None = None
