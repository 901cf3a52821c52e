"""The winner: refitted on all training examples, and scored once on the test set that nothing has seen."""

from dataclasses import dataclass, replace

from optuna.trial import FrozenTrial, TrialState

from engine import TrainingData, advance, finish, start
from engine.worker import initial_parameters
from experiments.baseline import baselines
from experiments.facts import Score
from experiments.model import Model
from experiments.preparation import PreparedData
from experiments.scores import interval_95, scores
from sweeps.configuration.config import SearchSection
from sweeps.trials.problem import Problem
from sweeps.trials.space import Candidate, recall


@dataclass(frozen=True, slots=True)
class Winner:
    """The best trial, refitted.

    Attributes:
        number, value, best_iteration: Of the trial: its validation cost and where it was lowest.
        scores: On the test set: accuracy, or rmse and r2 in original units; what a constant and a linear model
            reach there stands beside them.
        model: The network with all that a prediction from raw inputs needs.
    """

    number: int
    value: float
    candidate: Candidate
    best_iteration: int
    scores: list[Score]
    model: Model

    @property
    def test_scores(self) -> dict[str, float]:
        """The scores alone, by name."""
        return {score.name: score.value for score in self.scores}


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
    study: str,
) -> Winner | None:
    """The best of the trials, refitted and scored; None when no trial has a value."""
    best = best_trial(trials)
    return None if best is None else refit(best, recall(best, search), problem, data, prepared, study)


def refit(
    trial: FrozenTrial,
    candidate: Candidate,
    problem: Problem,
    data: TrainingData,
    prepared: PreparedData,
    study: str,
) -> Winner:
    """Train the winner's network again, on every training example, for as many iterations as served it best.

    Args:
        trial: The winner.
        candidate: Its hyperparameters.
        problem: As its trial had it: the same initial weights.
        data: As its trial had it: here no column is held out.
        prepared: Where the test set is.
        study: The study's name, kept with the model.
    """
    hyperparameters = problem.hyperparameters(candidate)
    architecture = hyperparameters.architecture
    best_iteration = int(trial.user_attrs["best_iteration"])
    everything = data.of_all_examples()
    initial = initial_parameters(architecture, problem.initial_seed(trial.number), data.dtype)
    state, _ = advance(start(initial, everything, architecture), everything, hyperparameters, best_iteration)
    parameters = finish(state, initial, everything, architecture)

    dataset = prepared.dataset
    model = Model.of(prepared, architecture, parameters, study)
    predictions = model.outputs(prepared.X_test)
    test = scores(dataset.task, dataset.y_test, predictions)
    interval = interval_95(dataset.task, dataset.y_test, predictions, problem.seed)
    simple = baselines(prepared, problem.seed)
    assert trial.value is not None, "best_trial chooses among trials that have a value"
    return Winner(
        number=trial.number,
        value=trial.value,
        candidate=candidate,
        best_iteration=best_iteration,
        scores=[
            Score(name, value, *interval[name], {baseline.name: baseline.scores[name] for baseline in simple})
            for name, value in test.items()
        ],
        model=replace(model, test_scores=test),
    )
