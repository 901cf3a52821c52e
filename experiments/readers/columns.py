"""The kinds of column: numbers (float64, missing = NaN), text (str, missing = NaN) and, if asked for, dates
(datetime64[us], missing = NaT).

A table is brought into this form when it is read, so that CSV and Parquet of the same values are the same
table, and again when a saved model is asked to predict, so that 3 and "3" are the same category. A CSV holds only
text: the training examples decide a column's kind, never the rows that happen to be in another file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import groupby
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.errors import InputError, collected, how_many, in_rows, listed, nearest
from experiments.readers.amounts import AMOUNTS_CURE, MAX_NUMERALS, WRITTEN_NUMBERS, kind_of_amounts
from experiments.readers.dates import moments_of
from experiments.readers.missing import MISSING_NUMBERS
from experiments.readers.number_block import column_parts, names_of

Kind = Literal["number", "text", "date"]

DATES_ARE_NO_FEATURES = "Columns are numbers, text, categories or truth values."
DATE_CURE = 'Write dates = "parts" or dates = "days" under [data], or leave the column out (ignore).'
_TRUTH_VALUES = {"true": "True", "false": "False"}


def kind_of(series: pd.Series) -> Kind:
    """Numbers are numbers, also those written as text and decimal ones; text, categories and truth values are text."""
    if isinstance(series.dtype, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(series.dtype):
        return "text"
    if pd.api.types.is_numeric_dtype(series.dtype) or _is_decimal(series):
        return "number"
    if pd.api.types.infer_dtype(series, skipna=True) in ("string", "empty"):
        return written_kind(series.astype("str"))
    return "text"


def _is_decimal(series: pd.Series) -> bool:
    """Whether these are the decimal numbers of a database, which pandas keeps as Python's or as Arrow's."""
    if isinstance(series.dtype, pd.ArrowDtype):
        return str(series.dtype).startswith("decimal")
    return series.dtype == object and pd.api.types.infer_dtype(series, skipna=True) == "decimal"


def written_kind(texts: pd.Series) -> Kind:
    """The kind of a column that is known only as text: numbers if every value that is not missing is one."""
    numbers, is_other = parsed(texts)
    is_number = not is_other.any() and (numbers.notna().any() or texts.isna().all())
    return "number" if is_number else "text"


def parsed(texts: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Parse text as numbers.

    Args:
        texts: (m,) of dtype str.

    Returns:
        Numbers, (m,), NaN where there is none (integers if all are); and which texts are neither a number nor a word
        for a missing one, (m,) bool.
    """
    numbers = pd.to_numeric(texts, errors="coerce")
    is_other = numbers.isna() & texts.notna()
    is_other[is_other] = ~texts[is_other].str.strip().str.lower().isin(MISSING_NUMBERS)
    return numbers, is_other


def refuse_numbers_as_text(distinct: pd.Series, place: str, *, allowed: str, remedy: str) -> None:
    """Refuse a column of text that was meant to be numbers.

    Args:
        distinct: The column's distinct values, (n,) of dtype str.
        place: How messages name the column.
        allowed, remedy: Second and third part of the message about a text among numbers.
    Raises:
        InputError: There are more than `MAX_NUMERALS` values, and all are numbers or amounts such as $106,190 or
            12,5 %; or more than `MAX_NUMERALS` are numbers and others are not.
    """
    numbers, is_other = parsed(distinct)
    if not is_other.any():
        return
    other = distinct[is_other].iloc[0]
    amounts = kind_of_amounts(distinct[is_other]) if len(distinct) > MAX_NUMERALS else None
    if numbers.notna().sum() > MAX_NUMERALS:
        if amounts is not None:
            allowed, remedy = WRITTEN_NUMBERS, AMOUNTS_CURE
        raise InputError(f"{place} is text because of '{other}' among its numbers.", allowed, remedy)
    if amounts is not None:
        what = f"{place} is text, though its values are {amounts}, such as '{other}'."
        raise InputError(what, WRITTEN_NUMBERS, AMOUNTS_CURE)


