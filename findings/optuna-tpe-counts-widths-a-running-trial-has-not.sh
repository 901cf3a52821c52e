#!/usr/bin/env bash
# WHAT: A trial that runs counts for TPE(group=True) as tried at every value that was drawn for it, also of parameters that it does not
#   have: a running network of one layer steers the width of everybody's second layer. When it ends, it no longer does.
# WITH: optuna==5.0.0; Python 3.11.7
# EXPECTED: two studies with the same trials, states, parameters and values get the same proposal from the same seed.
# SEEN:
#    0 trials of one layer run: 20 of 20 proposals for the second layer agree with a copy's; [806, 363, 791, 780] [806, 363, 791, 780]
#   16 trials of one layer run: 0 of 20 proposals for the second layer agree with a copy's; [6, 898, 909, 887] [806, 363, 791, 780]
# MATTERS: With workers in parallel, shallow networks push the others' deeper layers away from the widths that were good, for as long as
#   they run. And a study whose running trials were restored from their parameters goes on otherwise than the one that never
#   stopped. Keep system attributes when a running trial is written down again; constant_liar=False leaves running trials out.
# SOURCE: optuna/optuna, optuna/samplers/_tpe/sampler.py: constant_liar=True is the default since 5.0; _get_params reads the system
#   attribute tpe:relative_params of running trials.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optuna==5.0.0
cd "$folder"
venv/bin/python -W ignore - <<'PROGRAM'
import optuna
from optuna.samplers import TPESampler
from optuna.trial import create_trial

optuna.logging.set_verbosity(optuna.logging.ERROR)


def widths(trial):
    """A network whose depth decides how many widths it has."""
    return [trial.suggest_int(f"width_{layer + 1}", 1, 1000) for layer in range(trial.suggest_int("depth", 1, 2))]


def begun(n_running):
    """40 trials that have ended, and some that run, all of one layer."""
    study = optuna.create_study(sampler=TPESampler(seed=1, group=True))
    study.optimize(lambda trial: sum((width - 300) ** 2 for width in widths(trial)), n_trials=40)
    study.sampler = TPESampler(seed=2, group=True)
    while n_running:
        trial = study.ask()
        if len(widths(trial)) == 1:
            n_running -= 1
        else:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return study


def copied(study):
    """The same trials, as one copies them: number, state, parameters, distributions, value."""
    again = optuna.create_study()
    for trial in study.trials:
        again.add_trial(
            create_trial(
                state=trial.state, value=trial.value, params=trial.params, distributions=trial.distributions
            )
        )
    return again


def proposals(study):
    """The next trial of two layers, for each of 20 seeds."""
    found = []
    for seed in range(20):
        study.sampler = TPESampler(seed=seed, group=True)
        study.enqueue_trial({"depth": 2})
        trial = study.ask()
        found.append(widths(trial)[1])
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return found


for n_running in (0, 16):
    study = begun(n_running)
    again = copied(study)
    assert [(t.state, t.params, t.value) for t in study.trials] == [(t.state, t.params, t.value) for t in again.trials]
    ours, theirs = proposals(study), proposals(again)
    n_same = sum(a == b for a, b in zip(ours, theirs, strict=True))
    print(f"{n_running:2} trials of one layer run: {n_same} of 20 proposals for the second layer agree with a copy's;", ours[:4], theirs[:4])
    if (n_same == 20) != (n_running == 0):
        raise SystemExit("changed: a running trial steers a parameter that it does not have no longer")
PROGRAM
