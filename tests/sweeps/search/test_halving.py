"""Optuna's own pruners are the oracle: same reports, same answers."""

import math

import numpy as np
import optuna
import pytest
from optuna.pruners import HyperbandPruner, SuccessiveHalvingPruner

from sweeps.search.halving import SuccessiveHalving
from sweeps.search.optuna_private import QuickHyperbandPruner

PAIRS = {
    "halving": (lambda: SuccessiveHalving(10, 3), lambda: SuccessiveHalvingPruner(10, 3)),
    "late": (lambda: SuccessiveHalving(10, 3, 1), lambda: SuccessiveHalvingPruner(10, 3, 1)),
    "by 2": (lambda: SuccessiveHalving(7, 2), lambda: SuccessiveHalvingPruner(7, 2)),
    "hyperband": (lambda: QuickHyperbandPruner(10, 270, 3), lambda: HyperbandPruner(10, 270, 3)),
}


def _answers(pruner, direction: str, seed: int) -> list[list[bool]]:
    """Of 120 trials of which a few run at a time; each reports at steps of its own, also beyond an answer."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name="one", direction=direction, pruner=pruner)
    rng = np.random.default_rng(seed)
    running, answers = [], []
    for _ in range(120):
        trial = study.ask()
        running.append((trial, iter([9, 10, 29, 30, 31, 90, 95, 270])))
        answers.append([])
        while len(running) > 6:
            which = int(rng.integers(len(running)))
            trial, steps = running[which]
            step = next(steps, None) if rng.random() < 0.9 else None
            if step is None:
                state = optuna.trial.TrialState.FAIL if rng.random() < 0.1 else optuna.trial.TrialState.PRUNED
                study.tell(trial, state=state)
                del running[which]
                continue
            value = math.nan if rng.random() < 0.02 else round(float(rng.random()), 1)  # many are equal
            trial.report(value, step)
            answers[trial.number].append(trial.should_prune())
    return answers


@pytest.fixture(autouse=True)
def _quiet_again():
    verbosity = optuna.logging.get_verbosity()
    yield
    optuna.logging.set_verbosity(verbosity)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_it_answers_what_optuna_answers(name, direction):
    ours, optunas = PAIRS[name]
    answers = _answers(ours(), direction, seed=3)
    assert answers == _answers(optunas(), direction, seed=3)
    told = [answer for of_trial in answers for answer in of_trial]
    assert 0.1 < np.mean(told) < 0.9


def test_a_trial_that_has_reported_nothing_goes_on():
    study = optuna.create_study(pruner=SuccessiveHalving(10, 3))
    assert not study.ask().should_prune()
