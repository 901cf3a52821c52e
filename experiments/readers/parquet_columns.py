"""The columns of a large Parquet file: numbers go row group by row group to where they stay."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.readers.number_block import column_parts, frame_of
from experiments.readers.room import room_for

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS_AT_ONCE = 2**16  # with 2**20 a million rows of 20 take twice the time
_FEWEST_ROWS = 1024


def read_parquet_columns(path: Path, aside: Collection[str]) -> pd.DataFrame:
    """Read a file whose columns have names of their own.

    Args:
        path: The file.
        aside: Columns that stay as pandas reads them, whatever they hold.

    Returns:
        Integers and floats as float64, nan where one is missing; all other columns as pandas reads them.

    Raises:
        pyarrow.ArrowException, OSError, ValueError: The file is damaged.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        schema = file.schema_arrow
        index = {name for name in (schema.pandas_metadata or {}).get("index_columns", []) if isinstance(name, str)}
        names = [name for name in schema.names if name not in index]
        is_number = [name not in aside and _is_number(schema.field(name).type) for name in names]
        numbers = room_for(len(names), file.metadata.num_rows)
        wanted = [position for position, is_one in enumerate(is_number) if is_one]
        for part in column_parts(numbers.shape[1], len(wanted)):
            _read_into(numbers, file, names, wanted[part])
    rest = {position: name for position, name in enumerate(names) if not is_number[position]}
    others = pd.read_parquet(path, columns=list(rest.values())).reset_index(drop=True) if rest else pd.DataFrame()
    pa.default_memory_pool().release_unused()  # 70 MB of a million rows of 20
    return frame_of(names, numbers, {position: others[name] for position, name in rest.items()})


def _read_into(numbers: NDArray[np.float64], file: Any, names: list[str], positions: list[int]) -> None:  # noqa: ANN401
    """Some columns of a file into their rows of `numbers`; the bytes of these columns are all that is held of it."""
    start = 0
    n_rows = max(_FEWEST_ROWS, _NUMBERS_AT_ONCE // max(1, len(positions)))
    for batch in file.iter_batches(n_rows, columns=[names[position] for position in positions], use_threads=False):
        stop = start + batch.num_rows
        for position, column in zip(positions, batch.columns, strict=True):
            numbers[position, start:stop] = column.to_numpy(zero_copy_only=False)
        start = stop


def _is_number(kind: Any) -> bool:  # noqa: ANN401
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
