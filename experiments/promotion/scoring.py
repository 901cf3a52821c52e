"""A model scored now, row by row, on raw rows with their labels; or why it cannot be.

What a study minimizes decides, as far as it is a mean over examples:

| `[study] objective`             | decides                                                                      |
|---------------------------------|------------------------------------------------------------------------------|
| accuracy                        | whether a row is right                                                       |
| balanced_accuracy               | the same, each class weighing alike                                          |
| brier                           | squared error of the probabilities                                           |
| balanced_cost                   | log-loss, each class weighing alike                                          |
| cost and the others, of classes | log-loss: an AUC, an average precision or an F1 is no mean over examples     |
| mae, median_absolute_error      | absolute error, in original units                                            |
| cost and the others, of numbers | squared error, in units of the training targets' variance                    |

Where examples have weights (`[data] sample_weight`), each row's loss counts by its own: what decides is the weighted
mean, and of accuracy the same of being wrong, because McNemar's test counts rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from experiments.dataset import Dataset
from experiments.errors import InputError, listed
from experiments.model import Model
from experiments.preparation import PreparedData
from experiments.promotion.comparison import ACCURACY, Scored
from experiments.readers.examples import Features

_OF_CLASSES = {
    "accuracy": ACCURACY,
    "balanced_accuracy": "balanced error",
    "brier": "Brier score",
    "balanced_cost": "balanced log-loss",
}
_OF_NUMBERS = {"mae": "absolute error", "median_absolute_error": "absolute error"}
_CLIPPED_AT = float(np.finfo(np.float32).eps)  # probabilities of all models alike, whatever their dtype


_WEIGHTED = "weighted "


class NotScorableError(Exception):
    """A model has no score on these rows; the message says why."""


def decisive(objective: str, dataset: Dataset) -> str:
    """Name of what decides between two models of a study with this objective."""
    name, others = (_OF_CLASSES, "log-loss") if dataset.class_names else (_OF_NUMBERS, "squared error")
    what = name.get(objective, others)
    return what if dataset.weights_test is None else f"{_WEIGHTED}{what}"


def score_model(model: Model, prepared: PreparedData, is_used: NDArray[np.bool_], what: str) -> Scored:
    """A model's losses on sealed rows.

    Args:
        model: Of any study.
        prepared: The data whose sealed rows are asked for.
        is_used: Those that are, (m_test,).
        what: From `decisive`.
    Raises:
        NotScorableError: Another task, other classes, other columns; or a prediction is not finite.
    """
    dataset = prepared.dataset
    if model.task != dataset.task:
        raise NotScorableError(f"it is a {model.task} model, and the task is {dataset.task}")
    if set(model.class_names) != set(dataset.class_names):
        raise NotScorableError(
            f"it has the classes {listed(model.class_names)}, and the data have {listed(dataset.class_names)}"
        )
    y = dataset.y_test[is_used]
    if not len(y):
        return Scored(np.zeros(0), np.zeros(0, dtype=np.bool_) if dataset.class_names else None)
    try:
        answers = model.table(_rows(dataset.X_test, is_used), proba=bool(dataset.class_names), place="the sealed rows")
    except (InputError, EngineError) as error:
        raise NotScorableError(str(error)) from error
    predicted = answers["prediction"].to_numpy()
    if not dataset.class_names:
        return Scored(_losses_of_numbers(predicted, y, prepared, what, _weights(dataset, is_used)), None)
    P = np.stack([answers[f"probability_{name}"].to_numpy() for name in dataset.class_names])
    is_right = np.asarray(predicted == np.array(dataset.class_names, dtype=object)[y], dtype=np.bool_)
    return Scored(_losses_of_classes(P, y, is_right, what, _weights(dataset, is_used)), is_right)


def score_constant(prepared: PreparedData, is_used: NDArray[np.bool_], what: str) -> Scored:
    """The same of what needs no model: the training examples' shares of the classes, or their mean."""
    dataset = prepared.dataset
    y, weights, trained_by = dataset.y_test[is_used], _weights(dataset, is_used), dataset.weights_train
    if not dataset.class_names:
        predicted = np.full(len(y), np.average(dataset.y_train, weights=trained_by))
        return Scored(_losses_of_numbers(predicted, y, prepared, what, weights), None)
    counts = np.bincount(dataset.y_train, weights=trained_by, minlength=dataset.n_classes)
    shares = counts / counts.sum()
    is_right = np.asarray(y == shares.argmax(), dtype=np.bool_)
    P = np.repeat(shares[:, np.newaxis], len(y), axis=1)
    return Scored(_losses_of_classes(P, y, is_right, what, weights), is_right)


def _weights(dataset: Dataset, is_used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How much each row counts, (m,)."""
    return np.ones(int(is_used.sum())) if dataset.weights_test is None else dataset.weights_test[is_used]


def _losses_of_classes(
    P: NDArray[np.float64], y: NDArray[Any], is_right: NDArray[np.bool_], what: str, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of probabilities (C, m) and codes (m,), each by its weight."""
    what = what.removeprefix(_WEIGHTED)
    P = P / P.sum(axis=0)
    columns = np.arange(len(y))
    if what in (ACCURACY, _OF_CLASSES["balanced_accuracy"]):
        losses = 1.0 - is_right
    elif what == _OF_CLASSES["brier"]:
        is_class = np.zeros_like(P)
        is_class[y, columns] = 1.0
        losses = np.square(P - is_class).sum(axis=0) / (2 if len(P) == 2 else 1)
    else:
        losses = -np.log(np.clip(P[y, columns], _CLIPPED_AT, 1 - _CLIPPED_AT))
    if what.startswith("balanced"):
        of_class = np.bincount(y, weights=weights, minlength=len(P))
        weights = weights / np.where(of_class[y] > 0, of_class[y], 1)
    return _by_weight(losses, weights)


def _losses_of_numbers(
    predicted: NDArray[Any], y: NDArray[Any], prepared: PreparedData, what: str, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of predictions and targets in original units, (m,), each by its weight."""
    if what.removeprefix(_WEIGHTED) == "absolute error":
        return _by_weight(np.abs(predicted - y), weights)
    return _by_weight(((predicted - y) / prepared.target_scaling.scale) ** 2, weights)


def _by_weight(losses: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Losses whose plain mean is the weighted one."""
    total = weights.sum()
    return np.asarray(losses * (weights * len(weights) / total if total > 0 else 1.0), dtype=np.float64)


def _rows(X: Features, is_used: NDArray[np.bool_]) -> Features:
    return X[is_used] if isinstance(X, np.ndarray) else X[is_used].reset_index(drop=True)
