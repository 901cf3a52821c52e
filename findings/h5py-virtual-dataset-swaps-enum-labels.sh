#!/usr/bin/env bash
# WHAT: a virtual dataset of two HDF5 files whose enumerated labels number the same names differently gives h5py the
#   raw codes of each file under the names of one: benign and malignant change places in the second file.
# WITH: h5py==3.16.0, numpy==2.4.6; Python 3.11.7
# EXPECTED: HDF5 matches the members of two enumerated types by name when it converts, so the virtual dataset hands
#   out codes of its own type; the same library does so if it is asked to read with the dataset's own type through
#   h5py's low-level interface.
# SEEN:
#   site a:           ['benign', 'benign', 'malignant']
#   site b:           ['benign', 'benign', 'malignant']
#   both, y[...]:      ['benign', 'benign', 'malignant', 'malignant', 'malignant', 'benign']
#   both, y.id.read(): ['benign', 'benign', 'malignant', 'benign', 'benign', 'malignant']
# MATTERS: labels of two sites are joined with h5py.VirtualLayout without a copy, and half of the training labels are
#   inverted although dtype and names look right; copying with `joined[...] = site[...]` inverts them too. Compare
#   `h5py.check_enum_dtype` of every source first, or map names to codes by hand.
# SOURCE: h5py/_hl/dataset.py, `Dataset.__getitem__`: the type in memory is made by `h5t.py_create(new_dtype)`, a
#   plain integer.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet h5py==3.16.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
import h5py
import numpy as np

first = h5py.enum_dtype({"benign": 0, "malignant": 1}, "i1")
second = h5py.enum_dtype({"malignant": 0, "benign": 1}, "i1")
layout = h5py.VirtualLayout((6,), first)
for place, (site, kind, codes) in enumerate([("a", first, [0, 0, 1]), ("b", second, [1, 1, 0])]):
    with h5py.File(f"site_{site}.h5", "w") as file:
        file.create_dataset("y", data=np.array(codes, "i1"), dtype=kind)
    layout[3 * place:3 * place + 3] = h5py.VirtualSource(f"site_{site}.h5", "y", (3,), kind)
    name_of = {code: name for name, code in h5py.check_enum_dtype(np.dtype(kind)).items()}
    print(f"site {site}:          ", [name_of[code] for code in codes])
with h5py.File("both.h5", "w") as file:
    file.create_virtual_dataset("y", layout)
with h5py.File("both.h5") as file:
    y = file["y"]
    name_of = {code: name for name, code in h5py.check_enum_dtype(y.dtype).items()}
    high, low = y[...].tolist(), np.empty(6, "i1")
    y.id.read(h5py.h5s.ALL, h5py.h5s.ALL, low, mtype=y.id.get_type())
print("both, y[...]:     ", [name_of[code] for code in high])
print("both, y.id.read():", [name_of[code] for code in low.tolist()])
if high != [0, 0, 1, 1, 1, 0] or low.tolist() != [0, 0, 1, 0, 0, 1]:
    raise SystemExit(f"changed: y[...] gives {high}, y.id.read() gives {low.tolist()}")
PROGRAM
