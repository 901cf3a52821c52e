"""Tables: CSV and Parquet with a target column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from experiments.errors import InputError, listed, nearest
from experiments.readers.columns import Kind, as_kind, conformed, kind_of, kinds_of, numbers_of, written_kind
from experiments.readers.csv_form import check_column_names, check_csv_form, separator_of
from experiments.readers.examples import Contents, Examples
from experiments.readers.labels import label_array


def read_table(
    path: Path,
    place: str,
    file_format: str,
    target: str | None,
    train: Examples | None = None,
    sample_weight: str | None = None,
) -> Contents:
    """Read a table and separate its target column, and its column of weights if there is one.

    Args:
        path: The file.
        place: How messages name it.
        file_format: "CSV" or "Parquet".
        target: The column of labels.
        train: The training examples, if this table holds test examples: it must have their columns and kinds.
        sample_weight: The column that says how much each example counts; None where there is none.

    Returns:
        Examples whose X is a table in the form of `columns.py`; missing values stay missing.

    Raises:
        InputError: Not a sound file, no target or an unknown one, missing labels, no rows or no features; or columns
            other than those of `train`.
    """
    frame = read_frame(path, place, file_format)
    names = [str(name) for name in frame.columns]
    if target is None:
        raise InputError(
            f"{place}: target is not given for a table.",
            f"It names the column to predict, one of {listed(names, 10)}.",
            f"Write, for example, target = '{names[-1]}'.",
        )
    for role, name in (("target", target), ("sample_weight", sample_weight)):
        if name is not None and name not in names:
            raise InputError(
                f"{place}: there is no {role} column '{name}'.",
                f"Its columns are {listed(names, 10)}.",
                f"Write one of these.{nearest(name, names)}",
            )
    if sample_weight == target:
        raise InputError(
            f"{place}: '{target}' is both target and sample_weight.",
            "They are two columns.",
            "Correct one of them.",
        )
    y_place = f"{place}: column '{target}'"
    kind = written_kind if file_format == "CSV" else kind_of
    aside = [name for name in (target, sample_weight) if name is not None]
    features = frame.drop(columns=aside)
    if features.shape[1] == 0:
        raise InputError(
            f"{place}: the target '{target}' is the only column."
            if sample_weight is None
            else f"{place}: the target '{target}' and the weights '{sample_weight}' are the only columns.",
            "At least one column of features is needed.",
            "Add the features, separated by commas (tabs in a .tsv file).",
        )
    if train is None or isinstance(train.X, np.ndarray):
        kinds, label_kind = kinds_of(features, kind), kind(frame[target])
    else:
        kinds, label_kind = kinds_of(train.X), "number" if train.y.dtype.kind in "if" else "text"
    X = conformed(features, kinds, place)
    y = _labels(frame[target], label_kind, place, y_place)
    weights = None if sample_weight is None else _weights(frame[sample_weight], f"{place}: column '{sample_weight}'")
    return Contents(Examples(place, X, y, y_place, feature_names=tuple(X.columns), weights=weights))


def read_frame(path: Path, place: str, file_format: str) -> pd.DataFrame:
    """Read a table as it is in the file; it has at least one row, and every column has its own name.

    All columns of a CSV are text: the training examples decide which of them are numbers.

    Raises:
        InputError: Not a sound CSV or Parquet file.
    """
    return _read_csv(path, place) if file_format == "CSV" else _read_parquet(path, place)


def _labels(column: pd.Series, kind: Kind, file_place: str, place: str) -> np.ndarray:
    labels = numbers_of(column, place) if kind == "number" else as_kind(column, kind, file_place)
    missing = np.flatnonzero(labels.isna())
    if len(missing):
        raise InputError(
            f"{place} has {len(missing)} missing values: rows {listed(missing)} (counted from 0).",
            "Every example needs a label.",
            "Fill them in, or remove these rows.",
        )
    return label_array(labels.to_numpy() if kind == "number" else labels.to_numpy(dtype=object), place)


def _weights(column: pd.Series, place: str) -> np.ndarray:
    """How much each example counts, (m,)."""
    weights = numbers_of(column, place).to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise InputError(
            f"{place} has {len(wrong)} values that are no weights, first {weights[wrong[0]]} in row {wrong[0]} "
            "(counted from 0).",
            "A weight is a finite number, 0 or more.",
            "Correct these rows, or remove them.",
        )
    if not weights.any():
        raise InputError(f"{place} is 0 in every row.", "Some examples must count.", "Correct the column.")
    return weights


def _read_csv(path: Path, place: str) -> pd.DataFrame:
    check_csv_form(path, place)
    try:
        return pd.read_csv(
            path,
            sep=separator_of(path),
            encoding="utf-8-sig",
            index_col=False,
            dtype=str,
            keep_default_na=False,
            na_values=[""],
        )
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise InputError(
            f"{place}: cannot be read as CSV ({error}).",
            "A CSV is UTF-8 text: one header line, then rows of equal length.",
            "Export the file again.",
        ) from error


def _read_parquet(path: Path, place: str) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = [str(name) for name in pq.read_schema(path).names]
        check_column_names(names, place)
        frame = pd.read_parquet(path)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            f"{place}: the Parquet file is truncated or damaged ({error}).",
            "All of it must be readable.",
            "Copy or export the file again.",
        ) from error
    if frame.empty:
        raise InputError(f"{place}: the table has no rows.", "At least one example is needed.", "Export it again.")
    frame.columns = [str(name) for name in frame.columns]
    return frame.reset_index(drop=True)
