"""Labelled examples that a Python program holds: NumPy arrays, and tables of pandas, polars or any library of Arrow's.

They are read as files are: the same values make the same data set, with the same digest. No message about an argument
of the wrong kind shows what it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many
from experiments.readers.arrays import read_contents
from experiments.readers.examples import PYTHON_PREFIX, Contents, Examples, InMemory
from experiments.readers.options import ReadOptions
from experiments.readers.stored_array import StoredArray

if TYPE_CHECKING:
    import pandas as pd

_ALLOWED = "Examples are (X, y), with X an array or a table, or one table that holds the target too."


def in_memory(role: str, given: object, target: str | None) -> InMemory:
    """Take a pair (X, y), or a table.

    Args:
        role: "train" or "test": the name of the argument.
        given: What was passed. A table is a pandas DataFrame, or what shows itself by Arrow's PyCapsule interface or
            the dataframe interchange protocol, as polars' do.
        target: `[data] target`. A table with labels beside it gets them under this name, else y's own, else "target".

    Raises:
        InputError: It is neither, or X and y do not belong together.
    """
    import pandas as pd

    place = f"{PYTHON_PREFIX}{role}"
    if not isinstance(given, tuple):
        return InMemory(place, _table(given, role, f"a {type(given).__name__}"), target=target)
    if len(given) != 2:
        raise _wrong(role, f"a tuple of {len(given)}")
    X, y = given
    labels = _array(y, role, "y")
    if not _is_table(X):
        return InMemory(place, _array(X, role, "X"), labels)
    frame = _table(X, role, f"a pair whose X is a {type(X).__name__}")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (len(frame),):
        raise InputError(
            f"{role}: y has shape {labels.shape}, and X has {how_many(len(frame), 'row')}.",
            "There is one label for each row.",
            "Give y as (m,).",
        )
    name = target or str(getattr(y, "name", None) or "target").strip()
    if name in (str(column).strip() for column in frame.columns):
        raise InputError(
            f"{role}: y is to be column '{name}', and X has one of this name.",
            "The target is no feature.",
            f"Drop it from X, or leave y out and write target = '{name}' under [data].",
        )
    beside = pd.Series(labels, index=frame.index, name=name)
    return InMemory(place, pd.concat([frame, beside], axis="columns"), target=name)


def read_in_memory(source: InMemory, options: ReadOptions, train: Examples | None = None) -> Contents:
    """As `read_source` reads a file."""
    if isinstance(source.X, np.ndarray):
        arrays = {"X": StoredArray(source.X), "y": StoredArray(np.asarray(source.y))}
        said = options.for_arrays(source.place).examples
        return read_contents(list(arrays), arrays.__getitem__, source.place, said, train)
    from experiments.readers.table import examples_of

    return examples_of(as_read(source.X, source.place), source.place, options.for_table(source.place), train)


def as_read(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    """The table as its reader would return it from a Parquet file.

    Raises:
        InputError: It has no rows, or a column without a name of its own.
    """
    from experiments.readers.csv_form import own_names  # of pandas, which a mistyped configuration need not load

    names = own_names(list(frame.columns), place)
    if len(frame) == 0:
        raise InputError(f"{place}: the table has no rows.", "At least one example is needed.", "Give some.")
    return frame.set_axis(names, axis="columns").reset_index(drop=True).copy()  # what is read is used up


def _is_table(given: object) -> bool:
    """Whether it has columns: pandas' and Arrow's tables say so by their attribute, as polars' do."""
    shows_itself = any(hasattr(given, name) for name in ("__arrow_c_stream__", "__dataframe__"))
    return shows_itself and hasattr(given, "columns")


def _table(given: object, role: str, described: str) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    if isinstance(given, pd.DataFrame):
        return given
    if not _is_table(given):
        raise _wrong(role, described)
    try:
        if hasattr(given, "__arrow_c_stream__"):
            table = pa.table(given)
        else:
            from pyarrow.interchange import from_dataframe

            table = from_dataframe(given)
        frame: pd.DataFrame = table.to_pandas()
    except (pa.ArrowException, TypeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"{role}: {described} that cannot be taken over as a table ({type(error).__name__}).",
            "Its columns must be numbers, text, truth values or categories.",
            "Convert it with its own to_pandas().",
        ) from None  # other libraries' messages may show values
    return frame


def _array(given: object, role: str, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(given)
    except (TypeError, ValueError, RuntimeError):
        raise _wrong(role, f"a pair whose {name} is no array, but a {type(given).__name__}") from None
    if array.ndim == 0:
        raise _wrong(role, f"a pair whose {name} is no array, but a {type(given).__name__}")
    return array


def _wrong(role: str, described: str) -> InputError:
    return InputError(f"{role}: {described} is given.", _ALLOWED, f"Write, for example, {role}=(X, y).")
