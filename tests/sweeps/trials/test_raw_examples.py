"""Large data have one unscaled copy: folds and the winner are trained to the bits that they have with copies."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from optuna.trial import TrialState

from engine.worker import Rung, run_rung
from experiments.dataset import load_dataset
from experiments.preparation import PreparedData, prepare
from sweeps.data import training_data
from sweeps.execution.executors import Workers
from sweeps.search.winner import refit
from sweeps.trials import raw_examples
from sweeps.trials.problem import Problem
from sweeps.trials.space import Candidate
from sweeps.trials.stored_trial import StoredTrial, TrialNotes
from tests.engine.support.problem import flatten

M = 300
PREPARED = {
    "regression": {"scaling": "standardize", "folds": 3},
    "classes, robust": {"scaling": "robust", "folds": 3},
    "classes, weighted": {"scaling": "auto", "folds": 3, "class_weight": "balanced", "n_starts": 2},
    "hold-out": {"scaling": "auto", "folds": None, "validation_fraction": 0.3},
    "as they are": {"scaling": "none", "folds": 3},
    "shared": {"scaling": "auto", "folds": 3, "scales_folds": False},
}


def prepared_of(folder: Path, kind: str) -> PreparedData:
    """A table with missing numbers and a category that one fold alone has."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"a": rng.standard_normal(M), "b": np.exp(rng.standard_normal(M))})
    frame.loc[::7, "a"] = np.nan
    frame["town"] = np.where(np.arange(M) == 5, "Ulm", rng.choice(np.array(["Rom", "Paris"]), M))
    y = frame["b"] + rng.standard_normal(M)
    frame["y"] = np.where(y > 1, "yes", "no") if kind in ("classes, robust", "classes, weighted", "shared") else y
    frame.to_parquet(folder / "train.parquet")
    dataset = load_dataset("train.parquet", target="y", directory=folder)
    return prepare(dataset, **({"scales_folds": True} | PREPARED[kind]))  # type: ignore[arg-type]


def problem_of(prepared: PreparedData) -> Problem:
    n_networks, m = prepared.held_out.shape
    task, n_starts = prepared.dataset.task, prepared.n_starts
    return Problem(prepared.n_features, len(prepared.Y), m, n_networks, task, "float32", seed=0, n_starts=n_starts)


def candidate() -> Candidate:
    return Candidate(
        learning_rate=0.01, n_iterations=60, hidden_units=(7,), activation="relu", optimizer="adamw",
        minibatch_size=32, weight_decay=0.01, label_smoothing=0.0, dropout=0.1, learning_rate_schedule="averaged",
    )  # fmt: skip


@pytest.mark.parametrize("kind", PREPARED)
def test_trials_and_the_winner_have_the_bits_that_they_have_with_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    prepared, found = prepared_of(tmp_path, kind), []
    problem = problem_of(prepared)
    rung = Rung(problem.hyperparameters(candidate(), 4), (0, 4), None, 60, (0, 30, 60), n_starts=prepared.n_starts)
    for from_bytes in (0, 2**40):
        monkeypatch.setattr(raw_examples, "FROM_BYTES", from_bytes)
        data = training_data(prepared, "float32", leaves_span=True, minibatch_sizes=(32,))
        assert (data.raw is not None) is (from_bytes == 0 and "robust" not in kind)
        result = run_rung(rung, data)
        trial = StoredTrial(4, TrialState.COMPLETE, 0.0, candidate(), TrialNotes(best_iteration=60), None, None)
        model = refit(trial, problem, data, prepared, "study")
        found.append((result, flatten(model.members[0].parameters)))
        with Workers("serial", 1) as workers:
            executor, run = workers.train_on(data, folder=tmp_path)
            np.testing.assert_array_equal(executor.submit(run, rung).result().state.theta, result.state.theta)
    (one, refitted), (other, expected) = found
    np.testing.assert_array_equal(one.state.theta, other.state.theta)
    np.testing.assert_array_equal(one.curve.validation_value, other.curve.validation_value)
    np.testing.assert_array_equal(one.curve.logits, other.curve.logits)
    np.testing.assert_array_equal(refitted, expected)


def test_where_a_trial_may_train_on_all_examples_at_once_each_network_has_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(raw_examples, "FROM_BYTES", 0)
    prepared = prepared_of(tmp_path, "regression")
    for sizes in ((0,), (32, 0), (32, 160)):  # of 240 examples three folds train on 160
        assert training_data(prepared, "float32", leaves_span=True, minibatch_sizes=sizes).raw is None
    assert training_data(prepared, "float32", leaves_span=True, minibatch_sizes=(32, 159)).raw is not None
