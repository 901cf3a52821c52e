#!/usr/bin/env bash
# WHAT: load_svmlight_file guesses for each file whether columns count from 0 or from 1. Of two files of one writer the
#   one in which no row has a value in column 0 is read one column to the left, also where n_features is given.
# WITH: scikit-learn==1.9.1, numpy==2.4.6, scipy==1.17.1; Python 3.11.7
# EXPECTED: that n_features, which is there so that files of one data set fit, makes them fit.
# SEEN:
#   train.svm row: [0.5 2.  0.  3. ]   as written: [0.5 2.  0.  3. ]
#   test.svm row:  [2. 0. 3. 0.]       as written: [0.  2.  0.  3. ]
# MATTERS: A sparse column, a rare word, is easily absent from a test file: every model is then scored on shifted columns,
#   which looks like a model that does not generalize. Say zero_based=True or False, or read all files in one call of
#   load_svmlight_files, which guesses once.
# SOURCE: sklearn/datasets/_svmlight_format_io.py, `load_svmlight_files`: "auto" looks at the lowest index in the files of
#   the call.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
import numpy as np
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

written = {"train.svm": np.array([[0.5, 2.0, 0.0, 3.0]]), "test.svm": np.array([[0.0, 2.0, 0.0, 3.0]])}
read = {}
for name, X in written.items():
    dump_svmlight_file(X, [1], name)
    read[name] = load_svmlight_file(name, n_features=4)[0].toarray()
    print(f"{name + ' row:':<14} {str(read[name][0]):<19} as written: {X[0]}")
if not np.array_equal(read["train.svm"], written["train.svm"]):
    raise SystemExit("changed: the train file is read in another way")
if np.array_equal(read["test.svm"], written["test.svm"]):
    raise SystemExit("changed: the test file is read as it was written")
PROGRAM
