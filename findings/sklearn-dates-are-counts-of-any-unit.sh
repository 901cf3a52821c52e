#!/usr/bin/env bash
# WHAT: scikit-learn turns a datetime column into the bare count of whatever unit the column has, so equal dates from
#   CSV (microseconds in pandas 3) and from Parquet (milliseconds) become different features, and a missing date
#   becomes the finite number -9.2e18, which no check for missing values sees.
# WITH: scikit-learn==1.9.1, pandas==3.1.1, pyarrow==25.0.1, numpy==2.4.6, scipy==1.17.1; Python 3.11.7
# EXPECTED: tables that pandas calls equal are scaled equally, and a missing date is refused (`Input contains NaN`) as
#   a missing number is, or at least becomes NaN.
# SEEN:
#   types: datetime64[us] and datetime64[ms] - all dates equal: True
#   fitted on CSV, transformed CSV:     [-1.225, 0.001, 1.224]
#   fitted on CSV, transformed Parquet: [-62.358, -62.357, -62.355]
#   with a missing date:                [0.577, 0.577, 0.577, -1.732]
# MATTERS: an estimator tuned on a CSV predicts from the nightly Parquet export as if every date lay decades back, and
#   one empty date squeezes all others into one value; neither raises. Make numbers of dates yourself, with a fixed
#   unit and NaN: `(d - origin) / pandas.Timedelta(days=1)`.
# SOURCE: sklearn/utils/validation.py, `check_array`: the array is converted to float before `_assert_all_finite`
#   looks at it. scikit-learn/scikit-learn issue #10590 asks what happens to dates.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-learn==1.9.1 pandas==3.1.1 pyarrow==25.0.1 numpy==2.4.6 scipy==1.17.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
import io
import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from_csv = pd.read_csv(io.StringIO("visit\n2020-01-01\n2021-01-01\n2022-01-01\n"), parse_dates=["visit"])
from_csv.astype("datetime64[ms]").to_parquet("visits.parquet")
from_parquet = pd.read_parquet("visits.parquet")
scaler = StandardScaler().fit(from_csv)
csv, parquet = scaler.transform(from_csv).ravel(), scaler.transform(from_parquet).ravel()
print("types:", from_csv["visit"].dtype, "and", from_parquet["visit"].dtype, "- all dates equal:", bool((from_csv == from_parquet).all(axis=None)))
print("fitted on CSV, transformed CSV:    ", csv.round(3).tolist())
print("fitted on CSV, transformed Parquet:", parquet.round(3).tolist())
missing = pd.DataFrame({"visit": pd.to_datetime(["2020-01-01", "2021-01-01", "2022-01-01", None])})
scaled = StandardScaler().fit_transform(missing).ravel()
print("with a missing date:               ", scaled.round(3).tolist())
if np.allclose(csv, parquet) or np.isnan(scaled).any():
    raise SystemExit("changed: dates are no longer counts of their own unit, or a missing date is NaN now")
PROGRAM
