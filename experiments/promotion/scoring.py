"""A model scored now, row by row, on raw rows with their labels; or why it cannot be."""

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

LOG_LOSS, SQUARED_ERROR = "log-loss", "squared error"

_CLIPPED_AT = float(np.finfo(np.float32).eps)
"""Probabilities that a loss is of; those of all models alike, whatever their dtype."""


class NotScorableError(Exception):
    """A model has no score on these rows; the message says why."""


def losses_of(dataset: Dataset) -> str:
    """Name of the loss of each row."""
    return LOG_LOSS if dataset.class_names else SQUARED_ERROR


def objective_of(dataset: Dataset, objective: str) -> str:
    """What decides between two models, from what a study minimizes: accuracy, or the loss whose mean is the cost."""
    return ACCURACY if objective == ACCURACY and dataset.class_names else losses_of(dataset)


def score_model(model: Model, prepared: PreparedData, is_used: NDArray[np.bool_]) -> Scored:
    """A model's losses on sealed rows: log-loss, or the squared error in units of the training targets' variance.

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
        return Scored(((predicted - y) / prepared.target_scaling.scale) ** 2, None)
    probabilities = np.stack([answers[f"probability_{name}"] for name in dataset.class_names])
    return Scored(_log_losses(probabilities, y), predicted == np.array(dataset.class_names, dtype=object)[y])


def score_constant(prepared: PreparedData, is_used: NDArray[np.bool_]) -> Scored:
    """The same of what needs no model: the training examples' shares of the classes, or their mean."""
    dataset = prepared.dataset
    y = dataset.y_test[is_used]
    if not dataset.class_names:
        return Scored(((dataset.y_train.mean() - y) / prepared.target_scaling.scale) ** 2, None)
    shares = np.bincount(dataset.y_train, minlength=dataset.n_classes) / dataset.n_train
    return Scored(_log_losses(np.repeat(shares[:, np.newaxis], len(y), axis=1), y), y == shares.argmax())


def _log_losses(probabilities: NDArray[np.float64], y: NDArray[Any]) -> NDArray[np.float64]:
    of_true = (probabilities / probabilities.sum(axis=0))[y, np.arange(len(y))]
    losses: NDArray[np.float64] = -np.log(np.clip(of_true, _CLIPPED_AT, 1 - _CLIPPED_AT))
    return losses


def _rows(X: Features, is_used: NDArray[np.bool_]) -> Features:
    return X[is_used] if isinstance(X, np.ndarray) else X[is_used].reset_index(drop=True)
