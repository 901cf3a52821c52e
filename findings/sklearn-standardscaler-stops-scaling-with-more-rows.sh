#!/usr/bin/env bash
# WHAT: StandardScaler leaves a column unscaled, with scale_ = 1, once it has enough rows: milliseconds since 1970 that
#   span half a second are scaled to deviation 1 in a thousand rows, and keep their deviation of 144 when each of these
#   rows is there a thousand times.
# WITH: scikit-learn==1.9.1, numpy==2.4.6, scipy==1.17.1; Python 3.11.7
# EXPECTED: equal shares of equal values have the same mean and deviation, so the same scaling, to rounding.
# SEEN:
#   rows: 1000      deviation as numpy has it: 144.3   scale_: 144.3   after scaling: 1.0
#   rows: 1000000   deviation as numpy has it: 144.3   scale_: 1.0     after scaling: 144.3
# MATTERS: a network or a linear model with a penalty that worked on a sample meets inputs in the hundreds on the whole
#   table, and in the hundreds of thousands where they are nanoseconds; nothing is said. All values here are whole
#   numbers far below 2**53. Subtract the first value yourself before scaling.
# SOURCE: sklearn/preprocessing/_data.py, `_is_constant_feature`: constant is what has a variance below
#   n eps var + (n mean eps)^2, an upper bound of rounding errors that grows with the rows (scikit-learn/scikit-learn
#   pull request #19788).
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
import numpy as np
from sklearn.preprocessing import StandardScaler

sample = 1_700_000_000_000 + np.arange(1000) // 2  # milliseconds since 1970, of half a second
scales = []
for column in (sample, np.tile(sample, 1000)):
    rows = column[:, np.newaxis].astype(float)
    scaler = StandardScaler().fit(rows)
    scales.append(scaler.scale_[0])
    print(f"rows: {len(rows):<9} deviation as numpy has it: {rows.std():.1f}   scale_: {scales[-1]:<7.1f} after scaling: {scaler.transform(rows).std():.1f}")
if np.isclose(*scales):
    raise SystemExit("changed: the number of rows no longer decides whether a column is scaled")
PROGRAM
