#!/usr/bin/env bash
# WHAT: search_logged_models("metrics.cost < 0.1") finds every model that was ever below, and its order goes by when a point was
#   written, not by its step; search_runs goes by the last step in both cases.
# WITH: mlflow-skinny==3.17.2, SQLAlchemy==2.1.9, alembic==1.20.1; Python 3.11.7
# EXPECTED: one meaning of "metrics.cost" in both searches: the value at the last step, as the run's page shows it.
# SEEN:
#   runs by cost:     ['late point', 'steady', 'overfitted']
#   models by cost:   ['steady', 'overfitted', 'late point']
#   runs < 0.08:      []
#   models < 0.08:    ['overfitted']
# MATTERS: A model that overfitted after a good step passes a threshold that its final cost fails; and points that are delivered
#   late (a retried batch, an outbox that is replayed) decide the ranking. Log one final metric a model, under its own name.
# SOURCE: mlflow/mlflow, mlflow/store/tracking/sqlalchemy_store.py: _apply_filter_string_datasets_search_logged_models asks all
#   rows of logged_model_metrics; _apply_order_by_search_logged_models sorts by timestamp before step.
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

# (value, step, timestamp in ms); the third trial's first point was delivered last
TRIALS = {
    "overfitted": [(0.05, 10, 1_000), (0.60, 90, 9_000)],
    "steady": [(0.40, 10, 1_000), (0.20, 90, 9_000)],
    "late point": [(0.90, 10, 9_500), (0.10, 90, 9_000)],
}
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = MlflowClient()
experiment = client.create_experiment("sweep")
for name, points in TRIALS.items():
    run_id = client.create_run(experiment, run_name=name).info.run_id
    model = client.create_logged_model(experiment, name=name, source_run_id=run_id)
    for value, step, timestamp in points:
        client.log_metric(run_id, "cost", value, timestamp, step, model_id=model.model_id)

ordered_runs = [run.info.run_name for run in client.search_runs([experiment], order_by=["metrics.cost ASC"])]
by_cost = [{"field_name": "metrics.cost", "ascending": True}]
ordered_models = [model.name for model in client.search_logged_models([experiment], order_by=by_cost)]
found_runs = [run.info.run_name for run in client.search_runs([experiment], "metrics.cost < 0.08")]
found_models = [model.name for model in client.search_logged_models([experiment], "metrics.cost < 0.08")]
print("runs by cost:    ", ordered_runs)
print("models by cost:  ", ordered_models)
print("runs < 0.08:     ", found_runs)
print("models < 0.08:   ", found_models)

if ordered_runs != ["late point", "steady", "overfitted"] or found_runs:
    raise SystemExit("changed: the search of runs no longer goes by the last step")
if ordered_models != ["steady", "overfitted", "late point"]:
    raise SystemExit("changed: models are no longer ordered by the point that was written last")
if found_models != ["overfitted"]:
    raise SystemExit("changed: a value of an earlier step no longer matches")
PROGRAM
