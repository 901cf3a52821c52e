#!/usr/bin/env bash
# WHAT: DuckDB's fetchnumpy() returns a masked array with a zero below each NULL, and scikit-learn, numpy.savez and
#   h5py drop the mask without a word, so rows whose label is NULL are trained on as class 0.
# WITH: duckdb==2.0.1, scikit-learn==1.9.1, h5py==3.16.0, numpy==2.4.6, scipy==1.17.1; Python 3.11.7
# EXPECTED: a missing label stays missing or is refused: scikit-learn refuses None, NaN and pandas.NA in y, and
#   numpy.unique honours the mask. A class that is nowhere in the data (the labels are 1 and 2) does not appear.
# SEEN:
#   labels from DuckDB:    [-- 1 1 -- 1 1 -- 2 2 -- 2 2]
#   numpy.unique:          [1 2 --]
#   classes scikit-learn:  [0 1 2]
#   labels in NPZ:         [0 1 1 0 1 1 0 2 2 0 2 2]
#   labels in HDF5:        [0 1 1 0 1 1 0 2 2 0 2 2]
# MATTERS: data taken from DuckDB straight into HDF5, NPZ or an estimator has one class more, or a class 0 that is too
#   large, and nothing tells that it is the unlabelled rows. Add `where y is not null`, or check
#   `numpy.ma.is_masked(y)` before anything is stored or fitted.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet duckdb==2.0.1 scikit-learn==1.9.1 h5py==3.16.0 numpy==2.4.6 scipy==1.17.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
import duckdb
import h5py
import numpy as np
from sklearn.linear_model import LogisticRegression

table = duckdb.sql("""select i::double as x, case when i % 3 = 0 then null when i < 6 then 1 else 2 end as y
                      from range(12) t(i) order by i""").fetchnumpy()
x, y = table["x"].reshape(-1, 1), table["y"]
model = LogisticRegression().fit(x, y)
np.savez("data.npz", y=y)
with h5py.File("data.h5", "w") as file:
    file["y"] = y
    hdf5 = file["y"][...]
print("labels from DuckDB:   ", y)
print("numpy.unique:         ", np.unique(y))
print("classes scikit-learn: ", model.classes_)
print("labels in NPZ:        ", np.load("data.npz")["y"])
print("labels in HDF5:       ", hdf5)
if model.classes_.tolist() != [0, 1, 2] or hdf5.tolist() != [0, 1, 1, 0, 1, 1, 0, 2, 2, 0, 2, 2]:
    raise SystemExit(f"changed: classes {model.classes_.tolist()}, labels in HDF5 {hdf5.tolist()}")
PROGRAM
