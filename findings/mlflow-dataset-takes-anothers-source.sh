#!/usr/bin/env bash
# WHAT: MLflow's digest of a NumPy data set looks at its first 10,000 numbers (13 images of 28 x 28), and a run that logs a set of a
#   known name and digest is recorded with the source of the older set.
# WITH: mlflow-skinny==3.17.2, SQLAlchemy==2.1.9, alembic==1.20.1, numpy==2.4.6, pandas==3.1.1, scipy==1.17.1; Python 3.11.7
# EXPECTED: a digest of the content, or at least the source that this run gave: log_input is there to say what a model was trained on.
# SEEN:
#   run on v1: mean 0.500126, recorded digest and source: e596b3d4 http://127.0.0.1/digits-v1.h5
#   run on v2: mean 0.334192, recorded digest and source: e596b3d4 http://127.0.0.1/digits-v1.h5
# MATTERS: Mend labels or images after the first few examples, run the sweep again, and MLflow says that both sweeps trained on the same
#   data from the old file; a search by digest finds both. Give from_numpy a digest of all bytes: digest=sha256(...).hexdigest()[:36].
# SOURCE: mlflow/mlflow, mlflow/data/digest_utils.py (MAX_ROWS, applied to the flattened array); issues 11560 (open) and 22275.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2 SQLAlchemy==2.1.9 alembic==1.20.1 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
import json
import logging
import warnings

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")
import mlflow
import numpy as np
from mlflow.data.http_dataset_source import HTTPDatasetSource

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("sweep")
images = np.random.default_rng(0).random((3000, 784))
mended = images.copy()
mended[13:] = mended[13:] ** 2  # all but the first 13 of 3,000 images
recorded = {}
for version, X in {"v1": images, "v2": mended}.items():
    source = HTTPDatasetSource(f"http://127.0.0.1/digits-{version}.h5")
    dataset = mlflow.data.from_numpy(X, source=source, name="digits")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training")
    entry = mlflow.get_run(run.info.run_id).inputs.dataset_inputs[0].dataset
    recorded[version] = entry.digest, json.loads(entry.source)["url"]
    print(f"run on {version}: mean {X.mean():.6f}, recorded digest and source:", *recorded[version])

if recorded["v1"] != recorded["v2"] or not recorded["v2"][1].endswith("v1.h5"):
    raise SystemExit("changed: the second data set is told from the first")
PROGRAM
