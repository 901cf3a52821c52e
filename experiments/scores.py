"""How good predictions are, and how certain a test set of this size can make that.

scikit-learn computes the metrics, SciPy the intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.dataset import Task

N_RESAMPLES = 2000
_BATCH_ELEMENTS = 1_000_000  # resampled values held at once, so that a large test set does not fill the memory


def scores(
    task: Task, y_true: NDArray[Any], predictions: NDArray[np.floating], threshold: float | None = None
) -> dict[str, float]:
    """Score predictions.

    Args:
        task: Decides the metrics.
        y_true: (m,): class codes, or targets in original units.
        predictions: Columns are examples. Classification: probabilities, (1, m) of class 1 or (C, m); class 1
            is predicted from 0.5 on, else the most probable class. Regression: (1, m) in original units.
        threshold: Of two classes, the probability from which on class 1 is predicted instead; of no effect otherwise.

    Returns:
        {"accuracy"}, or {"rmse", "r2"}.

    Raises:
        ValueError: `predictions` do not have m columns.
    """
    from sklearn import metrics

    predicted = _predicted(task, y_true, predictions, threshold)
    if task == "regression":
        return {
            "rmse": float(metrics.root_mean_squared_error(y_true, predicted)),
            "r2": float(metrics.r2_score(y_true, predicted)) if len(y_true) > 1 else float("nan"),
        }
    return {"accuracy": float(metrics.accuracy_score(y_true, predicted))}


def interval_95(
    task: Task, y_true: NDArray[Any], predictions: NDArray[np.floating], seed: int, threshold: float | None = None
) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each score, from the size of the test set alone.

    Accuracy: Wilson's interval. RMSE and R²: percentiles of 2000 bootstrap resamples of the examples.

    Args:
        task: As in `scores`.
        y_true: As in `scores`.
        predictions: As in `scores`.
        seed: Decides the resamples.
        threshold: As in `scores`.

    Returns:
        (low, high) under the names of `scores`; (nan, nan) for a regression with a single example, which says
        nothing about its own spread.
    """
    from scipy import stats

    predicted = _predicted(task, y_true, predictions, threshold)
    if task != "regression":
        n_right = int((predicted == y_true).sum())
        interval = stats.binomtest(n_right, len(y_true)).proportion_ci(0.95, method="wilson")
        return {"accuracy": (float(interval.low), float(interval.high))}
    if len(y_true) < 2:
        return dict.fromkeys(("rmse", "r2"), (float("nan"), float("nan")))

    intervals = {}
    for name, statistic in (("rmse", _rmse), ("r2", _r2)):
        result = stats.bootstrap(
            (y_true, predicted),
            statistic,
            n_resamples=N_RESAMPLES,
            batch=max(1, _BATCH_ELEMENTS // len(y_true)),
            paired=True,
            vectorized=True,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
        intervals[name] = (float(result.low), float(result.high))
    return intervals


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


def _predicted(
    task: Task, y_true: NDArray[Any], predictions: NDArray[np.floating], threshold: float | None
) -> NDArray[Any]:
    if predictions.ndim != 2 or predictions.shape[1] != len(y_true):
        raise ValueError(f"predictions have shape {predictions.shape}, not (rows, {len(y_true)})")
    return decided(task, predictions, threshold)


def _rmse(y_true: NDArray[Any], predicted: NDArray[Any], axis: int = -1) -> NDArray[np.float64]:
    from sklearn.metrics import root_mean_squared_error

    return _of_each_resample(root_mean_squared_error, y_true, predicted, axis)


def _r2(y_true: NDArray[Any], predicted: NDArray[Any], axis: int = -1) -> NDArray[np.float64]:
    from sklearn.metrics import r2_score

    return _of_each_resample(r2_score, y_true, predicted, axis)


def _of_each_resample(
    metric: Callable[..., Any], y_true: NDArray[Any], predicted: NDArray[Any], axis: int
) -> NDArray[np.float64]:
    """The metric along `axis`: scikit-learn takes resamples as the columns of one multi-output problem."""
    y_true, predicted = np.moveaxis(y_true, axis, 0), np.moveaxis(predicted, axis, 0)
    m, shape = len(y_true), y_true.shape[1:]
    values = metric(y_true.reshape(m, -1), predicted.reshape(m, -1), multioutput="raw_values")
    return np.asarray(values, dtype=np.float64).reshape(shape)
