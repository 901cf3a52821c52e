#!/usr/bin/env bash
# WHAT: if one id in the first column of a CSV begins with #, as in #15 among 14 and 16, DuckDB decides by itself that
#   # starts a comment and leaves that row out, with no error and no entry among the rejected lines.
# WITH: duckdb==2.0.1, pandas==3.1.1, polars==2.1.0, pyarrow==25.0.1, numpy==2.4.6; Python 3.11.7
# EXPECTED: all rows are read and the column is text, as pandas, polars and pyarrow do; its documentation on
#   auto-detection names delimiter, quoting, types and header, not comments. If the other ids are text (a15), DuckDB
#   itself keeps the row.
# SEEN:
#   20 rows, one id is #15:           {'pandas': 20, 'polars': 20, 'pyarrow': 20, 'DuckDB': 19, "DuckDB's rejects": 0, "DuckDB, comment=''": 20}
#   20 rows, every second id has a #: {'pandas': 20, 'polars': 20, 'pyarrow': 20, 'DuckDB': 10, "DuckDB's rejects": 0, "DuckDB, comment=''": 20}
#   20 rows, other ids are a0, a1 ...: {'pandas': 20, 'polars': 20, 'pyarrow': 20, 'DuckDB': 20, "DuckDB's rejects": 0, "DuckDB, comment=''": 20}
# MATTERS: a CSV that is turned into Parquet with DuckDB before a sweep has fewer examples than before, and the
#   missing ones are not random (flat #15, ticket #15: rows that somebody typed by hand). Write `read_csv(name,
#   comment = '')` and compare the number of rows.
# SOURCE: duckdb/duckdb pull request #13162 added the sniffing of #; `sniff_csv` shows the choice in its column
#   Comment.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet duckdb==2.0.1 pandas==3.1.1 polars==2.1.0 pyarrow==25.0.1 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
import duckdb
import pandas as pd
import polars as pl
import pyarrow.csv

def flats(ids):
    with open("flats.csv", "w") as file:
        file.write("flat,area,sold\n" + "".join(f"{flat},{50 + n},{n % 2}\n" for n, flat in enumerate(ids)))
    strict = duckdb.sql("select * from read_csv('flats.csv', comment = '')")
    duckdb.sql("select * from read_csv('flats.csv', store_rejects = true)").fetchall()
    return {
        "pandas": len(pd.read_csv("flats.csv")),
        "polars": pl.read_csv("flats.csv", infer_schema=False).height,
        "pyarrow": pyarrow.csv.read_csv("flats.csv").num_rows,
        "DuckDB": len(duckdb.sql("select * from 'flats.csv'").fetchall()),
        "DuckDB's rejects": len(duckdb.sql("select * from reject_errors").fetchall()),
        "DuckDB, comment=''": len(strict.fetchall()),
    }

one = flats([str(n) if n != 15 else "#15" for n in range(20)])
half = flats([str(n) if n % 2 == 0 else f"#{n}" for n in range(20)])
text = flats([f"a{n}" if n != 15 else "#15" for n in range(20)])
print("20 rows, one id is #15:          ", one)
print("20 rows, every second id has a #:", half)
print("20 rows, other ids are a0, a1 ...:", text)
if (one["DuckDB"], half["DuckDB"], text["DuckDB"], one["pandas"]) != (19, 10, 20, 20):
    raise SystemExit(f"changed: DuckDB reads {one['DuckDB']}, {half['DuckDB']} and {text['DuckDB']} of 20 rows")
PROGRAM
