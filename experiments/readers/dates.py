"""Dates: which columns hold them, which moment each is, and the numbers that a network can take of it.

A moment is what a clock on the wall shows: offsets from UTC are left away. Day and month are told apart by the values
of the file at hand (2024-01-31, 31.01.2024, or some day above 12); where nothing tells, the dates are refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.errors import InputError, how_many, listed
from experiments.readers.missing import MISSING_NUMBERS

PARTS = ("year", "month", "day", "weekday", "hour")
"""Of "parts"; the hour only where the training examples have some. Weekdays count from Monday, 0."""

_TIME = r"(?:[T ]\s*(\d{1,2}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?\s*(?:Z|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = rf"\s*(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){_TIME}\s*"
_YEAR_LAST = rf"\s*(\d{{1,2}})([-/.])(\d{{1,2}})[-/.](\d{{4}}|\d{{2}}){_TIME}\s*"
_ALLOWED = "Dates are written 2024-01-31, 31.01.2024 or, if some day is above 12, 31/01/2024 or 01/31/2024."


def are_dates(column: pd.Series) -> bool:
    """Whether all values that are there are dates, as a type of the file or as text."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return True
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype.kind in "biufc":
        return False
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("date", "datetime"):
        return True
    if kind != "string":
        return False
    texts = _there(pd.Series(column.unique(), dtype="str"))
    is_date = texts.str.fullmatch(f"(?:{_YEAR_FIRST})|(?:{_YEAR_LAST})")
    return bool(len(texts)) and bool(is_date.all())


def moments_of(column: pd.Series, place: str) -> pd.Series:
    """The moments of a column of dates: datetime64[us] without a time zone, NaT where one is missing.

    Raises:
        InputError: A value is no date, or the order of day and month is open.
    """
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        own: pd.Series = column.dt.tz_localize(None).astype("datetime64[us]")
        return own
    codes, distinct = pd.factorize(column)
    kind = pd.api.types.infer_dtype(distinct, skipna=True)
    if kind in ("date", "datetime"):
        moments = pd.Series(pd.to_datetime([value.replace(tzinfo=None) if kind == "datetime" else value
                                            for value in distinct])).astype("datetime64[us]")  # fmt: skip
    else:
        moments = _parsed(pd.Series(distinct).astype("str"), place)
    spread = np.append(moments.to_numpy(), np.datetime64("NaT"))[codes]  # code -1 is missing
    return pd.Series(spread, index=column.index, name=column.name)


def refuse_unasked(frame: pd.DataFrame, names: Sequence[str], place: str) -> None:
    """Refuse columns of dates that nobody has said what to make of; every day would become a category.

    Raises:
        InputError: There are some; all of them are named.
    """
    if not names:
        return
    examples = (f"'{name}' (such as {_example(frame[name])})" for name in names)
    raise InputError(
        f"{place}: column '{names[0]}' holds dates, such as {_example(frame[names[0]])}."
        if len(names) == 1
        else f"{place}: {len(names)} columns hold dates: {listed(examples, 10)}.",
        "A network takes numbers and categories.",
        'Write dates = "parts" (year, month, day, weekday) or dates = "days" (days since 1970) under [data]; or '
        f"ignore = [{', '.join(f'{name!r}' for name in names)}].".replace("'", '"'),
    )


def _example(column: pd.Series) -> str:
    first = column.dropna().iloc[0] if column.notna().any() else "missing"
    return str(first)


def parts_of(moments: pd.Series) -> tuple[str, ...]:
    """Which of `PARTS` say something of these moments."""
    there = moments.dropna()
    return PARTS if bool((there != there.dt.normalize()).any()) else PARTS[:-1]


def numbers_of_date(moments: pd.Series, part: str) -> NDArray[np.float64]:
    """One number of each moment, (m,), NaN where it is missing: a part, or the "days" since 1970-01-01."""
    if part == "days":
        return np.asarray((moments - pd.Timestamp(0)) / pd.Timedelta(days=1), dtype=np.float64)
    return getattr(moments.dt, {"weekday": "day_of_week"}.get(part, part)).to_numpy(dtype=np.float64, na_value=np.nan)  # type: ignore[no-any-return]


def _there(texts: pd.Series) -> pd.Series:
    return texts[texts.notna() & ~texts.str.strip().str.lower().isin(MISSING_NUMBERS)]


def _parsed(texts: pd.Series, place: str) -> pd.Series:
    """The moments of distinct texts."""
    there = _there(texts)
    first, last = there.str.extract(f"^{_YEAR_FIRST}$"), there.str.extract(f"^{_YEAR_LAST}$")
    is_first, is_last = first[0].notna(), last[0].notna()
    wrong = there[~(is_first | is_last)]
    if len(wrong):
        raise InputError(
            f"{place} has {how_many(len(wrong), 'value that is no date', 'values that are no dates')}, "
            f"first '{wrong.iloc[0]}'.",
            _ALLOWED,
            "Correct them, or leave them empty.",
        )
    parts = first.set_axis(["year", "month", "day", "hour", "minute", "second"], axis="columns")
    if is_last.any():
        last = last[is_last].set_axis(["a", "mark", "b", "year", "hour", "minute", "second"], axis="columns")
        is_day_first = _is_day_first(last, place, str(there[is_last].iloc[0]))
        day, month = ("a", "b") if is_day_first else ("b", "a")
        years = last["year"].astype(int)
        years += np.where(last["year"].str.len() == 4, 0, np.where(years < 69, 2000, 1900))  # as POSIX has it
        parts.loc[is_last, ["day", "month"]] = last[[day, month]].to_numpy()
        parts.loc[is_last, "year"] = years.astype(str)
        parts.loc[is_last, ["hour", "minute", "second"]] = last[["hour", "minute", "second"]].to_numpy()
    numbers = parts.fillna("0").apply(lambda part: pd.to_numeric(part.str.replace(",", ".")))
    moments: pd.Series = pd.to_datetime(numbers, errors="coerce").astype("datetime64[us]")
    impossible = there[moments.isna()]
    if len(impossible):
        raise InputError(
            f"{place} has {how_many(len(impossible), 'date')} that no calendar has, first '{impossible.iloc[0]}'.",
            _ALLOWED,
            "Correct them, or leave them empty.",
        )
    everywhere: pd.Series = moments.reindex(texts.index)
    return everywhere


def _is_day_first(last: pd.DataFrame, place: str, example: str) -> bool:
    a, b = last["a"].astype(int), last["b"].astype(int)
    if (last["mark"] == ".").all() or (a > 12).any():
        return True
    if (b > 12).any():
        return False
    raise InputError(
        f"{place} holds dates such as '{example}', of which none has a day above 12.",
        _ALLOWED,
        "Write the year first, 2024-01-31.",
    )
