"""Tables as pyarrow, polars and DuckDB write them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.orc
import pyarrow.parquet as pq

from tests.experiments.support.written import GAPS, TABLE, M, Written

ARROW = pa.Table.from_pandas(GAPS)
UNKNOWN = "is of a known format"


def _decimals(path: Path) -> None:
    prices = pa.array([Decimal(str(price)) for price in TABLE["price"]], pa.decimal128(20, 3))
    pq.write_table(pa.Table.from_pandas(TABLE).set_column(3, "price", prices), path)


def _with(name: str, values: Any) -> pa.Table:
    return ARROW.append_column(name, values)


LISTS = pa.array([[1, 2]] * M)
PYARROW = [
    Written("pyarrow", "csv.write_csv()", "t.csv", lambda path: pa.csv.write_csv(ARROW, path), "gaps"),
    *(
        Written(
            "pyarrow",
            f"parquet.write_table(compression='{codec}')",
            "t.parquet",
            lambda path, codec=codec: pq.write_table(ARROW, path, compression=codec),
            "gaps",
        )
        for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4")
    ),
    Written(
        "pyarrow",
        "parquet.write_table(data_page_version='2.0')",
        "t.parquet",
        lambda path: pq.write_table(ARROW, path, data_page_version="2.0", version="1.0"),
        "gaps",
    ),
    Written("pyarrow", "parquet.write_table() of decimals", "t.parquet", _decimals),
    Written(
        "pyarrow",
        "parquet.write_table() of float16",
        "t.parquet",
        lambda path: pq.write_table(ARROW.set_column(0, "area", ARROW["area"].cast(pa.float16())), path),
        "gaps",
    ),
    Written(
        "pyarrow",
        "parquet.write_table() of lists",
        "t.parquet",
        lambda path: pq.write_table(_with("both", LISTS), path),
        refused="holds values of type",
    ),
    Written(
        "pyarrow",
        "dataset.write_dataset(partitioning='hive')",
        "parts",
        lambda path: pa.dataset.write_dataset(
            _with("half", pa.array(np.arange(M) // 20)),
            path,
            format="parquet",
            partitioning=["half"],
            partitioning_flavor="hive",
        ),
        "gaps",
        options={"ignore": ("half",)},
    ),
    *(
        Written(
            "pyarrow",
            f"feather.write_feather(compression='{codec}')",
            "t.arrow",
            lambda path, codec=codec: pa.feather.write_feather(ARROW, path, compression=codec),
            "gaps",
        )
        for codec in ("uncompressed", "lz4", "zstd")
    ),
    Written("pyarrow", "ipc.new_stream()", "t.arrows", lambda path: _stream(path), refused=UNKNOWN),
    Written("pyarrow", "orc.write_table()", "t.orc", lambda path: pa.orc.write_table(ARROW, path), refused=UNKNOWN),
    Written("pyarrow", "Table", "", lambda path: ARROW, "gaps"),
]


def _stream(path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, ARROW.schema) as writer:
        writer.write_table(ARROW)


def polars_table(*, has_gaps: bool = True) -> Any:
    import polars

    return polars.from_arrow(ARROW if has_gaps else pa.Table.from_pandas(TABLE))


def _polars_types(path: Path) -> None:
    import polars

    types = {"roof": polars.Categorical, "price": polars.Decimal(20, 3), "rooms": polars.UInt8}
    polars_table(has_gaps=False).cast(types).write_parquet(path)


POLARS = [
    Written("polars", "write_csv()", "t.csv", lambda path: polars_table(has_gaps=False).write_csv(path)),
    Written(
        "polars",
        "write_csv(separator=';')",
        "t.csv",
        lambda path: polars_table(has_gaps=False).write_csv(path, separator=";"),
    ),
    Written("polars", "write_parquet()", "t.parquet", lambda path: polars_table().write_parquet(path), "gaps"),
    Written("polars", "write_parquet() of Categorical, Decimal, UInt8", "t.parquet", _polars_types),
    Written("polars", "write_ipc()", "t.arrow", lambda path: polars_table().write_ipc(path), "gaps"),
    Written(
        "polars",
        "write_ipc(compression='zstd')",
        "t.arrow",
        lambda path: polars_table().write_ipc(path, compression="zstd"),
        "gaps",
    ),
    Written(
        "polars", "write_ipc_stream()", "t.arrows", lambda path: polars_table().write_ipc_stream(path), refused=UNKNOWN
    ),
    Written("polars", "write_ndjson()", "t.ndjson", lambda path: polars_table().write_ndjson(path), refused=UNKNOWN),
    Written("polars", "DataFrame", "", lambda path: polars_table(), "gaps"),
]


def _duckdb(query: str) -> Any:
    import duckdb

    connection = duckdb.connect()
    connection.register("whole", TABLE)
    return connection.sql(query) if not query.startswith("COPY") else connection.execute(query)


_TYPED = "SELECT area::DECIMAL(9, 2) AS area, rooms::UTINYINT AS rooms, roof, price::DECIMAL(18, 3) AS price FROM whole"
_HUGE = "SELECT area, rooms::HUGEINT AS rooms, roof, price FROM whole"
_DATED = "SELECT *, TIMESTAMP '2026-01-01' AS sold FROM whole"
_ENUM = "SELECT area, rooms, roof::ENUM('flat', 'none', 'tiles') AS roof, price FROM whole"
DUCKDB = [
    Written("duckdb", "COPY ... TO 't.csv'", "t.csv", lambda path: _duckdb(f"COPY whole TO '{path}' (HEADER)")),
    Written("duckdb", "COPY ... TO 't.parquet'", "t.parquet", lambda path: _duckdb(f"COPY whole TO '{path}'")),
    Written("duckdb", "COPY of DECIMAL", "t.parquet", lambda path: _duckdb(f"COPY ({_TYPED}) TO '{path}'")),
    Written("duckdb", "COPY of ENUM", "t.parquet", lambda path: _duckdb(f"COPY ({_ENUM}) TO '{path}'")),
    Written("duckdb", "COPY of HUGEINT", "t.parquet", lambda path: _duckdb(f"COPY ({_HUGE}) TO '{path}'")),
    Written(
        "duckdb",
        "COPY of TIMESTAMP",
        "t.parquet",
        lambda path: _duckdb(f"COPY ({_DATED}) TO '{path}'"),
        refused='dates = "parts"',
    ),
    Written("duckdb", "relation", "", lambda path: _duckdb("SELECT * FROM whole")),
    Written("duckdb", "relation.arrow()", "", lambda path: _duckdb(_TYPED).to_arrow_table()),
]

ARROWS = [*PYARROW, *POLARS, *DUCKDB]
