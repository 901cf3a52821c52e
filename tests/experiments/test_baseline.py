"""What to beat."""

import dataclasses

import numpy as np
import pytest

from experiments import baseline
from experiments.baseline import baselines
from experiments.dataset import load_dataset
from experiments.preparation import prepare


def test_classification_has_the_classes_shares_and_a_logistic_regression() -> None:
    prepared = prepare(load_dataset("sklearn:breast_cancer"))
    constant, linear = baselines(prepared, seed=0)
    assert (constant.name, linear.name) == ("constant", "logistic regression")
    y_train, y_test = prepared.dataset.y_train, prepared.dataset.y_test
    share = y_train.mean()
    assert constant.scores == {
        "accuracy": np.mean(y_test == np.bincount(y_train).argmax()),
        "log_loss": pytest.approx(-np.log(np.where(y_test == 1, share, 1 - share)).mean()),
        "roc_auc": 0.5,
    }
    assert linear.scores["accuracy"] > 0.95


def test_ten_classes() -> None:
    constant, linear = baselines(prepare(load_dataset("sklearn:digits")), seed=0)
    assert constant.scores["accuracy"] < 0.15
    assert linear.scores["accuracy"] > 0.95


@pytest.mark.parametrize("nonnegative", [False, True])
def test_regression_is_scored_in_original_units_whatever_the_target_scaling(nonnegative: bool) -> None:
    dataset = load_dataset("sklearn:diabetes")
    constant, linear = baselines(prepare(dataset, nonnegative_target=nonnegative), seed=0)
    assert (constant.name, linear.name) == ("constant", "ridge regression")
    spread = np.sqrt(np.mean((dataset.y_test - dataset.y_train.mean()) ** 2))
    assert constant.scores["rmse"] == pytest.approx(spread)
    assert constant.scores["r2"] <= 0
    assert linear.scores["rmse"] < 0.9 * spread


def test_the_same_seed_gives_the_same_baselines() -> None:
    prepared = prepare(load_dataset("sklearn:wine"))
    assert baselines(prepared, seed=3) == baselines(prepared, seed=3)


def test_a_regression_that_has_not_converged_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MAX_ITERATIONS", 2)
    assert baselines(prepare(load_dataset("sklearn:iris")), seed=0)[1].name == "logistic regression (not converged)"


def test_a_baseline_never_trains_on_the_sealed_test_set() -> None:
    prepared = prepare(load_dataset("sklearn:iris"))
    shuffled = dataclasses.replace(prepared, X_test=prepared.X_test[:, ::-1].copy())
    assert baselines(prepared, 0)[1].scores != baselines(shuffled, 0)[1].scores
