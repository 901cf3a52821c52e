"""Each objective is scikit-learn's score of the same name, with weights and without, and knows which way is up."""

import math
from functools import partial

import numpy as np
import pytest
from sklearn import metrics

from engine.objectives import OBJECTIVES, Objective


def _balanced_log_loss(y, p, sample_weight):
    balanced = sample_weight / np.array([sample_weight[y == code].sum() for code in range(3)])[y]
    return metrics.log_loss(y, p, sample_weight=balanced, labels=range(p.shape[1]))


ORACLES = {
    "binary": {
        "balanced_cost": lambda y, p, sample_weight: metrics.log_loss(
            y, p, sample_weight=sample_weight / np.array([sample_weight[y == k].sum() for k in (0, 1)])[y]
        ),
        "brier": metrics.brier_score_loss,
        "accuracy": lambda y, p, **w: metrics.accuracy_score(y, p >= 0.3, **w),
        "balanced_accuracy": lambda y, p, **w: metrics.balanced_accuracy_score(y, p >= 0.3, **w),
        "f1": lambda y, p, **w: metrics.f1_score(y, p >= 0.3, **w),
        "roc_auc": metrics.roc_auc_score,
        "average_precision": metrics.average_precision_score,
    },
    "multiclass": {
        "balanced_cost": _balanced_log_loss,
        "brier": metrics.brier_score_loss,
        "accuracy": lambda y, p, **w: metrics.accuracy_score(y, p.argmax(axis=1), **w),
        "balanced_accuracy": lambda y, p, **w: metrics.balanced_accuracy_score(y, p.argmax(axis=1), **w),
        "f1": lambda y, p, **w: metrics.f1_score(y, p.argmax(axis=1), average="macro", **w),
        "roc_auc": partial(metrics.roc_auc_score, multi_class="ovr"),
        "average_precision": metrics.average_precision_score,
    },
    "regression": {
        "rmse": lambda y, a, **w: metrics.root_mean_squared_error(y, a, **w),
        "mae": lambda y, a, **w: metrics.mean_absolute_error(y, a, **w),
        "median_absolute_error": lambda y, a, **w: metrics.median_absolute_error(y, a, **w),
        "r2": metrics.r2_score,
    },
}


def _answers(task: str, m: int = 61) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A and Y, columns are examples, and y as scikit-learn takes it; outputs are rounded, so that some are equal."""
    rng = np.random.default_rng(len(task))
    if task == "binary":
        y = rng.integers(0, 2, m)
        return np.clip(0.3 * y + 0.7 * rng.random(m), 0, 1).round(1)[np.newaxis].clip(0.05, 0.95), y[np.newaxis], y
    if task == "multiclass":
        y = rng.integers(0, 3, m)
        A = np.exp(rng.normal(size=(3, m)).round(1) + (np.arange(3)[:, np.newaxis] == y))
        return A / A.sum(axis=0), np.eye(3)[:, y], y
    y = rng.normal(size=m)
    return (y + rng.normal(size=m))[np.newaxis], y[np.newaxis], y


CASES = [(task, name) for task, oracles in ORACLES.items() for name in oracles]


@pytest.mark.parametrize(("task", "name"), CASES)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_an_objective_is_the_score_of_scikit_learn(task, name, is_weighted):
    A, Y, y = _answers(task)
    w = np.random.default_rng(5).integers(0, 4, len(y)).astype(float) if is_weighted else np.ones(len(y))
    said = A[0] if len(A) == 1 else A.T
    expected = ORACLES[task][name](y, said, sample_weight=w)
    found = Objective(name, threshold=0.3).of(A, Y.astype(float), w if is_weighted else None)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("task", "name"), CASES)
def test_better_answers_have_a_better_value(task, name):
    A, Y, _ = _answers(task)
    objective = Objective(name)
    right = np.clip(Y, 0.01, 0.99) if task != "regression" else Y
    assert objective.is_better(objective.of(right, Y), objective.of(A, Y))
    assert objective.ordered(objective.of(right, Y)) < objective.ordered(objective.of(A, Y)) < objective.ordered(None)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_a_ranking_of_one_class_is_undefined(name):
    A, Y = np.array([[0.2, 0.4, 0.7]]), np.ones((1, 3))
    assert math.isnan(Objective(name).of(A, Y))


def test_r2_of_equal_targets_is_undefined():
    assert math.isnan(Objective("r2").of(np.array([[1.0, 2.0]]), np.array([[3.0, 3.0]])))


def test_every_objective_but_the_cost_which_is_the_head_s_has_an_oracle():
    assert {name for _, name in CASES} == set(OBJECTIVES) - {"cost"}
