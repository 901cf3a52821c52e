#!/usr/bin/env bash
# WHAT: SuccessiveHalvingPruner remembers a trial's value by the number of its rung, not by its step, so a study continued with another
#   min_resource compares costs after 3 steps with costs after 27 and prunes everything new.
# WITH: optuna==5.0.0; Python 3.11.7
# EXPECTED: trials are compared at equal training: the reports of all old trials at step 3 are in the study.
# SEEN:
#   the better nine, in a new study:                   ended at [81, 3, 81, 3, 3, 3, 3, 3, 3] best 0.017
#   after nine others, first rung 3 then and now:      ended at [81, 9, 81, 9, 9, 9, 3, 3, 3] best 0.017
#   after nine others, first rung 27 then and 3 now:   ended at [3, 3, 3, 3, 3, 3, 3, 3, 3] best 0.062
# MATTERS: Continuing a sweep with an earlier first rung "to save time" ends every new trial at it, whatever its quality; a later one
#   lets worse trials through. The study's best value just stops improving. Begin a new study for another pruner. The default "auto"
#   works the first rung out anew in each process.
# SOURCE: optuna/optuna, optuna/pruners/_successive_halving.py: the system attribute completed_rung_<number>.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optuna==5.0.0
cd "$folder"
venv/bin/python - <<'PROGRAM'
import optuna
from optuna.pruners import SuccessiveHalvingPruner
from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.WARNING)
FLOORS = [0.10, 0.30, 0.05, 0.20, 0.25, 0.15, 0.35, 0.40, 0.45]  # the cost that a configuration tends to
BETTER = [floor / 10 for floor in FLOORS]


def continued(first_rungs, floors_of_each):
    """A study trained in several processes; the last one's trials, as the step where each ended."""
    storage = optuna.storages.InMemoryStorage()
    for first_rung, floors in zip(first_rungs, floors_of_each, strict=True):
        pruner = SuccessiveHalvingPruner(min_resource=first_rung, reduction_factor=3)
        study = optuna.create_study(storage=storage, study_name="sweep", pruner=pruner, load_if_exists=True)
        for floor in floors:
            trial = study.ask()
            for step in range(1, 82):
                trial.report(floor + 1 / step, step)
                if trial.should_prune():
                    study.tell(trial, state=TrialState.PRUNED)
                    break
            else:
                study.tell(trial, floor + 1 / step)
    return [trial.last_step for trial in study.trials[-len(floors) :]], round(study.best_value, 3)


alone, best_alone = continued([3], [BETTER])
same, best_same = continued([3, 3], [FLOORS, BETTER])
earlier, best_earlier = continued([27, 3], [FLOORS, BETTER])
print("the better nine, in a new study:                   ended at", alone, "best", best_alone)
print("after nine others, first rung 3 then and now:      ended at", same, "best", best_same)
print("after nine others, first rung 27 then and 3 now:   ended at", earlier, "best", best_earlier)

if not (max(alone) == max(same) == 81 and best_alone == best_same):
    raise SystemExit("changed: the best trial is pruned without any change of the first rung")
if set(earlier) != {3} or best_earlier <= best_same:
    raise SystemExit("changed: not all new trials end at their first rung")
PROGRAM
