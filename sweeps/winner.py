"""The winner: refitted on all training examples, and scored once on the test set that nothing has seen."""

import json
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from engine import TrainingData, Weights, advance, finish, forward, start
from engine.worker import initial_parameters
from experiments.baseline import Baseline, baselines
from experiments.preparation import PreparedData
from experiments.scores import interval_95, scores
from sweeps.config import SearchSection
from sweeps.space import Candidate, recall
from sweeps.trial import Problem


@dataclass(frozen=True, slots=True)
class Winner:
    """The best trial, refitted.

    Attributes:
        number, value, best_iteration: Of the trial: its validation cost and where it was lowest.
        test: Scores on the test set: accuracy, or rmse and r2 in original units.
        interval: 95 % interval of each score, from the size of the test set.
        baselines: What a constant and a linear model reach on the same test set.
        weights: Architecture and parameters, with notes that make raw inputs usable.
    """

    number: int
    value: float
    candidate: Candidate
    best_iteration: int
    test: dict[str, float]
    interval: dict[str, tuple[float, float]]
    baselines: list[Baseline]
    weights: Weights


def best_trial(trials: list[FrozenTrial]) -> FrozenTrial | None:
    """The complete trial of lowest value; where none is complete, the best of those that were given up; or None."""
    for state in (TrialState.COMPLETE, TrialState.PRUNED):
        candidates = [trial for trial in trials if trial.state == state and trial.value is not None]
        if candidates:
            return min(candidates, key=lambda trial: (trial.value, trial.number))
    return None


def crown(
    trials: list[FrozenTrial],
    search: SearchSection,
    problem: Problem,
    data: TrainingData,
    prepared: PreparedData,
    notes: dict[str, str],
) -> Winner | None:
    """The best of the trials, refitted and scored; None when no trial has a value."""
    best = best_trial(trials)
    return None if best is None else refit(best, recall(best, search), problem, data, prepared, notes)


def refit(
    trial: FrozenTrial,
    candidate: Candidate,
    problem: Problem,
    data: TrainingData,
    prepared: PreparedData,
    notes: dict[str, str],
) -> Winner:
    """Train the winner's network again, on every training example, for as many iterations as served it best.

    Args:
        trial: The winner.
        candidate: Its hyperparameters.
        problem: As its trial had it: the same initial weights.
        data: As its trial had it: here no column is held out.
        prepared: Where the test set is.
        notes: Texts to keep with the weights.
    """
    hyperparameters = problem.hyperparameters(candidate)
    architecture = hyperparameters.architecture
    best_iteration = int(trial.user_attrs["best_iteration"])
    everything = data.of_all_examples()
    initial = initial_parameters(architecture, problem.initial_seed(trial.number), data.dtype)
    state, _ = advance(start(initial, everything, architecture), everything, hyperparameters, best_iteration)
    parameters = finish(state, initial, everything, architecture)

    dataset = prepared.dataset
    _, outputs = forward(parameters, prepared.X_test, architecture)
    predictions = outputs[0] if dataset.class_names else prepared.target_scaling.to_original(outputs[0])
    preprocessing = {
        "preprocessing": json.dumps(prepared.preprocessing.to_dict()),
        "target_scaling": json.dumps(
            {"offset": prepared.target_scaling.offset, "scale": prepared.target_scaling.scale}
        ),
        "task": dataset.task,
        "class_names": json.dumps(dataset.class_names),
    }
    assert trial.value is not None, "best_trial chooses among trials that have a value"
    return Winner(
        number=trial.number,
        value=trial.value,
        candidate=candidate,
        best_iteration=best_iteration,
        test=scores(dataset.task, dataset.y_test, predictions),
        interval=interval_95(dataset.task, dataset.y_test, predictions, problem.seed),
        baselines=baselines(prepared, problem.seed),
        weights=Weights(architecture, parameters, notes | preprocessing),
    )
