"""Whether a file is a well-formed CSV: checked in one pass, with line numbers, before pandas guesses.

pandas pads short rows with missing values, takes a first column that has no header for an index and renames
repeated headers; each of these would train on something the user did not write.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.errors import InputError, listed

_ALLOWED = "A CSV is UTF-8 text: one header line, then rows of equal length."
_DECIMAL_COMMA = r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*"


class CsvForm(NamedTuple):
    """How a CSV is to be read.

    Attributes:
        separator: Comma, tab or semicolon.
        names: One for each column.
    """

    separator: str
    names: tuple[str, ...]


class CsvHead(NamedTuple):
    """The first row of a CSV.

    Attributes:
        separator: Comma, tab or semicolon.
        values: What it holds.
        n_lines: Lines of the file up to its end.
    """

    separator: str
    values: tuple[str, ...]
    n_lines: int


def head_of(path: Path) -> CsvHead | None:
    """The first row that is not blank, or None where `check_csv_form` will say what is wrong with it."""
    try:
        separator = _separator_of(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=separator, strict=True)
            values = next((row for row in rows if row), [])
            return CsvHead(separator, tuple(values), rows.line_num) if values else None
    except (UnicodeDecodeError, csv.Error):
        return None


def check_csv_form(
    path: Path, place: str, has_header: bool | None = None, names: Sequence[str] = (), *, is_sound: bool = False
) -> CsvForm:
    """Check encoding, quoting and that every row is as long as the header.

    Args:
        path: The file.
        place: How messages name it.
        has_header: Whether its first line holds names; None is yes, unless it looks like data.
        names: The columns' names where the first line does not hold them; without any they are column1, column2, …
        is_sound: Whether the rows are known to be so; then only the header is looked at.

    Raises:
        InputError: Not UTF-8, a quote left open, a ragged row, no header, no rows, or not separated by commas, tabs or
            semicolons.
    """
    try:
        separator = _separator_of(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=separator, strict=True)
            header: list[str] = next((row for row in rows if row), [])
            n_rows = int(is_sound or has_header is False)
            for row in () if is_sound else rows:
                if not row or (len(row) == 1 and not row[0].strip()):
                    continue  # a blank line, which pandas skips too
                n_rows += 1
                if len(row) != len(header):
                    raise InputError(
                        f"{place}: line {rows.line_num} has {len(row)} values under {len(header)} headers.",
                        _ALLOWED,
                        "Correct this line; put values that contain a comma in quotes.",
                    )
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place}: not UTF-8 text ({error.reason} at byte {error.start}).",
            _ALLOWED,
            "Save it as UTF-8; in a spreadsheet: Save as, CSV UTF-8.",
        ) from error
    except csv.Error as error:
        raise InputError(
            f"{place}: cannot be read as CSV ({error}).", _ALLOWED, "Look for a quote that is not closed."
        ) from error
    if has_header is False:
        return CsvForm(separator, _given_names(names, header, place))
    if names:
        raise InputError(
            f"{place}: names are given, and the first line holds names.",
            "names is for a CSV without a header.",
            "Write header = false beside them, or remove names.",
        )
    if n_rows == 0:
        raise InputError(f"{place}: the table has no rows.", _ALLOWED, "Export it again with its rows.")
    if has_header is None:
        _refuse_data_as_header(header, place)
    check_column_names(header, place)
    return CsvForm(separator, tuple(header))


def with_decimal_points(frame: pd.DataFrame) -> pd.DataFrame:
    """A table separated by semicolons, whose text 12,5 is the number 12.5 if no number of its column has a point.

    Semicolons are there because the comma is taken: it stands before the decimals.
    """
    for position in [j for j, dtype in enumerate(frame.dtypes) if dtype != np.float64]:
        column = frame.iloc[:, position]
        if (changed := _with_decimal_points(column)) is not column:
            frame.isetitem(position, changed.array)
    return frame


def _with_decimal_points(column: pd.Series) -> pd.Series:
    has_comma = column.str.fullmatch(_DECIMAL_COMMA).fillna(False).astype(bool)
    has_point = column.str.fullmatch(_DECIMAL_COMMA.replace(",", r"\.")).fillna(False).astype(bool)
    if not has_comma.any() or has_point.any():
        return column
    return column.where(~has_comma, column.str.replace(",", "."))


def _separator_of(path: Path) -> str:
    """Tab for .tsv; else a semicolon if the first line has more of them than commas; else a comma."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next((line for line in file if line.strip()), "")
    unquoted = "".join(first.split('"')[::2])
    return ";" if unquoted.count(";") > unquoted.count(",") else ","


def column_names(n_columns: int) -> tuple[str, ...]:
    """What columns are called that have no names."""
    return tuple(f"column{position}" for position in range(1, n_columns + 1))


def _given_names(names: Sequence[str], first: list[str], place: str) -> tuple[str, ...]:
    if not names:
        return column_names(len(first))
    if len(names) != len(first):
        raise InputError(
            f"{place}: {len(names)} names for {len(first)} columns.",
            "Every column needs a name.",
            f"Write {len(first)} names, in the order of the columns.",
        )
    check_column_names(list(names), place)
    return tuple(names)


def _refuse_data_as_header(header: list[str], place: str) -> None:
    """Refuse a first line of numbers, unless they rise as those of pixels, years and wavelengths do."""
    numbers = pd.to_numeric(pd.Series(header, dtype=str), errors="coerce").dropna()
    if len(numbers) < 2 or 2 * len(numbers) < len(header) or (numbers.is_monotonic_increasing and numbers.is_unique):
        return
    raise InputError(
        f"{place}: the first line looks like data, not like the names of columns: {listed(header)}.",
        "The first line of a CSV holds the names, unless [data] header = false.",
        "Write header = false (and names = [...] for the columns), or header = true if these are names.",
    )


def check_column_names(names: list[str], place: str) -> None:
    """Check that every column has a name of its own.

    Raises:
        InputError: A name is blank or is given twice.
    """
    seen: set[str] = set()
    for position, name in enumerate(names):
        if not name.strip():
            raise InputError(
                f"{place}: column {position + 1} has no name (a saved row index has none).",
                "Every column needs a name.",
                "Remove the column or name it; in pandas: to_csv(path, index=False).",
            )
        if name in seen:
            raise InputError(
                f"{place}: two columns are named '{name}'.",
                "Every column needs its own name.",
                "Rename or remove one of them.",
            )
        seen.add(name)
