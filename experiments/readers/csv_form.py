"""Whether a file is a well-formed CSV: checked in one pass, with line numbers, before pandas guesses.

pandas pads short rows with missing values, takes a first column that has no header for an index and renames
repeated headers; each of these would train on something the user did not write.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
import pandas as pd

from experiments.errors import InputError, how_many, listed

_ALLOWED = "A CSV is UTF-8 text: one header line, then rows of equal length."
_SEPARATORS = ",;\t|"
_THOUSANDS = r"\s*[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?\s*"
_DECIMAL_COMMA = r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*"
_EXCELS_LINE = re.compile(rf'"?sep=([{re.escape(_SEPARATORS)}])"?', re.IGNORECASE)
_MOST_COMMENTS = 1000
_NUMPYS_MARK = "# "


class Dialect(NamedTuple):
    """How the rows of a CSV are separated, and where they begin.

    Attributes:
        separator: One of `_SEPARATORS`.
        n_before: Lines before the first row: Excel's sep=; and comments, which begin with #.
    """

    separator: str
    n_before: int


class CsvForm(NamedTuple):
    """How a CSV is to be read.

    Attributes:
        dialect: Its separator, and where it begins.
        names: One for each column.
    """

    dialect: Dialect
    names: tuple[str, ...]


class CsvHead(NamedTuple):
    """The first row of a CSV.

    Attributes:
        dialect: Its separator, and where it begins.
        values: What it holds.
        n_lines: Lines of the file up to its end.
    """

    dialect: Dialect
    values: tuple[str, ...]
    n_lines: int


def head_of(path: Path, has_header: bool | None = None) -> CsvHead | None:
    """The first row that is not blank, or None where `check_csv_form` will say what is wrong with it."""
    try:
        dialect = _dialect_of(path, has_header)
        with rows_of(path, dialect) as file:
            rows = csv.reader(file, delimiter=dialect.separator, strict=True)
            values = next((row for row in rows if row), [])
            return CsvHead(dialect, tuple(values), dialect.n_before + rows.line_num) if values else None
    except (UnicodeDecodeError, csv.Error):
        return None


@contextmanager
def rows_of(path: Path, dialect: Dialect) -> Iterator[TextIO]:
    """The text of a CSV from its first row on."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for _ in islice(file, dialect.n_before):
            pass
        yield file


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
        dialect = _dialect_of(path, has_header)
        with rows_of(path, dialect) as file:
            rows = csv.reader(file, delimiter=dialect.separator, strict=True)
            header: list[str] = next((row for row in rows if row), [])
            n_rows = int(is_sound or has_header is False)
            for row in () if is_sound else rows:
                if not row or (len(row) == 1 and not row[0].strip()):
                    continue  # a blank line, which pandas skips too
                n_rows += 1
                if len(row) != len(header):
                    raise InputError(
                        f"{place}: line {dialect.n_before + rows.line_num} has {how_many(len(row), 'value')} under "
                        f"{how_many(len(header), 'header')}.",
                        _ALLOWED,
                        "Remove this line; comments stand before the header."
                        if row[0].startswith("#")
                        else "Correct this line; put values that contain a comma in quotes.",
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
        return CsvForm(dialect, _given_names(names, header, place))
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
    return CsvForm(dialect, tuple(names_in_header(header, place)))


def with_decimal_points(frame: pd.DataFrame) -> pd.DataFrame:
    """A table separated by semicolons, whose text 12,5 is the number 12.5 if no number of its column has a point.

    Semicolons are there because the comma is taken: it stands before the decimals. Where 1.234,5 is among a column's
    numbers, its points separate thousands.
    """
    for position in [j for j, dtype in enumerate(frame.dtypes) if dtype != np.float64]:
        column = frame.iloc[:, position]
        if (changed := _with_decimal_points(column)) is not column:
            frame.isetitem(position, changed.array)
    return frame


def _with_decimal_points(column: pd.Series) -> pd.Series:
    has_comma, has_thousands = (
        column.str.fullmatch(form).fillna(False).astype(bool) for form in (_DECIMAL_COMMA, _THOUSANDS)
    )
    if column[has_thousands].str.contains(",").any():
        column = column.where(~has_thousands, column.str.replace(".", ""))
        has_comma |= has_thousands
    has_point = column.str.fullmatch(_DECIMAL_COMMA.replace(",", r"\.")).fillna(False).astype(bool)
    if not has_comma.any() or has_point.any():
        return column
    return column.where(~has_comma, column.str.replace(",", "."))


def _dialect_of(path: Path, has_header: bool | None) -> Dialect:
    """What a line such as sep=; says; else tab for .tsv, or what separates most values of the first row.

    Lines before it that begin with # are comments, unless they have as many values as it has.
    """
    said, n_before = "", 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = ((number, text) for number, line in enumerate(file, 1) if (text := line.strip("\r\n ")))
        number, text = next(lines, (1, ""))
        if found := _EXCELS_LINE.fullmatch(text):
            said, n_before = found[1], number
            number, text = next(lines, (number, ""))
        head = [(number, text)]
        while head[-1][1].startswith("#") and len(head) < _MOST_COMMENTS and (line := next(lines, None)):
            head.append(line)
    *before, (_, first) = head
    separator = said or ("\t" if path.suffix.lower() == ".tsv" else max(_SEPARATORS, key=_unquoted(first).count))
    n_separators = _unquoted(first).count(separator)
    for number, comment in reversed(before):
        is_data = n_separators and _unquoted(comment).count(separator) == n_separators
        if not is_data or (has_header is False and comment.startswith(_NUMPYS_MARK)):
            return Dialect(separator, number)
    return Dialect(separator, n_before)


def _unquoted(line: str) -> str:
    return "".join(line.split('"')[::2])


def column_names(n_columns: int) -> tuple[str, ...]:
    """What columns are called that have no names."""
    return tuple(f"column{position}" for position in range(1, n_columns + 1))


def _given_names(names: Sequence[str], first: list[str], place: str) -> tuple[str, ...]:
    if not names:
        return column_names(len(first))
    if len(names) != len(first):
        raise InputError(
            f"{place}: {how_many(len(names), 'name')} for {how_many(len(first), 'column')}.",
            "Every column needs a name.",
            f"Write {how_many(len(first), 'name')}, in the order of the columns.",
        )
    return tuple(own_names(names, place))


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


def names_in_header(header: Sequence[str], place: str) -> list[str]:
    """As `own_names`, of a CSV's first row."""
    return own_names([*map(without_mark, header[:1]), *header[1:]], place)


def without_mark(name: str) -> str:
    """The first name of a header, without what numpy.savetxt(header=...) writes before it."""
    return name.removeprefix(_NUMPYS_MARK)


def own_names(names: Sequence[object], place: str) -> list[str]:
    """The columns' names as text, without blanks around them.

    Raises:
        InputError: A name is blank or is given twice.
    """
    trimmed = [str(name).strip() for name in names]
    seen: set[str] = set()
    for position, name in enumerate(trimmed):
        if not name:
            raise InputError(
                f"{place}: column {position + 1} has no name (a saved row index has none).",
                "Every column needs a name.",
                "Remove the column or name it; in pandas: to_csv(path, index=False).",
            )
        if name in seen:
            raise InputError(
                f"{place}: two columns are named '{name}'"
                f"{'' if names.count(name) > 1 else ', blanks around it aside'}.",
                "Every column needs its own name.",
                "Rename or remove one of them.",
            )
        seen.add(name)
    return trimmed
