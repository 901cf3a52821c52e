"""How good predictions are, by scikit-learn's metrics; how certain that is, `intervals.py` says."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.objectives import COST, Objective
from experiments.dataset import Task

FloatArray = NDArray[np.float64]

LABELS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "median_absolute_error": "median absolute error",
    "r2": "R²",
    "log_loss": "log-loss",
    "roc_auc": "AUC",
    "brier": "Brier score",
    "f1": "F1",
    "balanced_cost": "balanced cost",
    "balanced_accuracy": "balanced accuracy",
    "average_precision": "average precision",
}


def label(name: str) -> str:
    """A score or an objective as people write it."""
    return LABELS.get(name, name)


def scores(
    task: Task,
    y_true: NDArray[Any],
    predictions: NDArray[np.floating],
    threshold: float | None = None,
    *,
    objective: Objective = COST,
    weights: FloatArray | None = None,
) -> dict[str, float]:
    """Score predictions.

    Args:
        task: Decides the metrics.
        y_true: (m,): class codes, or targets in original units.
        predictions: Columns are examples. Classification: probabilities, (1, m) of class 1 or (C, m); class 1
            is predicted from 0.5 on, else the most probable class. Regression: (1, m) in original units.
        threshold: Of two classes, the probability from which on class 1 is predicted instead; of no effect otherwise.
        objective: What trials were judged by. Unless it is the cost, or among the others, its score is the first.
        weights: How much each example counts, (m,); None is 1. Some must be above 0.

    Returns:
        {"accuracy", "log_loss"} and, of two classes that both count, {"roc_auc"}; or {"rmse"} and, of targets that are
        not all equal, {"r2"}. All of them are scikit-learn's, which clips probabilities at the resolution of their
        dtype before it takes logarithms. The objective's is scikit-learn's too (`engine.objectives`); missing where
        these examples leave it undefined.

    Raises:
        ValueError: `predictions` do not have m columns.
    """
    from sklearn import metrics

    predicted, y_counted = predicted_by(task, y_true, predictions, threshold), counted(y_true, weights)
    weighted: Any = {"sample_weight": weights}
    if task == "regression":
        found = {"rmse": float(metrics.root_mean_squared_error(y_true, predicted, **weighted))}
        if has_a_spread(y_counted):
            found["r2"] = float(metrics.r2_score(y_true, predicted, **weighted))
    else:
        probabilities = _of_each_class(predictions)
        labels = np.arange(len(probabilities))
        found = {
            "accuracy": float(metrics.accuracy_score(y_true, predicted, **weighted)),
            "log_loss": float(metrics.log_loss(y_true, probabilities.T, labels=labels, **weighted)),
        }
        if has_an_order(task, y_counted):
            found["roc_auc"] = float(metrics.roc_auc_score(y_true, predictions[-1], **weighted))
    if objective.is_cost or objective.name in found:
        return found
    value = of_objective(objective, task, y_true, predictions)(weights)
    return found if math.isnan(value) else {objective.name: value, **found}


def decided(task: Task, predictions: NDArray[np.floating], threshold: float | None = None) -> NDArray[Any]:
    """Turn predictions into decisions: class codes, or targets.

    Args:
        task: As in `scores`.
        predictions: As in `scores`, (rows, m).
        threshold: As in `scores`; compared in float64, as probabilities are shown.

    Returns:
        (m,).
    """
    if task == "regression":
        return np.asarray(predictions[0])
    if task == "binary" and threshold is not None:
        return np.asarray(predictions[-1] >= np.float64(threshold), dtype=np.int64)
    if len(predictions) == 1:
        return np.asarray(predictions[0] >= 0.5, dtype=np.int64)
    return np.asarray(predictions.argmax(axis=0))


def of_objective(
    objective: Objective, task: Task, y_true: NDArray[Any], predictions: NDArray[np.floating]
) -> Callable[[FloatArray | None], float]:
    """The objective's value of these predictions as a function of the examples' weights; in original units."""
    A, Y = predictions.astype(np.float64), y_true[np.newaxis].astype(np.float64)
    if task == "binary":
        A = A[-1:]
    elif task == "multiclass":
        Y = (y_true == np.arange(len(A))[:, np.newaxis]).astype(np.float64)
    return partial(objective.of, A, Y)


def predicted_by(
    task: Task, y_true: NDArray[Any], predictions: NDArray[np.floating], threshold: float | None
) -> NDArray[Any]:
    """`decided`, where there is one prediction for each of `y_true`.

    Raises:
        ValueError: `predictions` do not have m columns.
    """
    if predictions.ndim != 2 or predictions.shape[1] != len(y_true):
        raise ValueError(f"predictions have shape {predictions.shape}, not (rows, {len(y_true)})")
    return decided(task, predictions, threshold)


def counted(y_true: NDArray[Any], weights: FloatArray | None) -> NDArray[Any]:
    """Those of the examples that count at all: whose weight is not 0."""
    return y_true if weights is None else y_true[weights > 0]


def has_an_order(task: Task, y_true: NDArray[Any]) -> bool:
    """Whether there are two classes to tell apart."""
    return task == "binary" and 0 < int((y_true == 1).sum()) < len(y_true)


def _of_each_class(predictions: NDArray[np.floating]) -> NDArray[np.floating]:
    """Probabilities (C, m) whose sums are 1 to their last bits: of an ensemble's, that is not so."""
    if len(predictions) == 1:
        of_one = np.clip(predictions, 0, 1)
        return np.vstack([1 - of_one, of_one])
    shares: NDArray[np.floating] = predictions / predictions.sum(axis=0)
    return shares


def of_true_class(y_true: NDArray[Any], predictions: NDArray[np.floating]) -> NDArray[np.float64]:
    """What the true class of each example was given, (m,); clipped as scikit-learn does."""
    given = _of_each_class(predictions)[y_true, np.arange(len(y_true))]
    eps = np.finfo(given.dtype).eps
    return np.asarray(np.clip(given, eps, 1 - eps), dtype=np.float64)


def has_a_spread(y_true: NDArray[Any]) -> bool:
    """Whether there is anything to explain: R² divides by it."""
    return bool((y_true != y_true[0]).any())
