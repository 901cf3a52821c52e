#!/usr/bin/env bash
# WHAT: With mlflow.optuna's MlflowStorage, create_study(..., load_if_exists=True) never loads: it begins a second study of the same
#   name, and from then on the name means the empty one.
# WITH: mlflow-skinny==3.17.2, SQLAlchemy==2.1.9, alembic==1.20.1, optuna==5.0.0; Python 3.11.7
# EXPECTED: the study with its trials, and DuplicatedStudyError without load_if_exists, as Optuna documents both for create_study.
# SEEN:
#   first process:          3 trials, best 0.0
#   resumed:                0 trials
#   load_study by its name: 1 trial, best 0.7
#   without load_if_exists: 0 trials, no error
# MATTERS: Each restart of a sweep begins at trial 0 with a sampler that knows nothing, and the best trial of the night is no longer
#   the best of load_study. Ask storage.get_study_id_by_name_if_exists(name) first, and call load_study where it answers.
# SOURCE: mlflow/mlflow, mlflow/optuna/storage.py: create_new_study does not raise DuplicatedStudyError (issue 16742).
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mlflow-skinny==3.17.2 SQLAlchemy==2.1.9 alembic==1.20.1 optuna==5.0.0
cd "$folder"
venv/bin/python - <<'PROGRAM'
import logging

logging.disable(logging.WARNING)
import mlflow
import optuna
from mlflow.optuna.storage import MlflowStorage

optuna.logging.set_verbosity(optuna.logging.WARNING)
mlflow.set_tracking_uri("sqlite:///mlflow.db")
storage = MlflowStorage(mlflow.create_experiment("sweep"))


def cost(trial):
    return abs(trial.suggest_float("rate", 0, 1) - 0.2)


first = optuna.create_study(study_name="digits", storage=storage, load_if_exists=True)
first.enqueue_trial({"rate": 0.2})
first.optimize(cost, n_trials=3)
print("first process:         ", len(first.trials), "trials, best", first.best_value)
resumed = optuna.create_study(study_name="digits", storage=storage, load_if_exists=True)
print("resumed:               ", len(resumed.trials), "trials")
resumed.enqueue_trial({"rate": 0.9})
resumed.optimize(cost, n_trials=1)
loaded = optuna.load_study(study_name="digits", storage=storage)
print("load_study by its name:", len(loaded.trials), "trial, best", loaded.best_value)
again = optuna.create_study(study_name="digits", storage=storage)
print("without load_if_exists:", len(again.trials), "trials, no error")

if len(resumed.trials) != 1 or len(loaded.trials) != 1 or loaded.best_value != 0.7:
    raise SystemExit("changed: load_if_exists loads a study from MlflowStorage")
PROGRAM
