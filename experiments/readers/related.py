"""The columns of a table by which its rows belong together, or follow each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.errors import InputError, listed
from experiments.readers.columns import as_kind, kind_of, numbers_of
from experiments.readers.dates import are_dates, moments_of
from experiments.readers.options import ReadOptions
from experiments.splits import Relation


def relation_of(frame: pd.DataFrame, options: ReadOptions, place: str) -> Relation | None:
    """What `groups` or `time` names; None where neither is said.

    Raises:
        InputError: Both are said; some values are missing; or times are neither dates nor numbers.
    """
    if options.groups is not None and options.time is not None:
        raise InputError(
            f"{place}: groups = '{options.groups}' and time = '{options.time}' are both given.",
            "Examples are split group by group, or along time.",
            "Remove one of them.",
        )
    if options.groups is not None:
        groups = as_kind(frame[options.groups], "text", place)
        _refuse_missing(groups, f"{place}: column '{options.groups}'", "Every row belongs to a group.")
        return Relation(options.groups, groups=groups.to_numpy(dtype=np.str_))
    if options.time is None:
        return None
    column, where = frame[options.time], f"{place}: column '{options.time}'"
    if are_dates(column):
        times = moments_of(column, where).astype("datetime64[us]")
        _refuse_missing(times, where, "Every row has its time.")
        return Relation(options.time, times=times.astype(np.int64).to_numpy() / 1e6)
    if kind_of(column) != "number":
        raise InputError(
            f"{where} is said to be the time, and holds neither dates nor numbers.",
            "Times are dates, such as 2024-01-31 or 2024-01-31 12:30, or numbers, such as years.",
            "Name another column, or correct this one.",
        )
    numbers = numbers_of(column, where).astype("float64")
    _refuse_missing(numbers, where, "Every row has its time.")
    return Relation(options.time, times=np.asarray(numbers, dtype=np.float64))


def _refuse_missing(values: pd.Series, where: str, allowed: str) -> None:
    missing = np.flatnonzero(values.isna())
    if len(missing):
        raise InputError(
            f"{where} has {len(missing)} missing values: rows {listed(missing)} (counted from 0).",
            allowed,
            "Fill them in, or remove these rows.",
        )
