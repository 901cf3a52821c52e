"""The columns of a large CSV: numbers become numbers while the file is read, so that its text is never held whole.

pyarrow splits the text, and converts a column if every value of it is a plain number or empty: the same ones, to the
bit, as pandas would. All others stay text, and `columns.py` decides what they are, as for a file that is read as text.
Where pyarrow finds anything unusual, nothing is returned and the file is read as text.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.readers.missing import MISSING_NUMBERS
from experiments.readers.number_block import frame_of
from experiments.readers.room import room_for

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 2**19  # bytes of text that are looked at together: with 2**22 pyarrow keeps 160 MB
_BYTES_A_VALUE = 512  # a block of a wide file holds about 25 rows, since each column of a block costs time


class Layout(NamedTuple):
    """How the bytes of a CSV are to be divided.

    Attributes:
        separator: Between values.
        n_columns: How many values a row has.
        n_skipped: Lines before the first row.
        has_quotes: Whether any value of a row may be in quotes.
        n_rows_at_most: An upper bound.
    """

    separator: str
    n_columns: int
    n_skipped: int
    has_quotes: bool
    n_rows_at_most: int


def layout_of(path: Path, separator: str, n_columns: int, n_skipped: int) -> Layout:
    """Looks through the bytes of a file for quotes and the ends of lines."""
    n_lines, has_quotes = 1, False
    with path.open("rb") as file:
        for _ in range(n_skipped):
            line = file.readline()
            if b"\r" in line.rstrip(b"\r\n"):  # the lines of old Macintoshes
                file.seek(0)
                break
        while block := file.read(_BLOCK):
            n_lines += block.count(b"\n") + block.count(b"\r")
            has_quotes = has_quotes or b'"' in block
    return Layout(separator, n_columns, n_skipped, has_quotes, n_lines)


def read_columns(path: Path, layout: Layout, names: Sequence[str], text: Collection[int]) -> pd.DataFrame | None:
    """Read the rows of a file.

    Args:
        path: The file.
        layout: From `layout_of`; if it has quotes, the file has been checked to close them.
        names: Of the columns.
        text: Positions of columns that stay text, whatever they hold.

    Returns:
        float64 columns, nan where a value is missing, and columns of text; None if there are no rows, or anything is
        not as in a plain CSV (rows of different lengths, text that is not UTF-8).
    """
    import pyarrow as pa

    positions = [str(position) for position in range(layout.n_columns)]
    try:
        numbers, n_rows, texts, late = _read_blocks(path, layout, positions, set(text))
        if n_rows == 0:
            return None
        if late:
            texts |= _read_text(path, layout, positions, late)
    except (pa.ArrowException, OSError):
        return None
    others = {position: pa.table([column], names=["text"]).to_pandas()["text"] for position, column in texts.items()}
    return frame_of(names, numbers[:, :n_rows], {position: column.astype("str") for position, column in others.items()})


def _read_blocks(
    path: Path, layout: Layout, positions: list[str], text: set[int]
) -> tuple[NDArray[np.float64], int, dict[int, Any], list[int]]:
    """All numbers (n, at most m), the number of rows, columns of text, and which are text as was found too late."""
    import pyarrow as pa

    numbers = room_for(layout.n_columns, layout.n_rows_at_most)  # what is never written to takes no memory
    is_number = np.ones(layout.n_columns, np.bool_)
    is_number[list(text)] = False
    has_value = np.zeros(layout.n_columns, np.bool_)
    texts: dict[int, list[Any]] = {position: [] for position in text}
    late: list[int] = []
    start = 0
    with _opened(path, layout, positions) as reader:
        for batch in reader:
            if batch.num_rows == 0:
                continue
            part = slice(start, start + batch.num_rows)
            which, columns = np.flatnonzero(is_number), batch.columns
            found, is_other = _numbers([columns[j] for j in which.tolist()], batch.num_rows)
            for j in which[is_other].tolist():
                if start == 0:
                    texts[j] = []
                else:
                    late.append(j)
            is_number[which[is_other]] = False
            numbers[which, part] = found
            has_value[which] |= ~np.isnan(found).all(axis=1)
            for j, arrays in texts.items():
                arrays.append(columns[j])
            start = part.stop
    late += np.flatnonzero(is_number & ~has_value).tolist()  # words for missing ones, and no number
    return numbers, start, {j: pa.chunked_array(arrays) for j, arrays in texts.items()}, late


def _numbers(arrays: list[Any], n_rows: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The numbers that arrays of text are, (n, m), and which arrays hold others, (n,); their rows are nan."""
    import pyarrow as pa

    is_other = np.zeros(len(arrays), np.bool_)
    if not arrays:
        return np.empty((0, n_rows)), is_other
    together = _as_numbers(pa.concat_arrays(arrays))
    if together is not None:
        return together.reshape(len(arrays), -1), is_other
    numbers = np.full((len(arrays), n_rows), np.nan)
    for row, array in enumerate(arrays):
        values = _as_numbers(array)
        if values is None:
            is_other[row] = True
        else:
            numbers[row] = values
    return numbers, is_other


def _as_numbers(texts: Any) -> NDArray[np.float64] | None:  # noqa: ANN401
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        numbers = pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        return None
    found: NDArray[np.float64] = numbers.to_numpy(zero_copy_only=False)
    is_nan = np.isnan(found)
    if int(is_nan.sum()) > texts.null_count:
        words = pc.unique(texts.filter(pa.array(is_nan))).to_pylist()
        if not all(word is None or word.lower() in MISSING_NUMBERS for word in words):
            return None
    return found


def _read_text(path: Path, layout: Layout, positions: list[str], which: list[int]) -> dict[int, Any]:
    import pyarrow as pa

    wanted = [positions[j] for j in which]
    with _opened(path, layout, positions, wanted) as reader:
        table = pa.Table.from_batches(list(reader))
    return {j: table.column(name) for j, name in zip(which, wanted, strict=True)}


def _opened(path: Path, layout: Layout, positions: list[str], wanted: list[str] | None = None) -> Any:  # noqa: ANN401
    import pyarrow as pa
    from pyarrow import csv

    return csv.open_csv(
        path,
        read_options=csv.ReadOptions(
            use_threads=False,
            block_size=max(_BLOCK, _BYTES_A_VALUE * layout.n_columns),
            skip_rows=layout.n_skipped,
            column_names=positions,
        ),
        parse_options=csv.ParseOptions(
            delimiter=layout.separator,
            quote_char='"' if layout.has_quotes else False,
            newlines_in_values=layout.has_quotes,
        ),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(positions, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
            include_columns=wanted,
        ),
    )
