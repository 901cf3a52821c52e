#!/usr/bin/env bash
# WHAT: numpy.percentile of an int8, int16, int32 or int64 array subtracts neighbouring values in the array's own type
#   before it interpolates, so the median of [-30000, -29000, 29000, 30000] is 32768, and pandas shows the same in
#   describe(); neither warns (only a single percentile of a single column does).
# WITH: numpy==2.4.6, pandas==3.1.1; Python 3.11.7
# EXPECTED: a quantile lies between the minimum and the maximum, and percentiles do not decrease; the documentation
#   promises float64 for integer input, and numpy.median, which averages in float64, is right.
# SEEN:
#   percentiles 0, 25, 50, 75, 100 of int16: [-30000.0, -29250.0, 32768.0, 29250.0, 30000.0]
#   the same numbers as float64:             [-30000.0, -29250.0, 0.0, 29250.0, 30000.0]
#   numpy.median of int16: 0.0
#   pandas describe() of int16: {'mean': 0.0, 'min': -30000.0, '50%': 32768.0, 'max': 30000.0}
#   half way between -2e9 and 2e9 of int32: [2147483648.0]
# MATTERS: recordings (ECG, sound, counts of an AD converter) are stored in HDF5 as int16; medians to fill gaps,
#   clipping at the 1st and 99th percentile or a described feature are then silently wrong where two neighbours in the
#   order lie far apart. Call `.astype(float)` before any quantile.
# SOURCE: numpy/numpy issue #29315 and the open pull request #30376; `_lerp` in numpy/lib/_function_base_impl.py.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 pandas==3.1.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
import numpy as np
import pandas as pd

samples = np.array([-30000, -29000, 29000, 30000], dtype=np.int16)
q = [0, 25, 50, 75, 100]
as_int16, as_float = np.percentile(samples, q).tolist(), np.percentile(samples.astype(float), q).tolist()
described = pd.DataFrame({"ecg": samples}).describe()["ecg"][["mean", "min", "50%", "max"]].to_dict()
print("percentiles 0, 25, 50, 75, 100 of int16:", as_int16)
print("the same numbers as float64:            ", as_float)
print("numpy.median of int16:", np.median(samples))
print("pandas describe() of int16:", described)
far = np.array([-2_000_000_000, 2_000_000_000], dtype=np.int32)
print("half way between -2e9 and 2e9 of int32:", np.percentile(far, [50]).tolist())
if not (as_int16[2] == described["50%"] == 32768.0 and np.median(samples) == 0.0 and as_float[2] == 0.0):
    raise SystemExit("changed: the 50th percentile of int16 values is now " + str(as_int16[2]))
PROGRAM
