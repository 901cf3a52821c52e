"""The ensemble of a sweep: its networks are those that were scored out of fold, and its choice is the sweep's own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from optuna.storages import InMemoryStorage
from sklearn.metrics import log_loss, mean_squared_error

from engine import Member, Parameters, TrainingData
from engine.threads import one_blas_thread
from experiments.baseline import fitted_meanwhile
from experiments.model import Model
from experiments.preparation import PreparedData
from sweeps.configuration.config import Config
from sweeps.data import load_data, problem_of, training_data
from sweeps.search.ensemble import Ensemble, out_of_fold, select
from sweeps.search.flight import trials_in_flight
from sweeps.search.live_study import LiveStudy
from sweeps.search.schedule import Hooks, Plan, Schedule
from sweeps.search.winner import crown
from sweeps.storage.checkpoint import Checkpoint
from sweeps.storage.kept_trials import KeptTrial, KeptTrials
from sweeps.trials.problem import Problem
from sweeps.trials.recipe import with_recipe
from sweeps.trials.rungs import Rungs
from sweeps.trials.stored_trial import StoredTrial
from tests.sweeps.support.small_sweep import new_study, open_executor, small_config

SEARCH = {
    "n_iterations": {"low": 6, "high": 54},
    "depth": {"low": 0, "high": 2},
    "hidden_units": {"low": 2, "high": 5},
}
TEXTBOOK = {"recipe": "textbook"}
KINDS: dict[str, dict[str, Any]] = {
    "multiclass": {"data": {"train": "sklearn:iris", "folds": 3}, "training": TEXTBOOK},
    "multiclass, one hold-out": {
        "data": {"train": "sklearn:iris", "folds": None, "validation_fraction": 0.3},
        "training": TEXTBOOK,
    },
    "regression, adamw": {"data": {"train": "sklearn:diabetes", "folds": 2}, "training": {"recipe": "auto"}},
    "binary, a reduced first layer": {"data": {"train": "wide.npz", "folds": 2}, "training": TEXTBOOK},
    "binary, wide and unreduced": {
        "data": {"train": "wide.npz", "folds": 2},
        "training": TEXTBOOK | {"optimizer": "adamw", "minibatch_size": 16},
    },
    "binary, pictures and their mirror images": {
        "data": {"train": "pictures.npz", "folds": 3},
        "training": TEXTBOOK | {"flips": True},
    },
    "regression, nonnegative, quantiles": {
        "data": {"train": "holes.csv", "target": "price", "nonnegative_target": True, "scaling": "quantile"},
        "training": {"recipe": "auto"},
    },
    "binary, reduced, scaled per fold": {
        "data": {"train": "wide.npz", "folds": 2, "scaling": "robust"},
        "training": {"recipe": "auto"},
    },
    "binary, wide and unreduced, scaled per fold": {
        "data": {"train": "wide.npz", "folds": 2},
        "training": {"recipe": "auto", "optimizer": "adamw", "minibatch_size": 16},
    },
    "binary, float64": {
        "data": {"train": "wide.npz", "folds": 2},
        "training": TEXTBOOK,
        "execution": {"dtype": "float64"},
    },
}


@dataclass
class Ended:
    """A sweep whose trials have ended."""

    config: Config
    prepared: PreparedData
    problem: Problem
    data: TrainingData
    kept: list[KeptTrial]
    leaderboard: list[StoredTrial]

    def select(self, n_steps: int = 8) -> Ensemble:
        ensemble = select(self.kept, self.problem, self.data, self.prepared, "small/1", n_steps)
        assert ensemble is not None
        return ensemble


def sweep(directory: Path, executor: str = "serial", n_workers: int = 1, **sections: Any) -> Ended:
    """Run the trials of a sweep, in memory but for what is kept of them."""
    directory.mkdir(exist_ok=True)
    generator = np.random.default_rng(4)
    X = generator.standard_normal((60, 90))
    y = (X[:, :4].sum(axis=1) + generator.standard_normal(60) > 0).astype(int)
    np.savez(directory / "wide.npz", X=X, y=y)
    np.savez(directory / "pictures.npz", X=X.reshape(60, 9, 10), y=y)
    table = {"size": np.where(y == 1, X[:, 0], np.nan), "rooms": X[:, 1], "place": np.where(X[:, 2] > 1, "n", "s")}
    pd.DataFrame(table | {"price": np.exp(X[:, 0])}).to_csv(directory / "holes.csv", index=False)
    config = small_config(directory, **{"search": SEARCH | {"learning_rate": {"low": 0.01, "high": 0.3}}, **sections})
    prepared = load_data(config)
    problem = problem_of(config, prepared)
    config = with_recipe(config, problem)
    data = training_data(prepared, config.execution.dtype, leaves_span=True)
    kept = KeptTrials(directory / "kept", [])
    stored, rungs = new_study(InMemoryStorage()), Rungs(config.search.max_iterations)
    plan = Plan(problem, rungs, config.sweep.n_trials, trials_in_flight(config, problem))
    with one_blas_thread(), open_executor(executor, n_workers, data) as (workers, run_rung):
        checkpoint, hooks = Checkpoint(directory / "none", "small/1"), Hooks(on_trial_end=kept.keep)
        Schedule(LiveStudy(stored, config, rungs), workers, run_rung, checkpoint, plan, hooks).run()
    return Ended(config, prepared, problem, data, kept.load(), stored.leaderboard())


@pytest.fixture(scope="module", params=KINDS)
def ended(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    return sweep(tmp_path_factory.mktemp("sweep"), **KINDS[request.param])


def networks_of(model: Model) -> Iterator[Model]:
    """Each network of a model's only member as a model of its own."""
    (member,) = model.members
    for fold in range(member.n_networks):
        W, b = (tuple(array[[fold]] for array in arrays) for arrays in (member.parameters.W, member.parameters.b))
        own = model.preprocessing_of_folds[fold : fold + 1]
        yield replace(model, members=(Member(member.architecture, Parameters(W, b)),), preprocessing_of_folds=own)


