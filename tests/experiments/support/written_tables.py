"""Tables as Python, pandas and the writers of Excel and ARFF write them; `written_arrow.py` has those of Arrow."""

from __future__ import annotations

import bz2
import csv
import gzip
import lzma
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tests.experiments.support.written import GAPS, TABLE, M, Written
from tests.experiments.support.written_arrow import ARROWS, polars_table

TEXT = TABLE.to_csv(index=False)
UNKNOWN = "is of a known format"
DAYS = pd.date_range("2026-01-01", periods=M, freq="7h")


def _python_csv(path: Path, *dialect: Any, **how: Any) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, *dialect, **how).writerows([list(TABLE), *TABLE.itertuples(index=False)])


def _zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("t.csv", TEXT)


def _zst(path: Path) -> None:
    with pa.output_stream(str(path), compression="zstd") as file:
        file.write(TEXT.encode())


PYTHON = [
    Written("Python", "csv.writer(dialect='excel')", "t.csv", lambda path: _python_csv(path)),
    Written("Python", "csv.writer(dialect='excel-tab')", "t.csv", lambda path: _python_csv(path, "excel-tab")),
    Written("Python", "csv.writer(dialect='unix')", "t.csv", lambda path: _python_csv(path, "unix")),
    Written("Python", "csv.writer(delimiter='|')", "t.csv", lambda path: _python_csv(path, delimiter="|")),
    Written("Python", "gzip", "t.csv.gz", lambda path: path.write_bytes(gzip.compress(TEXT.encode()))),
    Written("Python", "bz2", "t.csv.bz2", lambda path: path.write_bytes(bz2.compress(TEXT.encode())), refused=UNKNOWN),
    Written("Python", "lzma", "t.csv.xz", lambda path: path.write_bytes(lzma.compress(TEXT.encode())), refused=UNKNOWN),
    Written("Python", "zipfile of a CSV", "t.zip", _zipped, refused=UNKNOWN),
]

