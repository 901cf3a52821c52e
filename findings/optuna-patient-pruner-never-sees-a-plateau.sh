#!/usr/bin/env bash
# WHAT: PatientPruner ends no trial that has stopped improving, only one that gets worse by more than min_delta; with reports of the
#   best cost so far it never ends any, and a larger min_delta makes it more patient.
# WITH: optuna==5.0.0; Python 3.11.7
# EXPECTED: early stopping as in Keras and PyTorch Ignite: no improvement of at least min_delta within the patience ends the trial.
#   The documentation says it prunes where the improvement "is less than a threshold".
# SEEN:
#   dead, always 2.303: ended at step  - with min_delta 0,  - with min_delta 0.3
#   1e-6 better a step: ended at step  - with min_delta 0,  - with min_delta 0.3
#   worse after step 5: ended at step  9 with min_delta 0, 15 with min_delta 0.3
#   same, best so far: ended at step  - with min_delta 0,  - with min_delta 0.3
# MATTERS: A network of dead units whose cost stays ln 10 trains to the end of its budget; and a sweeper that reports the lowest cost so
#   far has a pruner that does nothing. Count the reports without improvement in the objective.
# SOURCE: optuna/optuna, optuna/pruners/_patient.py (best before + min_delta < best after); issue 3835 asked for the other sign.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optuna==5.0.0
cd "$folder"
venv/bin/python - <<'PROGRAM'
import itertools
import warnings

import optuna
from optuna.pruners import PatientPruner

warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
optuna.logging.set_verbosity(optuna.logging.WARNING)
U_TURN = [1 / min(step, 5) + 0.05 * max(0, step - 5) for step in range(1, 31)]
CURVES = {
    "dead, always 2.303": [2.303] * 30,
    "1e-6 better a step": [1 - 1e-6 * step for step in range(30)],
    "worse after step 5": U_TURN,
    "same, best so far": list(itertools.accumulate(U_TURN, min)),
}
seen = {}
for min_delta in (0.0, 0.3):
    for name, curve in CURVES.items():
        trial = optuna.create_study(pruner=PatientPruner(None, patience=3, min_delta=min_delta)).ask()
        for step, cost in enumerate(curve, 1):
            trial.report(cost, step)
            if trial.should_prune():
                break
        else:
            step = "-"
        seen[name, min_delta] = step
for name in CURVES:
    print(f"{name}: ended at step {seen[name, 0.0]:>2} with min_delta 0, {seen[name, 0.3]:>2} with min_delta 0.3")

expected = {(name, min_delta): "-" for name in CURVES for min_delta in (0.0, 0.3)}
expected |= {("worse after step 5", 0.0): 9, ("worse after step 5", 0.3): 15}
if seen != expected:
    raise SystemExit(f"changed: PatientPruner decides otherwise: {seen}")
PROGRAM
