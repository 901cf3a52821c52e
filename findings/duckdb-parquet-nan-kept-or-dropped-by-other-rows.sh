#!/usr/bin/env bash
# WHAT: DuckDB's `x between 0 and 100` over a Parquet file written by pyarrow keeps the rows where x is NaN if no
#   other value of the file exceeds 100, and drops them if one does; even `not isnan(x)` keeps NaN, and `x > 100`
#   finds or misses it depending on the row groups.
# WITH: duckdb==2.0.1, pyarrow==25.0.1, numpy==2.4.6; Python 3.11.7
# EXPECTED: whether a row satisfies a condition depends on that row alone. DuckDB documents that NaN is greater than
#   every number, so it lies never between 0 and 100 and is always above 100, as the same query answers for the same
#   table in memory (SEEN: numbers of the rows, NaN is row 1).
# SEEN:
#   x between 0 and 100, 4 rows in groups of 8: Parquet [0, 1, 2, 3], memory [0, 2, 3]
#   x between 0 and 100, 8 rows in groups of 8: Parquet [0, 2, 3, 4, 5, 6], memory [0, 2, 3, 4, 5, 6]
#   not isnan(x), 8 rows in groups of 8: Parquet [0, 1, 2, 3, 4, 5, 6, 7], memory [0, 2, 3, 4, 5, 6, 7]
#   isfinite(x), 8 rows in groups of 8: Parquet [0, 2, 3, 4, 5, 6, 7], memory [0, 2, 3, 4, 5, 6, 7]
#   x > 100, 8 rows in groups of 8: Parquet [1, 7], memory [1, 7]
#   x > 100, 8 rows in groups of 4: Parquet [7], memory [1, 7]
# MATTERS: the usual query that cleans a table before a sweep lets NaN into the training set of one export and not of
#   the next (the cost is NaN, every trial fails), and counts of outliers change with the writer's row group size.
#   `isfinite(x)` works; so do NULL instead of NaN, `PRAGMA disable_optimizer`, and selecting in pandas or polars.
# SOURCE: duckdb/duckdb issue #25521: Parquet statistics leave NaN out, and the optimizer takes their minimum and
#   maximum for those of all values.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet duckdb==2.0.1 pyarrow==25.0.1 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

WITHIN, ABOVE, KNOWN = "x between 0 and 100", "x > 100", "not isnan(x)"

def rows(condition, values, row_group_size):
    examples = pa.table({"row": range(len(values)), "x": np.array(values)})
    pq.write_table(examples, "examples.parquet", row_group_size=row_group_size)
    query = "select row from {} where " + condition + " order by row"
    in_file = [row for row, in duckdb.sql(query.format("'examples.parquet'")).fetchall()]
    in_memory = [row for row, in duckdb.sql(query.format("examples")).fetchall()]
    return in_file, in_memory

calm = [1.0, np.nan, 3.0, 4.0]
wild = calm + [5.0, 6.0, 7.0, 150.0]
cases = [
    (WITHIN, calm, 8, ([0, 1, 2, 3], [0, 2, 3])),
    (WITHIN, wild, 8, ([0, 2, 3, 4, 5, 6], [0, 2, 3, 4, 5, 6])),
    (KNOWN, wild, 8, ([0, 1, 2, 3, 4, 5, 6, 7], [0, 2, 3, 4, 5, 6, 7])),
    ("isfinite(x)", wild, 8, ([0, 2, 3, 4, 5, 6, 7], [0, 2, 3, 4, 5, 6, 7])),
    (ABOVE, wild, 8, ([1, 7], [1, 7])),
    (ABOVE, wild, 4, ([7], [1, 7])),
]
for condition, values, size, expected in cases:
    seen = rows(condition, values, size)
    print(f"{condition}, {len(values)} rows in groups of {size}: Parquet {seen[0]}, memory {seen[1]}")
    if seen != expected:
        raise SystemExit(f"changed: {condition} over {len(values)} rows in groups of {size} gives {seen}")
PROGRAM