def predicted(model: Model, X: Any) -> NDArray[np.floating]:
    """Probabilities of each class, or targets: rows are examples."""
    return model.predict_proba(X) if model.class_names else model.predict(X)[:, np.newaxis]


def test_each_members_networks_say_of_raw_examples_what_was_known_of_those_they_held_out(ended: Ended) -> None:
    dataset = ended.prepared.dataset
    assert len(ended.kept) > 5
    for one in ended.kept:
        alone = replace(ended, kept=[one]).select(1)
        assert [(share.number, share.weight) for share in alone.shares] == [(one.trial.number, 1.0)]
        known = out_of_fold(one.best, ended.data, ended.problem.head, ended.prepared)
        for network, held_out in zip(networks_of(alone.model), ended.prepared.held_out, strict=True):
            found = predicted(network, dataset.X_train[held_out]).T
            expected = known[:, held_out]
            if dataset.task == "regression":
                expected = ended.prepared.target_scaling.to_original(expected)
            np.testing.assert_allclose(found[-len(expected) :], expected, rtol=3e-4, atol=3e-5)


def test_the_first_layer_was_trained_in_the_form_the_kind_says(tmp_path: Path) -> None:
    reduced = sweep(tmp_path / "reduced", **KINDS["binary, a reduced first layer"], sweep={"n_trials": 2})
    other = sweep(tmp_path / "other", **KINDS["binary, wide and unreduced"], sweep={"n_trials": 2})
    assert all(one.best.settled is not None for one in reduced.kept)
    assert all(one.best.settled is None for one in other.kept)
    assert other.data.unreduced is not None
    assert other.data.unreduced.basis is not None


