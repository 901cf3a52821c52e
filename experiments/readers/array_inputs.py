"""Arrays of numbers as raw inputs: what one example must look like."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many, in_rows
from experiments.readers.arrays import feature_array
from experiments.readers.axes import is_channels_first
from experiments.readers.examples import Features
from experiments.readers.options import ExamplesAxis

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ArrayInputs:
    """Arrays of numbers: what one example must look like.

    Attributes:
        shape: (n,) or (h, w, c), the shape of one example.
        is_bytes: Whether the training examples were uint8, so that inputs must be whole numbers 0..255.
        feature_names: Column names by which a table is accepted too; if empty, its columns count in their order.
        examples: Which axis of the training file's array counted the examples; decides how a file is read whose shape
            fits both ways.
    """

    shape: tuple[int, ...]
    is_bytes: bool
    feature_names: tuple[str, ...] = ()
    examples: ExamplesAxis = "rows"

    @property
    def feature_names_out(self) -> tuple[str, ...]:
        """A name for each number: the feature's, or x0, x1, …"""
        return self.feature_names or tuple(f"x{i}" for i in range(math.prod(self.shape)))

    @property
    def is_one_hot(self) -> NDArray[np.bool_]:
        """Which numbers are one-hot: none, (n,)."""
        return np.zeros(math.prod(self.shape), dtype=np.bool_)

    @property
    def has_dates(self) -> bool:
        """As `TableInputs.has_dates`; arrays have none."""
        return False

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        saved: dict[str, Any] = {
            "kind": "array",
            "shape": list(self.shape),
            "is_bytes": self.is_bytes,
            "feature_names": list(self.feature_names),
        }
        return saved if self.examples == "rows" else saved | {"examples": self.examples}

    def unseen(self, X: Features, place: str) -> list[str]:
        """As `TableInputs.unseen`; always empty, because arrays have no categories."""
        return []

    def learned_from(self, encoded: NDArray[Any], which: NDArray[np.bool_]) -> ArrayInputs:
        """As `TableInputs.learned_from`; nothing is learned of arrays but their shape."""
        return self

    def imputed(self, encoded: NDArray[Any], columns: slice = slice(None)) -> NDArray[Any]:
        """As `TableInputs.imputed`; nothing is missing in arrays."""
        return encoded

    @property
    def filling(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """As `TableInputs.filling`; nothing is missing, and none is left out."""
        n = math.prod(self.shape)
        return np.zeros(n), np.ones(n, np.bool_)

    def numbers(self, X: Features, place: str) -> NDArray[Any]:
        """As `TableInputs.numbers`; possibly a view of X."""
        return self.encoded(X, place)

    def encoded(self, X: Features, place: str) -> NDArray[Any]:
        """Check raw examples; returns (m, n), possibly a view of X."""
        if not isinstance(X, np.ndarray):
            X = self._from_table(X, place)
        X = feature_array(X, place)
        if X.shape[1:] != self.shape and is_channels_first(X.shape[1:]):
            X = np.moveaxis(X, 1, -1)
        if X.shape[1:] != self.shape:
            raise InputError(
                f"{place}: examples have shape {X.shape[1:]}.",
                f"The training examples have shape {self.shape}.",
                "Bring them into this shape, with the same features in the same order.",
            )
        if self.is_bytes and (X.dtype.kind == "f" or X.min() < 0 or X.max() > 255):
            raise InputError(
                f"{place} holds {X.dtype} values from {X.min()} to {X.max()}.",
                "The training examples are bytes: whole numbers 0..255 in an integer array.",
                "Give the raw bytes; scaling is done here.",
            )
        return X.reshape(len(X), -1)

    def _from_table(self, frame: pd.DataFrame, place: str) -> NDArray[Any]:
        from experiments.readers.columns import Kind, as_kind, conformed

        if self.feature_names:
            kinds: dict[str, Kind] = dict.fromkeys(self.feature_names, "number")
            table = conformed(frame, kinds, place)
            columns = [table[name] for name in table]
        else:
            columns = [as_kind(frame.iloc[:, j], "number", place) for j in range(frame.shape[1])]
        for column in columns:
            _refuse_missing(column, place)
        array = np.column_stack(columns) if columns else np.empty((len(frame), 0))
        return array.astype(np.int64) if self.is_bytes and np.all(array == np.trunc(array)) else array


def _refuse_missing(column: pd.Series, place: str) -> None:
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise InputError(
            f"{place}: column '{column.name}' has {how_many(len(missing), 'missing value')}: {in_rows(missing)}.",
            "The model was trained on arrays without any, so it has no value to fill in.",
            "Fill them in, or remove these rows; a model that is trained on a table takes missing values.",
        )
