#!/usr/bin/env bash
# WHAT: xarray.concat keeps the first file's packing (int16 with scale_factor and add_offset) for the whole, and
#   to_netcdf then wraps every value the first file's range does not hold to the other end of it: 10.5 is read back as
#   -0.42.
# WITH: xarray==2026.9.0, netCDF4==1.7.5.1.post1, pandas==3.1.1, numpy==2.4.6; Python 3.11.7
# EXPECTED: what is written is read back within the packing's precision, or an overflow is an error or a warning; the
#   concatenated values in memory are right, and nothing says that the numbers on disk are sixteen-bit ones with the
#   range of a part.
# SEEN:
#   joined:           [0.0, 2.5, 5.0, 7.5, 10.0, 8.0, 10.5, 13.0, 15.5, 18.0]
#   saved and loaded: [0.0, 2.5, 5.0, 7.5, 10.0, 8.0, -0.42, 2.08, 4.58, 7.08]
#   drop_encoding():  [0.0, 2.5, 5.0, 7.5, 10.0, 8.0, 10.5, 13.0, 15.5, 18.0]
# MATTERS: features of several months, each packed to its own range as weather centres did for years, are joined once
#   and saved for training: the last months are wrong by a whole range, and plausible. Call `.drop_encoding()` before
#   `.to_netcdf()`, or give the encoding yourself.
# SOURCE: pydata/xarray issues #5739, #4282 and #8135, all closed; the values wrap where floats are cast to the packed
#   integer type.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet xarray==2026.9.0 netCDF4==1.7.5.1.post1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
import warnings
import numpy as np
import xarray as xr

warnings.simplefilter("error", RuntimeWarning)
for month, low in (("january", 0.0), ("july", 8.0)):
    packing = {"dtype": "int16", "scale_factor": 10 / 60000, "add_offset": low + 5, "_FillValue": -32768}
    values = xr.Dataset({"temperature": ("day", np.linspace(low, low + 10, 5))})
    values.to_netcdf(month + ".nc", encoding={"temperature": packing})
year = xr.concat([xr.load_dataset("january.nc"), xr.load_dataset("july.nc")], dim="day")
year.to_netcdf("year.nc")
before, after = year["temperature"].values, xr.load_dataset("year.nc")["temperature"].values
print("joined:          ", before.round(2).tolist())
print("saved and loaded:", after.round(2).tolist())
year.drop_encoding().to_netcdf("year_as_floats.nc")
floats = xr.load_dataset("year_as_floats.nc")["temperature"].values
print("drop_encoding(): ", floats.round(2).tolist())
if np.abs(before - after).max() < 10 or not np.allclose(before, floats):
    raise SystemExit("changed: saved and loaded, the values are now " + str(after.tolist()))
PROGRAM
