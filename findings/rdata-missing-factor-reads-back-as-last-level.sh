#!/usr/bin/env bash
# WHAT: the package rdata writes a missing value of a pandas categorical as factor code 0, and its own reader turns
#   code 0 into the last level: healthy, missing, sick, missing comes back as healthy, sick, sick, sick.
# WITH: rdata==1.1.0, pyreadr==0.5.8, pandas==3.1.1, numpy==2.4.6; Python 3.11.7
# EXPECTED: what write_rds writes, read_rds reads; a missing label stays missing, as it does when rdata reads a file
#   by another writer. pyreadr, which uses another library, finds the two missing values in the very same file.
# SEEN:
#   written:                            ['healthy', None, 'sick', None]
#   written by rdata, read by rdata:    ['healthy', 'sick', 'sick', 'sick']
#   written by rdata, read by pyreadr:  ['healthy', nan, 'sick', nan]
#   written by pyreadr, read by rdata:  ['healthy', nan, 'sick', nan]
# MATTERS: a label column that goes through an .rds file on its way to a sweep loses its missing values to whichever
#   class is last in the alphabet. Write the codes as nullable integers (Int64, which rdata does keep), or write with
#   pyreadr, and compare the number of missing values.
# SOURCE: rdata/conversion/to_r.py: the codes of a categorical are written as `data.codes + 1`, and pandas has -1 for
#   missing.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rdata==1.1.0 pyreadr==0.5.8 pandas==3.1.1 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
import pandas as pd
import pyreadr
import rdata

labels = ["healthy", None, "sick", None]
frame = pd.DataFrame({"y": pd.Categorical(labels)})
rdata.write_rds("labels.rds", frame)
by_rdata = rdata.read_rds("labels.rds")["y"].tolist()
by_pyreadr = pyreadr.read_r("labels.rds")[None]["y"].tolist()
pyreadr.write_rds("other.rds", frame)
other = rdata.read_rds("other.rds")["y"].tolist()
print("written:                           ", labels)
print("written by rdata, read by rdata:   ", by_rdata)
print("written by rdata, read by pyreadr: ", by_pyreadr)
print("written by pyreadr, read by rdata: ", other)
if by_rdata != ["healthy", "sick", "sick", "sick"] or pd.isna(by_pyreadr).tolist() != [False, True, False, True]:
    raise SystemExit(f"changed: rdata reads {by_rdata}, pyreadr reads {by_pyreadr}")
PROGRAM
