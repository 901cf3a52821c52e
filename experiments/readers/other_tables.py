"""Tables in Feather (Arrow), Excel and ARFF, each by the library that keeps it well."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.errors import InputError, listed
from experiments.readers.csv_form import own_names

if TYPE_CHECKING:
    import pandas as pd


_OF_OPENPYXL = (
    *(OSError, ValueError, KeyError, AttributeError, TypeError, IndexError, EOFError, RuntimeError),
    *(SyntaxError, zipfile.BadZipFile, zlib.error),  # SyntaxError: of the XML
)
"""What a damaged workbook makes openpyxl raise."""


def read_other_table(path: Path, place: str, file_format: str) -> pd.DataFrame:
    """Read a table as it is in the file; as `read_frame`.

    Raises:
        InputError: Not a sound file, no rows, or a column without a name of its own.
    """
    read: dict[str, Callable[[Path, str], pd.DataFrame]] = {
        "Feather": _read_feather,
        "Excel": _read_excel,
        "ARFF": _read_arff,
    }
    frame = read[file_format](path, place)
    if len(frame) == 0:
        raise InputError(f"{place}: the table has no rows.", "At least one example is needed.", "Export it again.")
    return frame.reset_index(drop=True)


def _read_feather(path: Path, place: str) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import feather

    try:
        table = feather.read_table(path, memory_map=False)
        names = own_names(table.column_names, place)
        table.validate(full=True)  # else a damaged offset reads memory that is not there, and the process dies
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(place, "Feather", error) from error
    return frame.set_axis(names, axis="columns")


def _read_arff(path: Path, place: str) -> pd.DataFrame:
    import pandas as pd
    from scipy.io import arff

    try:
        with path.open(encoding="utf-8-sig") as file:
            rows, described = arff.loadarff(file)
    except NotImplementedError as error:
        raise InputError(
            f"{place}: this ARFF file cannot be read ({error}).",
            "Its attributes must be numeric, nominal or dates, one row in each line.",
            "Save it as CSV.",
        ) from error
    except (arff.ArffError, ValueError, IndexError, TypeError, StopIteration, OSError) as error:
        raise _damaged(place, "ARFF", error) from error
    names = own_names(described.names(), place)

    def column(name: str) -> pd.Series:
        kind, values = described[name]
        if kind != "nominal" or values is None:
            return pd.Series(rows[name])
        texts = np.char.decode(rows[name], "utf-8").astype(object)
        texts[texts == "?"] = None
        return pd.Series(pd.Categorical(texts, categories=list(values)))

    return pd.DataFrame({name: column(raw) for name, raw in zip(names, described.names(), strict=True)})


def _read_excel(path: Path, place: str) -> pd.DataFrame:
    import pandas as pd

    try:
        sheets = pd.read_excel(
            path, sheet_name=None, header=None, dtype=object, keep_default_na=False, na_values=[""], engine="openpyxl"
        )
    except ImportError as error:
        raise InputError(
            f"{place}: this is an Excel workbook, and openpyxl, which reads it, is not installed.",
            "It comes with the extra 'excel'.",
            "Type: pip install 'sweeps[excel]', or save the sheet as CSV (UTF-8).",
        ) from error
    except _OF_OPENPYXL as error:
        raise _damaged(place, "Excel", error) from error
    filled = {name: sheet for name, sheet in sheets.items() if not sheet.dropna(how="all").empty}
    if len(filled) != 1:
        raise InputError(
            f"{place}: {len(filled)} of its sheets hold something{': ' + listed(filled) if filled else ''}.",
            "A workbook with one table on one sheet is read.",
            "Save the sheet as CSV (UTF-8), or as a workbook of its own.",
        )
    cells = next(iter(filled.values())).dropna(how="all").dropna(how="all", axis="columns")
    names = own_names(["" if pd.isna(name) else name for name in cells.iloc[0]], place)
    rows = cells.iloc[1:].set_axis(names, axis="columns")
    return rows.apply(_of_one_type)


def _of_one_type(cells: pd.Series) -> pd.Series:
    """Cells of one type as this type; numbers with text among them as text, which then decides as in a CSV."""
    import pandas as pd

    kind = pd.api.types.infer_dtype(cells, skipna=True)
    if (
        kind in ("mixed-integer", "mixed")
        and cells.dropna().map(lambda cell: isinstance(cell, str | int | float)).all()
    ):
        return cells.map(_as_written, na_action="ignore")
    return cells.infer_objects()


def _as_written(cell: object) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _damaged(place: str, file_format: str, error: Exception) -> InputError:
    return InputError(
        f"{place}: the {file_format} file is truncated or damaged ({error}).",
        "All of it must be readable.",
        "Copy or export the file again.",
    )
