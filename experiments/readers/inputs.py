"""What raw inputs must look like, and how they become numbers: the same for training and for a saved model."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, collected, how_many, in_rows, listed
from experiments.readers.arrays import feature_array
from experiments.readers.axes import is_channels_first
from experiments.readers.examples import Features
from experiments.readers.medians import medians_of
from experiments.readers.number_block import column_parts, names_of, runs
from experiments.readers.options import Dates, ExamplesAxis

if TYPE_CHECKING:
    import pandas as pd

MAX_ONE_HOT = 2**30
"""Bytes that the categories of all examples may take, as float64: the same on every machine."""
MISSING = ""  # the category of a missing value; the readers leave no empty text


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


Inputs: TypeAlias = ArrayInputs | TableInputs


def fit_inputs(
    X: Features,
    feature_names: tuple[str, ...],
    source: str,
    examples: ExamplesAxis = "rows",
    dates: Dates | None = None,
) -> Inputs:
    """Learn from the training examples what raw inputs look like, including medians and categories.

    Raises:
        InputError: Columns without any value, text columns most of whose values differ, or numbers with text among
            them; all of these are told.
    """
    if isinstance(X, np.ndarray):
        return ArrayInputs(X.shape[1:], X.dtype == np.uint8, feature_names, examples)
    from experiments.readers.columns import Kind, kinds_as_read

    medians = _medians_of_numbers(X)

    def fitted(name: str, kind: Kind) -> Column:
        if kind == "number":
            return _fit_number_column(name, medians[name], len(X), source)
        return _fit_date_column(X[name], source, dates) if kind == "date" else _fit_text_column(X[name], source)

    columns = tuple(collected((partial(fitted, name, kind) for name, kind in kinds_as_read(X).items()), source))
    _refuse_too_many_categories(columns, len(X), source)
    return TableInputs(columns)


def _refuse_too_many_categories(columns: tuple[Column, ...], n_examples: int, source: str) -> None:
    """Refuse what would take more memory than MAX_ONE_HOT, before it is taken."""
    texts = [column for column in columns if isinstance(column, TextColumn)]
    n_bytes = 8 * n_examples * sum(len(column.categories) for column in texts)
    if n_bytes > MAX_ONE_HOT:
        largest = max(texts, key=lambda column: len(column.categories))
        raise InputError(
            f"{source}: column '{largest.name}' has {len(largest.categories)} categories; as a column of 0 and 1 for "
            f"each, the text of {n_examples:,} training examples would take {n_bytes / 2**30:.1f} GB, and training "
            "five folds five times that.",
            f"Text may take {MAX_ONE_HOT / 2**30:.0f} GB so.",
            "Merge rare categories, write a number in their place, or leave the column out "
            f'(ignore = ["{largest.name}"] under [data]).',
        )


def check_text_columns(frame: pd.DataFrame, source: str) -> None:
    """What `fit_inputs` says of these columns of text.

    Raises:
        InputError: Some are no categories; all of these are told.
    """
    collected((partial(_fit_text_column, frame[name], source) for name in frame.columns), source)


def inputs_from_dict(saved: dict[str, Any]) -> Inputs:
    """The inverse of `to_dict`; raises KeyError, TypeError or ValueError if `saved` is damaged.

    Names of columns are trimmed as readers trim them: models of before 2026-11-29 may hold blanks around them.
    """
    if saved["kind"] == "array":
        shape, names = tuple(saved["shape"]), tuple(str(name).strip() for name in saved["feature_names"])
        return ArrayInputs(shape, bool(saved["is_bytes"]), names, saved.get("examples", "rows"))
    return TableInputs(
        tuple(
            NumberColumn(str(column["name"]).strip(), float(column["median"]))
            if "median" in column
            else DateColumn(str(column["name"]).strip(), tuple(column["parts"]), tuple(map(float, column["medians"])))
            if "parts" in column
            else TextColumn(str(column["name"]).strip(), tuple(column["categories"]))
            for column in saved["columns"]
        )
    )


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


def _refuse_missing(column: pd.Series, place: str) -> None:
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise InputError(
            f"{place}: column '{column.name}' has {how_many(len(missing), 'missing value')}: {in_rows(missing)}.",
            "The model was trained on arrays without any, so it has no value to fill in.",
            "Fill them in, or remove these rows; a model that is trained on a table takes missing values.",
        )


def _categories(words: Iterable[str | None]) -> str:
    return listed(repr(word) if word else "(missing)" for word in words)


def _medians_of_numbers(X: pd.DataFrame) -> dict[str, float]:
    """The median of each column of numbers, by name; nan where it has no value."""
    found: dict[str, float] = {}
    for stretch, is_number in runs(X):
        if is_number:
            columns = X.iloc[:, stretch]
            found |= zip(names_of(columns), medians_of(columns.to_numpy()).tolist(), strict=True)
    return found


def _fit_number_column(name: str, median: float, n_examples: int, source: str) -> NumberColumn:
    if math.isnan(median):
        raise _without_values(name, n_examples, source)
    return NumberColumn(name, median)


def _fit_date_column(moments: pd.Series, source: str, dates: Dates | None) -> DateColumn:
    from experiments.readers.dates import numbers_of_date, parts_of

    if moments.isna().all():
        raise _without_values(moments.name, len(moments), source)
    parts = parts_of(moments) if dates == "parts" else ("days",)
    medians = (float(np.nanmedian(numbers_of_date(moments, part))) for part in parts)
    return DateColumn(str(moments.name), parts, tuple(medians))


def _fit_text_column(column: pd.Series, source: str) -> TextColumn:
    from experiments.readers.columns import refuse_numbers_as_text

    texts = column.dropna()
    if texts.empty:
        raise _without_values(column.name, len(column), source)
    distinct = texts.drop_duplicates()
    refuse_numbers_as_text(
        distinct,
        f"{source}: column '{column.name}'",
        allowed="A column is all numbers or all text; a missing number is empty.",
        remedy="Correct it, or leave it empty; codes need a letter in front of each.",
    )
    if len(distinct) > max(10, len(texts) // 2):
        raise InputError(
            f"{source}: column '{column.name}' holds {len(distinct)} different texts in {len(texts)} rows; "
            "it is an identifier or free text.",
            "Text columns are categories, of which most occur more than once.",
            "Remove the column.",
        )
    words = distinct.tolist() + [MISSING] * (len(texts) < len(column))
    return TextColumn(str(column.name), tuple(sorted(words)))


def _without_values(name: object, n_examples: int, source: str) -> InputError:
    return InputError(
        f"{source}: column '{name}' has no value in any of the {how_many(n_examples, 'training example')}.",
        "Every column needs values to learn from.",
        "Remove the column, or fill it.",
    )