def test_weights_sum_to_1_and_the_cost_is_that_of_the_weighted_mean_by_scikit_learn(ended: Ended) -> None:
    ensemble = ended.select()
    assert sum(share.weight for share in ensemble.shares) == pytest.approx(1, abs=1e-12)
    assert [share.weight for share in ensemble.shares] == sorted((s.weight for s in ensemble.shares), reverse=True)
    of_members = [member.weight for member in ensemble.model.members]
    assert sum(of_members) == pytest.approx(1, abs=1e-12)
    outputs = {
        one.trial.number: out_of_fold(one.best, ended.data, ended.problem.head, ended.prepared) for one in ended.kept
    }
    mean = sum(share.weight * outputs[share.number] for share in ensemble.shares)
    is_held_out = ended.prepared.held_out.any(axis=0)
    dataset = ended.prepared.dataset
    if dataset.task == "regression":
        cost = mean_squared_error(ended.prepared.Y[0], mean[0])
    else:
        probabilities = (mean.T if len(mean) > 1 else np.stack([1 - mean[0], mean[0]], axis=1))[is_held_out]
        probabilities /= probabilities.sum(axis=1, keepdims=True)  # of float32, to the last digit of float64
        cost = log_loss(dataset.y_train[is_held_out], probabilities)
    assert ensemble.out_of_fold == pytest.approx(cost, rel=1e-5)
    assert ensemble.out_of_fold <= ensemble.steps[0][1]


def test_one_network_of_less_data_than_the_winners_is_not_recommended(ended: Ended) -> None:
    assert ended.select().is_recommended == (ended.problem.n_networks > 1)


def test_a_model_of_the_ensemble_predicts_the_weighted_mean_of_its_trials(ended: Ended) -> None:
    ensemble = ended.select()
    X = ended.prepared.dataset.X_test
    alone = {one.trial.number: replace(ended, kept=[one]).select(1).model for one in ended.kept}
    mean = sum(share.weight * predicted(alone[share.number], X) for share in ensemble.shares)
    np.testing.assert_allclose(predicted(ensemble.model, X), mean, rtol=1e-4, atol=1e-5)


IRIS = KINDS["multiclass"]


def crowned(ended: Ended) -> Any:
    config, problem = ended.config, ended.problem
    with fitted_meanwhile(ended.prepared, problem.seed) as fits:
        simple = fits.wait()
    winner = crown(ended.leaderboard, ended.kept, simple, problem, ended.data, ended.prepared, config, "small/1")
    assert winner is not None
    return winner


def test_where_the_study_wants_none_there_is_none_and_the_winner_is_estimated_all_the_same(tmp_path: Path) -> None:
    without = crowned(sweep(tmp_path / "without", **IRIS, study={"ensemble": 0}))
    with_ensemble = crowned(sweep(tmp_path / "with", **IRIS))
    assert without.ensemble is None
    assert with_ensemble.ensemble is not None
    assert without.estimate == with_ensemble.estimate
    assert without.test_scores == with_ensemble.test_scores


def test_without_a_kept_trial_there_is_a_winner_and_neither_ensemble_nor_estimate(tmp_path: Path) -> None:
    winner = crowned(replace(sweep(tmp_path, **IRIS, sweep={"n_trials": 2}), kept=[]))
    assert (winner.ensemble, winner.estimate) == (None, None)


def test_a_sweep_of_one_trial_has_an_ensemble_of_its_folds_and_an_estimate_that_its_iteration_was_chosen(
    tmp_path: Path,
) -> None:
    ended = sweep(tmp_path, **IRIS, sweep={"n_trials": 1})
    winner = crowned(ended)
    assert [(share.number, share.weight) for share in winner.ensemble.shares] == [(0, 1.0)]
    assert len(ended.kept[0].rung_ends) > 0
    assert winner.estimate.uncorrected == pytest.approx(winner.trial.value, rel=1e-5)
    assert winner.estimate.interval[0] < winner.estimate.value < winner.estimate.interval[1]


def test_two_workers_make_the_ensemble_and_the_estimate_of_one_bit_for_bit(tmp_path: Path) -> None:
    one, two = (
        crowned(sweep(tmp_path / name, executor, n_workers, **IRIS))
        for name, executor, n_workers in (("one", "serial", 1), ("two", "processes", 2))
    )
    assert one.estimate == two.estimate
    assert one.ensemble.shares == two.ensemble.shares
    assert one.ensemble.steps == two.ensemble.steps
    assert one.ensemble.scores == two.ensemble.scores
    for mine, theirs in zip(one.ensemble.model.members, two.ensemble.model.members, strict=True):
        for found, given in zip(
            (*mine.parameters.W, *mine.parameters.b), (*theirs.parameters.W, *theirs.parameters.b), strict=True
        ):
            np.testing.assert_array_equal(found, given, strict=True)
