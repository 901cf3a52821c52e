"""The columns of a large CSV: numbers become numbers while the file is read, so that its text is never held whole.

pyarrow splits the text, and converts a column if every value of it is a plain number or empty: the same ones, to the
bit, as pandas would. All others stay text, and `columns.py` decides what they are, as for a file that is read as text.
Where pyarrow finds anything unusual, nothing is returned and the file is read as text. So it is with a file of very
many columns, whose text is divided here.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
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
_WIDE = 1000  # columns from which on pyarrow, which makes an array of each in every block, is not asked to split them


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
    is_split_here = layout.n_columns >= _WIDE and not layout.has_quotes
    for block in _split(path, layout) if is_split_here else _split_by_pyarrow(path, layout, positions):
        part = slice(start, start + block.n_rows)
        which = np.flatnonzero(is_number)
        found, is_other = _numbers(block, which)
        for j in which[is_other].tolist():
            if start == 0:
                texts[j] = []
            else:
                late.append(j)
        is_number[which[is_other]] = False
        numbers[which, part] = found
        has_value[which] |= ~np.isnan(found).all(axis=1)
        for j, arrays in texts.items():
            arrays.append(block.columns(np.array([j])))
        start = part.stop
    late += np.flatnonzero(is_number & ~has_value).tolist()  # words for missing ones, and no number
    return numbers, start, {j: pa.chunked_array(arrays) for j, arrays in texts.items()}, late


class _Block(NamedTuple):
    """Some rows of a file.

    Attributes:
        n_rows: How many, m; at least one.
        columns: From positions, (k,), to the text of these columns, one after the other in one array of k m values.
    """

    n_rows: int
    columns: Callable[[NDArray[np.intp]], Any]


def _split_by_pyarrow(path: Path, layout: Layout, positions: list[str]) -> Iterator[_Block]:
    import pyarrow as pa

    def together(batch: Any, which: NDArray[np.intp]) -> Any:  # noqa: ANN401
        columns = batch.columns
        return pa.concat_arrays([columns[j] for j in which.tolist()])

    with _opened(path, layout, positions) as reader:
        for batch in reader:
            if batch.num_rows > 0:
                yield _Block(batch.num_rows, partial(together, batch))


def _split(path: Path, layout: Layout) -> Iterator[_Block]:
    """The same of a file without quotes, in a tenth of the time for 30,000 columns.

    Raises:
        pyarrow.ArrowInvalid: Rows differ in length, or anything else is unusual.
    """
    rest, size = b"", max(_BLOCK, _BYTES_A_VALUE // 4 * layout.n_columns)
    with path.open("rb") as file:
        for _ in range(layout.n_skipped):
            file.readline()
        if layout.n_skipped == 0 and file.read(len(BOM_UTF8)) != BOM_UTF8:
            file.seek(0)
        while read := file.read(size):
            lines, newline, rest = (rest + read).rpartition(b"\n")
            if newline:
                yield _block_of(lines + newline, layout)
    if rest:
        yield _block_of(rest + b"\n", layout)


def _block_of(lines: bytes, layout: Layout) -> _Block:
    """Whole lines, divided where a value ends."""
    import pyarrow as pa

    if b"\r" in lines:
        lines = lines.replace(b"\r\n", b"\n")
    n, characters = layout.n_columns, np.frombuffer(lines, np.uint8)
    is_newline = characters == ord("\n")
    is_end = is_newline | (characters == ord(layout.separator))
    ends = np.flatnonzero(is_end)
    m = np.count_nonzero(is_newline)
    if len(ends) != m * n or not is_newline[ends[n - 1 :: n]].all() or b"\r" in lines or not _is_utf8(lines):
        raise pa.ArrowInvalid("rows differ in length, or hold characters that are no text")
    stops = (ends - np.arange(len(ends))).astype(np.int32)  # in the text without separators
    offsets = np.concatenate([np.zeros(1, np.int32), stops])
    has_text = np.packbits(np.diff(offsets) > 0, bitorder="little")
    buffers = (pa.py_buffer(array) for array in (offsets, characters[~is_end], has_text))
    values = pa.StringArray.from_buffers(m * n, *buffers)
    positions = np.arange(m * n).reshape(m, n)
    return _Block(int(m), lambda which: values.take(pa.array(positions[:, which].T.ravel())))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _numbers(block: _Block, which: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The numbers that columns of text are, (n, m), and which of them hold others, (n,); their rows are nan."""
    is_other, n_rows = np.zeros(len(which), np.bool_), block.n_rows
    if not len(which):
        return np.empty((0, n_rows)), is_other
    texts = block.columns(which)
    together = _as_numbers(texts)
    if together is not None:
        return together.reshape(len(which), -1), is_other
    numbers = np.full((len(which), n_rows), np.nan)
    for row, number in enumerate(numbers):
        values = _as_numbers(texts.slice(row * n_rows, n_rows))
        if values is None:
            is_other[row] = True
        else:
            number[...] = values
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