PANDAS = [
    Written("pandas", "to_csv(index=False)", "t.csv", lambda path: GAPS.to_csv(path, index=False), "gaps"),
    Written("pandas", "to_csv() with its index", "t.csv", lambda path: TABLE.to_csv(path), refused="has no name"),
    Written(
        "pandas",
        "to_csv(sep=';', decimal=',')",
        "t.csv",
        lambda path: GAPS.to_csv(path, index=False, sep=";", decimal=","),
        "gaps",
    ),
    Written("pandas", "to_csv(na_rep='?')", "t.csv", lambda path: GAPS.to_csv(path, index=False, na_rep="?"), "gaps"),
    Written(
        "pandas",
        "to_csv(encoding='utf-16')",
        "t.csv",
        lambda path: TABLE.to_csv(path, index=False, encoding="utf-16"),
        refused="not UTF-8",
    ),
    Written("pandas", "to_csv('t.csv.zst')", "t.csv.zst", _zst),
    Written(
        "pandas",
        "to_csv(header=False)",
        "t.csv",
        lambda path: TABLE.to_csv(path, index=False, header=False),
        options={"header": False, "names": tuple(TABLE)},
    ),
    Written("pandas", "to_parquet()", "t.parquet", lambda path: GAPS.to_parquet(path), "gaps"),
    Written(
        "pandas",
        "to_parquet() with an index of its own",
        "t.parquet",
        lambda path: GAPS.set_axis(DAYS, axis="index").to_parquet(path),
        "gaps",
    ),
    Written(
        "pandas",
        "to_parquet() of categories",
        "t.parquet",
        lambda path: TABLE.astype({"roof": "category"}).to_parquet(path),
    ),
    Written(
        "pandas",
        "to_parquet() of nullable types",
        "t.parquet",
        lambda path: GAPS.convert_dtypes().to_parquet(path),
        "gaps",
    ),
    Written("pandas", "to_parquet() of text", "t.parquet", lambda path: TABLE.astype(str).to_parquet(path)),
    Written(
        "pandas",
        "to_parquet(partition_cols=...)",
        "parts",
        lambda path: TABLE.assign(half=np.arange(M) // 20).to_parquet(path, partition_cols=["half"]),
        options={"ignore": ("half",)},
    ),
    Written(
        "pandas",
        "to_parquet() of dates",
        "t.parquet",
        lambda path: TABLE.assign(sold=DAYS).to_parquet(path),
        refused='dates = "parts"',
    ),
    Written("pandas", "to_feather()", "t.feather", lambda path: GAPS.to_feather(path), "gaps"),
    Written("pandas", "to_json()", "t.json", lambda path: TABLE.to_json(path), refused=UNKNOWN),
    Written("pandas", "to_pickle()", "t.pkl", lambda path: TABLE.to_pickle(path), refused=UNKNOWN),
    Written("pandas", "to_stata()", "t.dta", lambda path: TABLE.to_stata(path), refused=UNKNOWN),
    Written("pandas", "DataFrame", "", lambda path: GAPS.copy(), "gaps"),
    Written(
        "pandas", "DataFrame of Arrow's types", "", lambda path: GAPS.convert_dtypes(dtype_backend="pyarrow"), "gaps"
    ),
]


def _sheets(path: Path, second: bool = False, date: bool = False) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    for row in [list(TABLE), *TABLE.itertuples(index=False)]:
        sheet.append([getattr(value, "item", lambda value=value: value)() for value in row])
    if second:
        book.create_sheet("notes").append(["exported today"])
    if date:
        for number, day in enumerate(DAYS, 2):
            sheet.cell(number, 5, day.to_pydatetime())
        sheet.cell(1, 5, "sold")
    book.save(path)


EXCEL = [
    Written("openpyxl", "Workbook of one sheet", "t.xlsx", _sheets),
    Written(
        "openpyxl",
        "Workbook of two sheets",
        "t.xlsx",
        lambda path: _sheets(path, second=True),
        refused="2 of its sheets",
    ),
    Written(
        "openpyxl", "Workbook with dates", "t.xlsx", lambda path: _sheets(path, date=True), refused='dates = "parts"'
    ),
    Written(
        "openpyxl", "DataFrame.to_excel(index=False)", "t.xlsx", lambda path: GAPS.to_excel(path, index=False), "gaps"
    ),
    Written(
        "openpyxl",
        "DataFrame.to_excel() with its index",
        "t.xlsx",
        lambda path: TABLE.to_excel(path),
        refused="has no name",
    ),
    Written(
        "xlsxwriter",
        "DataFrame.to_excel()",
        "t.xlsx",
        lambda path: GAPS.to_excel(path, index=False, engine="xlsxwriter"),
        "gaps",
    ),
    Written(
        "xlsxwriter", "polars' write_excel()", "t.xlsx", lambda path: polars_table(has_gaps=False).write_excel(path)
    ),
]


def _fastparquet(path: Path, **how: Any) -> None:
    import fastparquet

    fastparquet.write(str(path), TABLE.astype({"roof": object}), **how)


def _liac(path: Path) -> None:
    import arff

    kinds = ["REAL", "INTEGER", ["flat", "none", "tiles"], "REAL"]
    rows = [[None if value != value else value for value in row] for row in GAPS.itertuples(index=False)]
    described = {"relation": "t", "attributes": list(zip(GAPS, kinds, strict=True)), "data": rows}
    path.write_text(arff.dumps(described))


OTHERS = [
    Written("fastparquet", "write()", "t.parquet", _fastparquet),
    Written(
        "fastparquet", "write(compression='GZIP')", "t.parquet", lambda path: _fastparquet(path, compression="GZIP")
    ),
    Written("liac-arff", "dumps()", "t.arff", _liac, "gaps"),
]

TABLES = [*PYTHON, *PANDAS, *ARROWS, *EXCEL, *OTHERS]
