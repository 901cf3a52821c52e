"""What raw inputs look like, as the training examples tell it: the same for training and for a saved model."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from experiments.errors import InputError, collected, how_many
from experiments.readers.array_inputs import ArrayInputs
from experiments.readers.examples import Features
from experiments.readers.medians import medians_of
from experiments.readers.number_block import names_of, runs
from experiments.readers.options import Dates, ExamplesAxis
from experiments.readers.table_inputs import MISSING, Column, DateColumn, NumberColumn, TableInputs, TextColumn

if TYPE_CHECKING:
    import pandas as pd

MAX_ONE_HOT = 2**30
"""Bytes that the categories of all examples may take, as float64: the same on every machine."""

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
