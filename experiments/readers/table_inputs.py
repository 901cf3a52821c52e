"""Tables as raw inputs: the kind of each column, and how it becomes numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many, listed
from experiments.readers.examples import Features
from experiments.readers.medians import medians_of
from experiments.readers.number_block import column_parts, names_of

if TYPE_CHECKING:
    import pandas as pd

MISSING = ""  # the category of a missing value; the readers leave no empty text


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A column of numbers; a missing one becomes the training examples' median."""

    name: str
    median: float


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A column of categories, one-hot in this order; an unknown category becomes all zeros.

    None keeps the place of a category that other examples have.
    """

    name: str
    categories: tuple[str | None, ...]

    @property
    def words(self) -> list[str | None]:
        """The categories as they are read now: models of before 2026-11-28 may hold blanks around them."""
        return [None if category is None else category.strip() for category in self.categories]


@dataclass(frozen=True, slots=True)
class DateColumn:
    """A column of dates, as numbers: its parts, or the "days" since 1970; a missing one becomes their medians."""

    name: str
    parts: tuple[str, ...]
    medians: tuple[float, ...]


Column: TypeAlias = NumberColumn | TextColumn | DateColumn


@dataclass(frozen=True, slots=True)
class TableInputs:
    """Tables: each column's kind, with what fitting learned about it, in the table's order."""

    columns: tuple[Column, ...]

    @property
    def feature_names_out(self) -> tuple[str, ...]:
        """A name for each number: "age", "colour=red", "colour=(missing)"."""
        names: list[str] = []
        for column in self.columns:
            if isinstance(column, NumberColumn):
                names.append(column.name)
            elif isinstance(column, DateColumn):
                names += [f"{column.name} {part}" for part in column.parts]
            else:
                names += [f"{column.name}={category or '(missing)'}" for category in column.categories]
        return tuple(names)

    @property
    def is_one_hot(self) -> NDArray[np.bool_]:
        """Which numbers are one-hot, (n,)."""
        if self.are_numbers:
            return np.zeros(len(self.columns), np.bool_)
        widths = [_width(column) for column in self.columns]
        return np.repeat([isinstance(c, TextColumn) for c in self.columns], widths)

    @property
    def are_numbers(self) -> bool:
        """Whether every column is one of numbers; of 30,000 columns each look at one by one takes 10 ms."""
        return set(map(type, self.columns)) == {NumberColumn}

    @property
    def has_dates(self) -> bool:
        """Whether some columns are dates, which earlier releases do not know."""
        return DateColumn in set(map(type, self.columns))

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values; floats keep every digit."""
        return {"kind": "table", "columns": [_as_dict(column) for column in self.columns]}

    def unseen(self, X: Features, place: str) -> list[str]:
        """What a person should know of new examples, a sentence per column: categories that the training examples do
        not have, and numbers that are missing in all rows.
        """
        are_read = self.are_numbers and not isinstance(X, np.ndarray) and set(X.dtypes) == {np.dtype(np.float64)}
        frame = cast("pd.DataFrame", X) if are_read else self.conformed(X, place)
        is_empty = dict(zip(names_of(frame), frame.isna().all().tolist(), strict=True))
        notes = []
        for column in self.columns:
            if isinstance(column, NumberColumn) and is_empty[column.name] and len(frame) > 1:
                notes.append(
                    f"{place}: column '{column.name}' has no value in any of {len(frame)} rows. The training examples' "
                    f"median, {column.median:g}, stands for all of them."
                )
            if not isinstance(column, TextColumn):
                continue
            words = frame[column.name].fillna(MISSING)
            unknown = words[~words.isin(column.words)]
            if len(unknown):
                notes.append(
                    f"{place}: column '{column.name}' has categories that no training example has, in "
                    f"{len(unknown)} of {how_many(len(words), 'row')}: {_categories(unknown.unique())}. They count as "
                    f"none of {_categories(column.categories)}."
                )
        return notes

    def learned_from(self, encoded: NDArray[np.float64], which: NDArray[np.bool_]) -> TableInputs:
        """The same columns in the same places, with the medians and the categories of other examples.

        Args:
            encoded: (m, n), from `encoded`.
            which: (m,), the examples to learn from.
        """
        medians = np.nan_to_num(medians_of(encoded, which, ~self.is_one_hot), nan=0.0).tolist()
        if self.are_numbers:
            return TableInputs(tuple(NumberColumn(*one) for one in zip(self.feature_names_out, medians, strict=True)))
        columns: list[Column] = []
        start = 0
        for column in self.columns:
            stop = start + _width(column)
            if isinstance(column, NumberColumn):
                columns.append(NumberColumn(column.name, medians[start]))
            elif isinstance(column, DateColumn):
                columns.append(DateColumn(column.name, column.parts, tuple(medians[start:stop])))
            else:
                words = enumerate(column.categories, start=start)
                known = (word if (encoded[:, j] > 0)[which].any() else None for j, word in words)
                columns.append(TextColumn(column.name, tuple(known)))
            start = stop
        return TableInputs(tuple(columns))

    def numbers(self, X: Features, place: str) -> NDArray[np.float64]:
        """Encode and impute raw examples; returns (m, n), possibly a view of X."""
        return self.imputed(self.encoded(X, place))

    def imputed(self, encoded: NDArray[np.float64], columns: slice = slice(None)) -> NDArray[np.float64]:
        """Medians where a number is missing, 0 in the places of unknown categories; as it is where there is neither.

        Args:
            encoded: (m, n), from `encoded`, or some columns of it.
            columns: Which of the n these are.
        """
        fill, is_known = self.filling
        fill, unknown = fill[columns], ~is_known[columns]
        parts = list(column_parts(*encoded.shape))
        if not unknown.any() and not any(np.isnan(encoded[:, part]).any() for part in parts):
            return encoded
        filled = encoded.copy(order="K")
        for part in parts:
            np.copyto(filled[:, part], fill[part], where=np.isnan(filled[:, part]))
        filled[:, unknown] = 0
        return filled

    @property
    def filling(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """What `imputed` puts where a number is missing, and which of the numbers it leaves, (n,) each."""
        fill: list[float] = []
        is_known: list[bool] = []
        if self.are_numbers:
            numbers = cast("tuple[NumberColumn, ...]", self.columns)
            return np.array([column.median for column in numbers]), np.ones(len(numbers), np.bool_)
        for column in self.columns:
            if isinstance(column, NumberColumn):
                fill.append(column.median)
                is_known.append(True)
            elif isinstance(column, DateColumn):
                fill += column.medians
                is_known += [True] * len(column.medians)
            else:
                fill += [0.0] * len(column.categories)
                is_known += [category is not None for category in column.categories]
        return np.array(fill), np.array(is_known, np.bool_)

    def encoded(self, X: Features, place: str) -> NDArray[np.float64]:
        """Numbers, nan where one is missing, and one-hot categories: (m, n), a view of X if it is all numbers."""
        frame = self.conformed(X, place)
        if frame.empty:
            raise InputError(f"{place} has no rows.", "At least one example is needed.", "Add examples.")
        if self.are_numbers:
            return frame.to_numpy(dtype=np.float64)
        from experiments.readers.dates import numbers_of_date
        from experiments.readers.room import room_for

        n_columns = len(self.is_one_hot)
        encoded = room_for(n_columns, len(frame)).T  # columns are contiguous, as in the table
        start = 0
        for column in self.columns:
            if isinstance(column, NumberColumn):
                encoded[:, start] = frame[column.name].to_numpy(dtype=np.float64)
                start += 1
            elif isinstance(column, DateColumn):
                for part in column.parts:
                    encoded[:, start] = numbers_of_date(frame[column.name], part)
                    start += 1
            else:
                words = frame[column.name].fillna(MISSING).to_numpy(dtype=object)
                for word in column.words:
                    encoded[:, start] = words == word
                    start += 1
        return encoded

    def conformed(self, X: Features, place: str) -> pd.DataFrame:
        """The columns that the model takes, in its order and each of its kind; checked, and not imputed.

        Raises:
            InputError: No table, or one of other columns.
        """
        if isinstance(X, np.ndarray):
            raise InputError(
                f"{place} is an array of shape {X.shape}.",
                f"The model was trained on a table with the columns {[c.name for c in self.columns]}.",
                "Give a table with these columns.",
            )
        from experiments.readers.columns import Kind, conformed

        kind: dict[type[Column], Kind] = {NumberColumn: "number", DateColumn: "date", TextColumn: "text"}
        kinds = {column.name: kind[type(column)] for column in self.columns}
        return conformed(X, kinds, place)


def _as_dict(column: Column) -> dict[str, Any]:
    """As `dataclasses.asdict`, which takes ten times as long: of 20,000 columns in each of five folds seconds."""
    if type(column) is NumberColumn:
        return {"name": column.name, "median": column.median}
    return {name: getattr(column, name) for name in column.__slots__}


def _width(column: Column) -> int:
    """How many numbers a column becomes."""
    if isinstance(column, NumberColumn):
        return 1
    return len(column.parts if isinstance(column, DateColumn) else column.categories)


def _categories(words: Iterable[str | None]) -> str:
    return listed(repr(word) if word else "(missing)" for word in words)
