#!/usr/bin/env bash
# WHAT: One process opens an MLflow store and a copy of it (database and artifact folder copied, addresses in the copy rewritten): what the
#   second client logs is written into the first store, because clients share a cache of artifact places by run id alone. It downloads from
#   its own, so it does not even find what it has just logged.
# WITH: mlflow-skinny==3.17.2, SQLAlchemy==2.1.9, alembic==1.20.1; Python 3.11.7
# EXPECTED: MlflowClient(tracking_uri) answers for that store; its own get_run gives the right artifact_uri of the copy.
# SEEN:
#   the copy's client says that its artifacts are in copy/artifacts/0
#   it logged note.txt into original/artifacts/0
#   it downloaded the text "of the copy", and of note.txt it got MlflowException
# MATTERS: A script that goes on with a copy, a migration, or tests that copy a prepared store write into the original without an error.
#   A process for each store, or clearing mlflow.tracking._tracking_service.utils._artifact_repos_cache, helps.
# SOURCE: mlflow/mlflow, mlflow/tracking/_tracking_service/client.py, _get_artifact_repo (looked up by resource_id, not by tracking_uri).
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2 SQLAlchemy==2.1.9 alembic==1.20.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
import logging
import shutil
import sqlite3
from pathlib import Path

logging.disable(logging.WARNING)
from mlflow import MlflowClient

here = Path.cwd()
original, copy = here / "original", here / "copy"
original.mkdir()
first = MlflowClient(f"sqlite:///{original}/mlflow.db")
experiment = first.create_experiment("sweep", artifact_location=(original / "artifacts" / "0").as_uri())
run = first.create_run(experiment).info.run_id
first.log_text(run, "of the original", "weights.txt")

shutil.copytree(original, copy)
with sqlite3.connect(copy / "mlflow.db") as database:
    for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
        database.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (original.as_uri(), copy.as_uri()))
next((copy / "artifacts").rglob("weights.txt")).write_text("of the copy")

second = MlflowClient(f"sqlite:///{copy}/mlflow.db")
said = second.get_run(run).info.artifact_uri
print("the copy's client says that its artifacts are in", Path(said.removeprefix("file://")).relative_to(here).parts[0] + "/artifacts/0")
second.log_text(run, "new", "note.txt")
(note,) = here.glob("*/artifacts/**/note.txt")
print("it logged note.txt into", note.relative_to(here).parts[0] + "/artifacts/0")
text = Path(second.download_artifacts(run, "weights.txt")).read_text()
try:
    found = Path(second.download_artifacts(run, "note.txt")).read_text()
except Exception as error:
    found = type(error).__name__
print(f'it downloaded the text "{text}", and of note.txt it got {found}')
if copy.as_uri() not in said or note.is_relative_to(copy):
    raise SystemExit("changed: a client logs into its own store")
PROGRAM