def as_kind(series: pd.Series, kind: Kind, place: str) -> pd.Series:
    """Bring a column into the form of its kind.

    Raises:
        InputError: Values that should be numbers and are not, infinity, or values of another type (dates, lists).
    """
    where = f"{place}: column '{series.name}'"
    if kind == "date":
        return moments_of(series, where)
    return _as_numbers(series, where) if kind == "number" else _as_text(series, where)


def kinds_as_read(frame: pd.DataFrame) -> dict[str, Kind]:
    """The kind of each column of a table that `conformed` returned, in order."""
    kinds: dict[str, Kind] = {"f": "number", "M": "date"}
    return {name: kinds.get(dtype.kind, "text") for name, dtype in zip(names_of(frame), frame.dtypes, strict=True)}


def kinds_of(frame: pd.DataFrame) -> dict[str, Kind]:
    """The kind of each column, in order."""
    dtypes = zip(frame.columns.tolist(), frame.dtypes, strict=True)
    return {str(name): "number" if dtype == np.float64 else kind_of(frame[name]) for name, dtype in dtypes}


def conformed(frame: pd.DataFrame, kinds: Mapping[str, Kind], place: str) -> pd.DataFrame:
    """The table with exactly the columns of `kinds`, in their order and form.

    Raises:
        InputError: A column is missing, unknown, given twice, or not of its kind; all of these are told.
    """
    found = [name.strip() for name in names_of(frame)]
    frame = frame.set_axis(found, axis="columns").reset_index(drop=True)
    names = list(kinds)
    if found != names:
        _refuse_other_columns(found, names, place)
        frame = frame[names]
    pieces = collected(
        (
            partial(_all_numbers if is_number else _conformed_alone, frame.iloc[:, stretch], kinds, place)
            for stretch, is_number in _stretches(frame, kinds)
        ),
        place,
    )
    return pd.concat(pieces, axis="columns") if len(pieces) > 1 else next(iter(pieces), frame)


def _stretches(frame: pd.DataFrame, kinds: Mapping[str, Kind]) -> Iterator[tuple[slice, bool]]:
    """The columns as stretches of those that are numbers of one form, which are handled together, and of others."""

    def form(dtype: object) -> str:
        if dtype == np.float64:
            return "float64"
        return str(dtype) if isinstance(dtype, pd.StringDtype) else ""

    columns = zip(frame.dtypes, kinds.values(), strict=True)
    forms = (form(dtype) if kind == "number" else "" for dtype, kind in columns)
    start = 0
    for of_stretch, members in groupby(forms):
        stop = start + len(list(members))
        yield slice(start, stop), bool(of_stretch)
        start = stop


def _conformed_alone(frame: pd.DataFrame, kinds: Mapping[str, Kind], place: str) -> pd.DataFrame:
    columns = collected((partial(as_kind, frame[name], kinds[str(name)], place) for name in frame.columns), place)
    return pd.DataFrame(dict(zip(frame.columns, columns, strict=True)))


def _all_numbers(frame: pd.DataFrame, kinds: Mapping[str, Kind], place: str) -> pd.DataFrame:
    """Columns of float64, or of text that is numbers, checked and brought into their form together."""
    numbers = frame
    if frame.dtypes.iloc[0] != np.float64:
        texts = frame.to_numpy(dtype=object).ravel(order="F")
        parsed_together, is_other = parsed(pd.Series(texts, dtype="str"))
        if is_other.any():
            return _conformed_alone(frame, kinds, place)
        values = parsed_together.to_numpy(dtype=np.float64).reshape(frame.shape, order="F")
        numbers = pd.DataFrame(values, columns=frame.columns, copy=False)
    if not _is_any_infinite(numbers.to_numpy()):
        return numbers
    return _conformed_alone(numbers, kinds, place)


def _is_any_infinite(values: NDArray[np.float64]) -> bool:
    """Column by column: one array of truth values for all would be an eighth of the numbers."""
    return any(np.isinf(values[:, part]).any() for part in column_parts(*values.shape))


