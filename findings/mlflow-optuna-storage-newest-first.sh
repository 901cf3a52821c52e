#!/usr/bin/env bash
# WHAT: A study in mlflow.optuna's MlflowStorage lists its trials newest first, so Optuna's history plot accumulates the best value
#   backwards in time, and enqueued trials run in reverse.
# WITH: mlflow-skinny==3.17.2, SQLAlchemy==2.1.9, alembic==1.20.1, optuna==5.0.0, plotly==7.1.0; Python 3.11.7
# EXPECTED: study.trials[i].number == i, as in all of Optuna's own storages: plots, stagnation counts and the queue are written
#   for that order.
# SEEN:
#   Optuna: numbers of study.trials [0, 1, 2]; best value up to a trial, as plotted: {0: 0.6, 1: 0.2, 2: 0.0}
#   Optuna: enqueued 0.1, 0.5, 0.9; run: [0.1, 0.5, 0.9]
#   MLflow: numbers of study.trials [2, 1, 0]; best value up to a trial, as plotted: {0: 0.0, 1: 0.0, 2: 0.0}
#   MLflow: enqueued 0.1, 0.5, 0.9; run: [0.9, 0.5, 0.1]
# MATTERS: A sweep kept in MLflow shows a "Best Value" line by which its first trial was as good as its best one, and the
#   configuration that was enqueued to run first runs last. Add the trials, sorted by number, to a study in memory
#   before drawing them; enqueue one at a time.
# SOURCE: mlflow/mlflow, mlflow/optuna/storage.py: get_all_trials searches runs without order_by, whose default is the newest first.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2 SQLAlchemy==2.1.9 alembic==1.20.1 optuna==5.0.0 plotly==7.1.0
cd "$folder"
venv/bin/python - <<'PROGRAM'
import logging

logging.disable(logging.WARNING)
import mlflow
import optuna
from mlflow.optuna.storage import MlflowStorage

optuna.logging.set_verbosity(optuna.logging.WARNING)
mlflow.set_tracking_uri("sqlite:///mlflow.db")
seen = {}
for name, storage in {
    "Optuna": optuna.storages.InMemoryStorage(),
    "MLflow": MlflowStorage(mlflow.create_experiment("sweep")),
}.items():
    rates = []

    def cost(trial, rates=rates):
        rates.append(trial.suggest_float("rate", 0, 1))
        return abs(rates[-1] - 0.2)

    study = optuna.create_study(storage=storage)
    for rate in (0.8, 0.4, 0.2):
        study.enqueue_trial({"rate": rate})
        study.optimize(cost, n_trials=1)
    line = next(line for line in optuna.visualization.plot_optimization_history(study).data if line.name == "Best Value")
    best_so_far = {number: round(value, 1) for number, value in sorted(zip(line.x, line.y, strict=True))}
    numbers = [trial.number for trial in study.trials]
    rates.clear()
    for rate in (0.1, 0.5, 0.9):
        study.enqueue_trial({"rate": rate})
    study.optimize(cost, n_trials=3)
    seen[name] = numbers, best_so_far, rates
    print(f"{name}: numbers of study.trials {numbers}; best value up to a trial, as plotted: {best_so_far}")
    print(f"{name}: enqueued 0.1, 0.5, 0.9; run: {rates}")

if seen["Optuna"] != ([0, 1, 2], {0: 0.6, 1: 0.2, 2: 0.0}, [0.1, 0.5, 0.9]):
    raise SystemExit("changed: Optuna's own storage is no longer in order")
if seen["MLflow"] != ([2, 1, 0], {0: 0.0, 1: 0.0, 2: 0.0}, [0.9, 0.5, 0.1]):
    raise SystemExit("changed: MlflowStorage no longer lists the newest trial first")
PROGRAM
