"""Whether a file is a well-formed CSV: checked in one pass, with line numbers, before pandas guesses.

pandas pads short rows with missing values, takes a first column that has no header for an index and renames
repeated headers; each of these would train on something the user did not write.
"""

from __future__ import annotations

import csv
from pathlib import Path

from experiments.errors import InputError


def separator_of(path: Path) -> str:
    """Tab for .tsv, comma otherwise."""
    return "\t" if path.suffix.lower() == ".tsv" else ","


def check_csv_form(path: Path, place: str) -> None:
    """Check encoding, quoting and that every row is as long as the header.

    Raises:
        InputError: Not UTF-8, a quote left open, a ragged row, no header, no rows, or not separated by commas.
    """
    allowed = "A CSV is UTF-8 text: one header line, then rows of equal length."
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=separator_of(path), strict=True)
            header: list[str] = next((row for row in rows if row), [])
            n_rows = 0
            for row in rows:
                if not row or (len(row) == 1 and not row[0].strip()):
                    continue  # a blank line, which pandas skips too
                n_rows += 1
                if len(row) != len(header):
                    raise InputError(
                        f"{place}: line {rows.line_num} has {len(row)} values under {len(header)} headers.",
                        allowed,
                        "Correct this line; put values that contain a comma in quotes.",
                    )
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place}: not UTF-8 text ({error.reason} at byte {error.start}).",
            allowed,
            "Save it as UTF-8; in a spreadsheet: Save as, CSV UTF-8.",
        ) from error
    except csv.Error as error:
        raise InputError(
            f"{place}: cannot be read as CSV ({error}).", allowed, "Look for a quote that is not closed."
        ) from error
    if len(header) == 1 and ";" in header[0]:
        raise InputError(
            f"{place}: one column only, '{header[0][:60]}'; it seems to be separated by semicolons.",
            "Values are separated by commas, or by tabs in a .tsv file.",
            "Save it with commas.",
        )
    if n_rows == 0:
        raise InputError(f"{place}: the table has no rows.", allowed, "Export it again with its rows.")
    check_column_names(header, place)


def check_column_names(names: list[str], place: str) -> None:
    """Check that every column has a name of its own.

    Raises:
        InputError: A name is blank or is given twice.
    """
    for position, name in enumerate(names):
        if not name.strip():
            raise InputError(
                f"{place}: column {position + 1} has no name (a saved row index has none).",
                "Every column needs a name.",
                "Remove the column or name it; in pandas: to_csv(path, index=False).",
            )
        if name in names[:position]:
            raise InputError(
                f"{place}: two columns are named '{name}'.",
                "Every column needs its own name.",
                "Rename or remove one of them.",
            )