def _refuse_other_columns(found: Sequence[str], names: Sequence[str], place: str) -> None:
    there, known = set(found), set(names)
    missing = [name for name in names if name not in there]
    unknown = [name for name in found if name not in known]
    if missing:
        raise InputError(
            f"{place}: {len(missing)} of {how_many(len(names), 'feature column')} "
            f"{'is' if len(missing) == 1 else 'are'} missing: {listed(missing)}.",
            f"The training examples' columns are {listed(names, 10)}.",
            f"Add the missing columns, or rename.{_likeness(unknown, missing)}",
        )
    if unknown:
        raise InputError(
            f"{place}: {how_many(len(unknown), 'column is no feature', 'columns are no features')} of the training "
            f"examples: {listed(unknown)}.",
            f"The training examples' columns are {listed(names, 10)}.",
            "Remove these columns.",
        )
    if len(found) != len(names):
        twice = next(name for name in found if found.count(name) > 1)
        raise InputError(
            f"{place}: two columns are named '{twice}'.",
            "Every column needs its own name.",
            "Rename or remove one of them.",
        )


def _likeness(unknown: Sequence[str], missing: Sequence[str]) -> str:
    """A phrase such as " Did you mean 'price'?" for the first unknown column that resembles a missing one; else ""."""
    return next((phrase for name in unknown if (phrase := nearest(name, missing))), "")


def numbers_of(series: pd.Series, where: str) -> pd.Series:
    """A column of numbers, or of numbers written as text, as numbers; integers stay integers if none is missing.

    Raises:
        InputError: Some are not numbers.
    """
    if _is_decimal(series):
        return _of_decimals(series)
    if pd.api.types.is_complex_dtype(series.dtype):
        raise _not_a_feature(where, "complex")
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype):
        return series
    texts = series if isinstance(series.dtype, pd.StringDtype) else _as_text(series, where)
    numbers, is_other = parsed(texts)
    if is_other.any():
        row = int(np.flatnonzero(is_other)[0])
        raise InputError(
            f"{where} has {how_many(int(is_other.sum()), 'value that is no number', 'values that are not numbers')}, "
            f"first '{series.iloc[row]}' in row {row} (counted from 0).",
            "In the training examples this column holds numbers.",
            "Write numbers, or leave the value empty if it is missing.",
        )
    return numbers


def _of_decimals(series: pd.Series) -> pd.Series:
    """As integers if all are whole, since floats are not exact beyond 2**53; else as float64."""
    if series.notna().all() and all(value == value.to_integral_value() for value in series):
        with suppress(OverflowError):
            return pd.Series([int(value) for value in series], index=series.index, name=series.name, dtype=np.int64)
    return series.astype("float64")


def _as_numbers(series: pd.Series, where: str) -> pd.Series:
    numbers = numbers_of(series, where).astype("float64")
    infinite = np.flatnonzero(np.isinf(numbers.to_numpy()))
    if len(infinite):
        raise InputError(
            f"{where} has {how_many(len(infinite), 'infinite value')}: {in_rows(infinite)}.",
            "Numbers must be finite; a missing value is allowed and will be filled in.",
            "Correct them, or leave them empty.",
        )
    return numbers


def _as_text(series: pd.Series, where: str) -> pd.Series:
    try:
        codes, distinct = pd.factorize(series.astype(object))
    except TypeError as error:  # lists and dictionaries cannot be hashed
        raise _not_a_feature(where, type(series.dropna().iloc[0]).__name__) from error
    texts = [_text_of(value, where) for value in distinct]
    # code -1, missing, takes the last entry; an empty string is a missing value, as in a CSV.
    words = np.array([text or None for text in texts] + [None], dtype=object)
    return pd.Series(words[codes], index=series.index, name=series.name).astype("str")


def _text_of(value: object, where: str) -> str:
    if isinstance(value, str):
        value = value.strip()
        return _TRUTH_VALUES.get(value.lower(), value)  # TRUE in a CSV is True in a Parquet file
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):  # a whole number that shares its column with missing values
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    raise _not_a_feature(where, type(value).__name__)


def _not_a_feature(where: str, held: str) -> InputError:
    return InputError(
        f"{where} holds values of type {held}.",
        DATES_ARE_NO_FEATURES,
        DATE_CURE
        if held in ("Timestamp", "date", "datetime")
        else "Convert it to numbers or text, or leave the column out ([data] ignore).",
    )
