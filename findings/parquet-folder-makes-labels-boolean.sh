#!/usr/bin/env bash
# WHAT: reading a folder of Parquet files, pandas (pyarrow), DuckDB and fastparquet all take the schema of the first
#   file and cast the others to it, so integer labels 0, 1, 2, 3 become False and True without a word if the first
#   file's labels are boolean.
# WITH: pandas==3.1.1, pyarrow==25.0.1, duckdb==2.0.1, fastparquet==2026.9.0, polars==2.1.0, numpy==2.4.6; Python
#   3.11.7
# EXPECTED: files that disagree are refused, as polars does, or widened to integers; pyarrow's casts are checked by
#   default (a float with a fraction or a number out of range is an error), but every integer passes as a truth value.
# SEEN:
#   pandas, the folder: [False, True, False, True, True, True]
#   DuckDB: [False, True, False, True, True, True]
#   fastparquet: [False, True, False, True, True, True]
#   pandas, 2026 first: [0, 1, 2, 3, 0, 1]
#   polars: data type mismatch for column y: incoming: Int64 != target: Boolean
# MATTERS: a label that was yes/no last year and a grade from 0 to 3 this year gives a sweep two classes and a
#   splendid accuracy; with the files named in the other order there are four. Compare the schemas
#   (`pyarrow.parquet.read_schema`) of all files before you read them as one.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pandas==3.1.1 pyarrow==25.0.1 duckdb==2.0.1 fastparquet==2026.9.0 polars==2.1.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
import os
import warnings
import duckdb
import fastparquet
import pandas as pd
import polars as pl

warnings.simplefilter("ignore")
os.mkdir("patients")
pd.DataFrame({"y": [False, True]}).to_parquet("patients/2025.parquet")
pd.DataFrame({"y": [0, 1, 2, 3]}).to_parquet("patients/2026.parquet")
names = ["patients/2025.parquet", "patients/2026.parquet"]
seen = {
    "pandas, the folder": pd.read_parquet("patients")["y"].tolist(),
    "DuckDB": [y for y, in duckdb.sql("select y from 'patients/*.parquet' order by filename, file_row_number").fetchall()],
    "fastparquet": fastparquet.ParquetFile(names).to_pandas()["y"].tolist(),
    "pandas, 2026 first": pd.read_parquet(names[::-1])["y"].tolist(),
}
for reader, labels in seen.items():
    print(f"{reader}: {labels}")
try:
    print("polars:", pl.read_parquet("patients/*.parquet")["y"].to_list())
except pl.exceptions.SchemaError as error:
    print("polars:", str(error).splitlines()[0])
lost = [False, True, False, True, True, True]
for reader in ("pandas, the folder", "DuckDB", "fastparquet"):
    if seen[reader] != lost or not all(type(label) is bool for label in seen[reader]):
        raise SystemExit(f"changed: {reader} gives {seen[reader]}")
PROGRAM
