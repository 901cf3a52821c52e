"""The winner: refitted on all training examples, and scored once on the test set that nothing has seen."""

from dataclasses import dataclass, replace

from engine import TrainingData, advance, finish, start
from engine.worker import initial_parameters
from experiments.baseline import baselines
from experiments.facts import Score
from experiments.model import Model
from experiments.preparation import PreparedData
from experiments.scores import interval_95, scores
from sweeps.trials.problem import Problem
from sweeps.trials.stored_trial import StoredTrial, best_trial


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Fold models and winners of several trials, whose answers are averaged.

    Attributes:
        scores: On the test set, as the winner's.
        model: With all that a prediction from raw inputs needs.
        is_recommended: Whether it is the one to use, rather than the winner.
    """

    scores: list[Score]
    model: Model
    is_recommended: bool


@dataclass(frozen=True, slots=True)
class Winner:
    """The best trial, refitted.

    Attributes:
        trial: The one that won.
        scores: On the test set, see `experiments.scores`; what a constant and a linear model reach there stands
            beside them.
        model: The network with all that a prediction from raw inputs needs.
        ensemble: What stands beside it; None where there is none.
    """

    trial: StoredTrial
    scores: list[Score]
    model: Model
    ensemble: Ensemble | None = None

    @property
    def test_scores(self) -> dict[str, float]:
        """The scores alone, by name."""
        return {score.name: score.value for score in self.scores}


def crown(
    leaderboard: list[StoredTrial], problem: Problem, data: TrainingData, prepared: PreparedData, study: str
) -> Winner | None:
    """The best of the trials, refitted and scored; None when no trial has a value."""
    best = best_trial(leaderboard)
    return None if best is None else refit(best, problem, data, prepared, study)


def refit(trial: StoredTrial, problem: Problem, data: TrainingData, prepared: PreparedData, study: str) -> Winner:
    """Train the winner's network again, on every training example, for as many iterations as served it best.

    Args:
        trial: The winner; it has a value.
        problem: As its trial had it: the same initial weights.
        data: As its trial had it: here no column is held out.
        prepared: Where the test set is.
        study: The study's name, kept with the model.
    """
    assert trial.best_iteration is not None, "a trial that has a value has it somewhere"
    hyperparameters = problem.hyperparameters(trial.candidate, trial.number)
    architecture = hyperparameters.architecture
    everything = hyperparameters.form_of(data).of_all_examples()
    initial = initial_parameters(architecture, problem.initial_seed(trial.number), data.dtype)
    state, _ = advance(start(initial, everything, architecture), everything, hyperparameters, trial.best_iteration)
    parameters = finish(state, initial, everything, architecture)

    dataset = prepared.dataset
    model = Model.of(prepared, architecture, parameters, study)
    predictions = model.outputs(prepared.X_test)
    test = scores(dataset.task, dataset.y_test, predictions)
    interval = interval_95(dataset.task, dataset.y_test, predictions, problem.seed)
    simple = baselines(prepared, problem.seed)
    return Winner(
        trial=trial,
        scores=[
            Score(name, value, *interval[name], {baseline.name: baseline.scores[name] for baseline in simple})
            for name, value in test.items()
        ],
        model=replace(model, test_scores=test),
    )
