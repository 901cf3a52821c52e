#!/usr/bin/env bash
# WHAT: Of values of one metric with the same step and the same millisecond, MLflow takes the largest one for the latest
#   and lists them by size. A cost that falls is kept at its worst.
# WITH: mlflow-skinny==3.17.2, SQLAlchemy==2.1.9, alembic==1.20.1; Python 3.11.7
# EXPECTED: the last value written is the run's, as for values a millisecond apart; the history in the order of writing.
# SEEN:
#   cost, logged as .9, .5, .3 in one batch    latest: 0.9   history: [0.3, 0.5, 0.9]
#   accuracy 0.9, corrected to 0.8             latest: 0.9   history: [0.8, 0.9]
# MATTERS: log_metric without a step is step 0, and `synchronous=False` writes several a millisecond: the runs' table,
#   `search_runs(order_by=...)` and whatever chooses by it see a cost that the run has left behind. And a value that was
#   wrong cannot be corrected downwards under the same step and time. Give each value a step of its own.
# SOURCE: mlflow/store/tracking/sqlalchemy_store.py, `_update_latest_metrics_if_necessary` compares (step, timestamp,
#   value).
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2 SQLAlchemy==2.1.9 alembic==1.20.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
import logging

logging.disable(logging.WARNING)
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = MlflowClient()
run_id = client.create_run(client.create_experiment("sweep")).info.run_id
now = 1_800_000_000_000
client.log_batch(run_id, [Metric("cost", value, now, 0) for value in (0.9, 0.5, 0.3)])
client.log_metric(run_id, "accuracy", 0.9, timestamp=now, step=10)
client.log_metric(run_id, "accuracy", 0.8, timestamp=now, step=10)
latest = client.get_run(run_id).data.metrics
for text, key in {"cost, logged as .9, .5, .3 in one batch": "cost", "accuracy 0.9, corrected to 0.8": "accuracy"}.items():
    history = [metric.value for metric in client.get_metric_history(run_id, key)]
    print(f"{text:<42} latest: {latest[key]}   history: {history}")
if latest != {"cost": 0.9, "accuracy": 0.9}:
    raise SystemExit("changed: the latest value is no longer the largest of its step and millisecond")
PROGRAM
