#!/usr/bin/env bash
# WHAT: MLflow keeps a model's NaN metric as the number 0.0, so a diverged model is the best one of search_logged_models.
# WITH: mlflow-skinny==3.17.2, SQLAlchemy==2.1.9, alembic==1.20.1; Python 3.11.7
# EXPECTED: NaN again, ranked last and matched by no comparison: so it is for the run whose metric it is, and in the same
#   database; MLflow's documentation warns of infinities in SQL stores only.
# SEEN:
#   runs:            {'wide': 0.31, 'narrow': 0.48, 'diverged': nan}
#   models:          {'diverged': 0.0, 'wide': 0.31, 'narrow': 0.48}
#   runs < 0.4:      ['wide']
#   models < 0.4:    ['diverged', 'wide']
# MATTERS: A sweep that gives each trial's model its validation cost (log_metric(..., model_id=...)) and takes the first of
#   search_logged_models promotes a network of NaN weights. Choose among runs, or log no cost that is not finite.
# SOURCE: mlflow/mlflow, mlflow/store/tracking/sqlalchemy_store.py: _log_model_metrics throws the NaN mark of
#   sanitize_metric_value away, and the table logged_model_metrics has no column for it (runs: fixed in issue 25640).
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2 SQLAlchemy==2.1.9 alembic==1.20.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
import logging
import math

logging.disable(logging.WARNING)
import mlflow
from mlflow import MlflowClient

mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = MlflowClient()
experiment = client.create_experiment("sweep")
runs = {}
for name, cost in {"wide": 0.31, "narrow": 0.48, "diverged": math.nan}.items():
    run_id = client.create_run(experiment, run_name=name).info.run_id
    model = client.create_logged_model(experiment, name=name, source_run_id=run_id)
    client.log_metric(run_id, "cost", cost, step=100, model_id=model.model_id)
    runs[name] = run_id

ordered_runs = client.search_runs([experiment], order_by=["metrics.cost ASC"])
print("runs:           ", {run.info.run_name: run.data.metrics["cost"] for run in ordered_runs})
by_cost = [{"field_name": "metrics.cost", "ascending": True}]
models = client.search_logged_models([experiment], order_by=by_cost)
print("models:         ", {model.name: model.metrics[0].value for model in models})
good_runs = client.search_runs([experiment], "metrics.cost < 0.4")
print("runs < 0.4:     ", [run.info.run_name for run in good_runs])
good_models = client.search_logged_models([experiment], "metrics.cost < 0.4", order_by=by_cost)
print("models < 0.4:   ", [model.name for model in good_models])

if not math.isnan(client.get_run(runs["diverged"]).data.metrics["cost"]):
    raise SystemExit("changed: the run's own metric is no longer NaN")
if models[0].name != "diverged" or models[0].metrics[0].value != 0.0:
    raise SystemExit("changed: a NaN metric of a model is no longer 0.0 and first")
if "diverged" not in [model.name for model in good_models]:
    raise SystemExit("changed: a NaN metric of a model no longer matches a filter")
PROGRAM
