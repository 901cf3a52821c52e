"""The columns of a table by which its rows belong together, or follow each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.errors import InputError, how_many, in_rows
from experiments.readers.columns import as_kind, kind_of, numbers_of
from experiments.readers.dates import are_dates, moments_of
from experiments.readers.options import MOST_FOLDS, ReadOptions
from experiments.splits import Relation


def relation_of(frame: pd.DataFrame, options: ReadOptions, place: str) -> Relation | None:
    """What `groups`, `time` or `fold` names; None where none of them is said.

    Raises:
        InputError: Several are said; some groups or times are missing; times are neither dates nor numbers; or there
            are very many folds.
    """
    said = [f"{key} = '{options.roles[key]}'" for key in ("groups", "time", "fold") if key in options.roles]
    if len(said) > 1:
        raise InputError(
            f"{place}: {' and '.join(said)} are both given.",
            "Examples are split group by group, along time, or as a column says.",
            "Remove one of them.",
        )
    if options.fold is not None:
        return _given_folds(frame[options.fold], options.fold, place)
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


def _given_folds(column: pd.Series, name: str, place: str) -> Relation:
    where = f"{place}: column '{name}'"
    plain = numbers_of(column, where) if kind_of(column) == "number" else column
    names = as_kind(plain, "text", place)
    is_held = (names.notna() & (names != "-1")).to_numpy()
    distinct, codes = np.unique(names[is_held].to_numpy(dtype=np.str_), return_inverse=True)
    if len(distinct) > MOST_FOLDS:
        raise InputError(
            f"{where} is said to name folds, and has {len(distinct)} different values.",
            f"Each value is a fold, and {MOST_FOLDS} of them are trained at most.",
            f"Write groups = '{name}' to keep rows of one value together, or name another column.",
        )
    folds = np.full(len(column), -1, dtype=np.intp)
    folds[is_held] = codes
    return Relation(name, folds=folds)


def _refuse_missing(values: pd.Series, where: str, allowed: str) -> None:
    missing = np.flatnonzero(values.isna())
    if len(missing):
        raise InputError(
            f"{where} has {how_many(len(missing), 'missing value')}: {in_rows(missing)}.",
            allowed,
            "Fill them in, or remove these rows.",
        )
