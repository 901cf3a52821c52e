"""Tables: CSV and Parquet with a target column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from experiments.errors import InputError, listed, nearest
from experiments.readers.columns import as_kind, kind_of
from experiments.readers.csv_form import check_column_names, check_csv_form, separator_of
from experiments.readers.examples import Contents, Examples
from experiments.readers.labels import label_array


def read_table(path: Path, place: str, file_format: str, target: str | None) -> Contents:
    """Read a table and set its target column apart.

    Returns:
        X is a table in the form of `columns.py`; its missing values are kept as such.

    Raises:
        InputError: Not a sound file, no or an unknown target, missing labels, no rows or no features.
    """
    frame = read_frame(path, place, file_format)
    names = [str(name) for name in frame.columns]
    if target is None:
        raise InputError(
            f"{place}: target is not given for a table.",
            f"It names the column to predict, one of {listed(names, 10)}.",
            f"Write, for example, target = '{names[-1]}'.",
        )
    if target not in names:
        raise InputError(
            f"{place}: there is no target column '{target}'.",
            f"Its columns are {listed(names, 10)}.",
            f"Write one of these.{nearest(target, names)}",
        )
    y_place = f"{place}: column '{target}'"
    y = _labels(frame[target], place, y_place)
    features = frame.drop(columns=target)
    if features.shape[1] == 0:
        raise InputError(
            f"{place}: the target '{target}' is the only column.",
            "At least one column of features is needed.",
            "Add the features, separated by commas (tabs in a .tsv file).",
        )
    X = pd.DataFrame({name: as_kind(features[name], kind_of(features[name]), place) for name in features})
    return Contents(Examples(place, X, y, y_place, feature_names=tuple(X.columns)))


def read_frame(path: Path, place: str, file_format: str) -> pd.DataFrame:
    """Read a table as it stands in the file, with at least one row; its columns have names of their own.

    Raises:
        InputError: Not a sound CSV or Parquet file.
    """
    return _read_csv(path, place) if file_format == "CSV" else _read_parquet(path, place)


def _labels(column: pd.Series, file_place: str, place: str) -> np.ndarray:
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise InputError(
            f"{place} has {len(missing)} missing values: rows {listed(missing)} (counted from 0).",
            "Every example needs a label.",
            "Fill them in, or remove these rows.",
        )
    if kind_of(column) == "number":
        return label_array(column.to_numpy(), place)
    if pd.api.types.is_bool_dtype(column.dtype):
        return label_array(column.to_numpy(dtype=np.bool_), place)
    return label_array(as_kind(column, "text", file_place).to_numpy(dtype=object), place)


def _read_csv(path: Path, place: str) -> pd.DataFrame:
    check_csv_form(path, place)
    try:
        return pd.read_csv(path, sep=separator_of(path), encoding="utf-8-sig", index_col=False, low_memory=False)
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
