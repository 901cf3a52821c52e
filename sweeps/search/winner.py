"""The winner: refitted on all training examples, and scored once on the test set that nothing has seen."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine import Hyperparameters, TrainingData, advance, finish, start
from engine.objectives import COST, Objective
from engine.worker import initial_parameters
from experiments.baseline import Baseline
from experiments.estimate import Estimate
from experiments.facts import Score
from experiments.intervals import interval_95
from experiments.model import Model
from experiments.preparation import PreparedData, trained_on
from experiments.readers.room import NoRoomError, shortage
from experiments.scores import scores
from experiments.splits import groups_of
from sweeps.configuration.config import Config
from sweeps.search.corrected import corrected_value
from sweeps.search.ensemble import Ensemble, select
from sweeps.storage.kept_trials import KeptTrial
from sweeps.trials.problem import Problem
from sweeps.trials.raw_examples import raw_refit_data
from sweeps.trials.stored_trial import StoredTrial, best_trial


@dataclass(frozen=True, slots=True)
class Winner:
    """The best trial, refitted.

    Attributes:
        trial: The one that won.
        scores: On the test set, see `experiments.scores`; what a constant and a linear model reach there stands
            beside them.
        model: The network with all that a prediction from raw inputs needs.
        ensemble: What stands beside it; None where there is none.
        estimate: Its value on new examples, from those that its fold models held out; None where they cannot tell.
        baselines_out_of_fold: Of the constant and the linear model by name, their value as a trial's is; those that
            are known.
        objective: What it was judged by.
        shortages: What there was no memory for, in sentences.
    """

    trial: StoredTrial
    scores: list[Score]
    model: Model
    ensemble: Ensemble | None = None
    estimate: Estimate | None = None
    baselines_out_of_fold: dict[str, float] = field(default_factory=dict)
    objective: Objective = COST
    shortages: tuple[str, ...] = ()

    @property
    def test_scores(self) -> dict[str, float]:
        """The scores alone, by name."""
        return {score.name: score.value for score in self.scores}


def crown(
    leaderboard: list[StoredTrial],
    kept: list[KeptTrial],
    simple: list[Baseline],
    problem: Problem,
    data: TrainingData,
    prepared: PreparedData,
    config: Config,
    study: str,
) -> Winner | None:
    """The best of the trials, refitted and scored, and the ensemble beside it; None when no trial has a value.

    Args:
        leaderboard: Best first.
        kept: The best trials with their fold models, best first.
        simple: What to beat.
        problem: As the trials had it: the same initial weights.
        data: As the trials had it.
        prepared: Where the test set is.
        config: Says how large the ensemble may be.
        study: The study's name, kept with the models.
    """
    best = best_trial(leaderboard)
    if best is None:
        return None
    model, scores_of_winner = _scored(refit(best, problem, data, prepared, study), simple, prepared, problem)
    ensemble, estimate, shortages = None, None, []
    try:
        if config.study.ensemble > 0:
            ensemble = select(kept, problem, data, prepared, study, config.study.ensemble)
        if ensemble is not None:
            model_of_ensemble, scores_of_ensemble = _scored(ensemble.model, simple, prepared, problem)
            ensemble = replace(ensemble, model=model_of_ensemble, scores=scores_of_ensemble)
    except (MemoryError, NoRoomError) as error:
        ensemble = None
        shortages.append(f"There is no ensemble beside the winner: {shortage(error)}.")
    try:
        groups = groups_of(prepared.dataset.relation_train)
        estimate = corrected_value(best, kept, data, problem.head, problem.seed, problem.objective, groups)
    except (MemoryError, NoRoomError) as error:
        shortages.append(f"The winner's value is not corrected for having been chosen: {shortage(error)}.")
    out_of_fold = {one.name: one.out_of_fold for one in simple if one.out_of_fold is not None}
    return Winner(best, scores_of_winner, model, ensemble, estimate, out_of_fold, problem.objective, tuple(shortages))


def refit(trial: StoredTrial, problem: Problem, data: TrainingData, prepared: PreparedData, study: str) -> Model:
    """Train a trial's network again, on every training example, for as many iterations as served it best."""
    assert trial.best_iteration is not None, "a trial that has a value has it somewhere"
    hyperparameters = problem.hyperparameters(trial.candidate, trial.number)
    architecture = hyperparameters.architecture
    everything = hyperparameters.form_of(_all_examples(data, prepared, hyperparameters))
    initial = initial_parameters(architecture, problem.initial_seed(trial.number), data.dtype)
    state, _ = advance(start(initial, everything, architecture), everything, hyperparameters, trial.best_iteration)
    return Model.of(prepared, architecture, finish(state, initial, everything, architecture), study)


def _all_examples(data: TrainingData, prepared: PreparedData, hyperparameters: Hyperparameters) -> TrainingData:
    """For one network that trains on all examples, and whose scaling is fitted to all."""
    if not data.has_own_inputs:
        return data.of_all_examples()
    if data.raw is not None:
        return raw_refit_data(prepared, str(data.dtype)).weighted(data.weights)
    nothing, leaves_span = np.zeros((1, data.n_examples), np.bool_), hyperparameters.leaves_span(data.n_examples)
    X, Y = trained_on(prepared.versions, None)
    everything = TrainingData.of(X, Y, nothing, data.dtype, reduce=data.gram is not None, leaves_span=leaves_span)
    return everything.weighted(data.weights)


def _scored(
    model: Model, simple: list[Baseline], prepared: PreparedData, problem: Problem
) -> tuple[Model, list[Score]]:
    """The model with its threshold and test scores, and these beside their intervals and those of simple models."""
    dataset = prepared.dataset
    predictions = model.outputs_of_raw(dataset.X_test, f"{dataset.source} (test examples)")
    judged: Any = {"objective": problem.objective, "weights": dataset.weights_test}
    test = scores(dataset.task, dataset.y_test, predictions, problem.threshold, **judged)
    judged["groups"] = groups_of(dataset.relation_test)
    interval = interval_95(dataset.task, dataset.y_test, predictions, problem.seed, problem.threshold, **judged)
    return replace(model, test_scores=test, threshold=problem.threshold), [
        Score(name, value, *interval[name], {baseline.name: baseline.scores[name] for baseline in simple})
        for name, value in test.items()
    ]
