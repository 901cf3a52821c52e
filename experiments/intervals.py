"""How certain a test set of this size makes the scores of `scores.py`; SciPy computes the intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.objectives import COST, Objective
from experiments.dataset import Task
from experiments.scores import (
    FloatArray,
    counted,
    has_a_spread,
    has_an_order,
    of_objective,
    of_true_class,
    predicted_by,
)

N_RESAMPLES = 2000
MOST_RESAMPLED = 10_000
"""Examples up to which a mean's interval is bootstrapped; of 40,000 that takes 3 s, and the normal one is the same."""

_DRAWS = 10_000_000  # examples drawn in all resamples together
_BATCH_ELEMENTS = 1_000_000  # resampled values held at once, so that a large test set does not fill the memory


@dataclass(frozen=True, slots=True, eq=False)
class _Draws:
    """Resamples of m weighted examples, or of the groups that these belong to."""

    m: int
    seed: int
    weights: FloatArray | None
    groups: NDArray[np.intp] | None

    def interval_of(self, statistic: Callable[[FloatArray | None], float]) -> tuple[float, float]:
        """Percentiles of a statistic of weighted examples: how often each was drawn is its weight."""
        n = self.m if self.groups is None else int(self.groups.max()) + 1
        if n < 2:
            return float("nan"), float("nan")
        rng = np.random.default_rng(self.seed)
        w = np.ones(self.m) if self.weights is None else self.weights
        n_resamples = int(np.clip(_DRAWS // self.m, 200, N_RESAMPLES))
        drawn = (np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(n_resamples))
        weighted = (w * (counts if self.groups is None else counts[self.groups]) for counts in drawn)
        of_any = (weights for weights in weighted if weights.any())  # a resample of weights of 0 alone says nothing
        values = [value for weights in of_any if math.isfinite(value := statistic(weights))]
        if not values:
            return float("nan"), float("nan")
        low, high = np.percentile(values, [2.5, 97.5])
        return float(low), float(high)


def interval_95(
    task: Task,
    y_true: NDArray[Any],
    predictions: NDArray[np.floating],
    seed: int,
    threshold: float | None = None,
    *,
    objective: Objective = COST,
    weights: FloatArray | None = None,
    groups: NDArray[np.intp] | None = None,
) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each score, from the size of the test set alone.

    Accuracy: Wilson's interval. RMSE, R² and log-loss: percentiles of 2000 bootstrap resamples of the examples; of
    more than 10,000, log-loss's is the normal one. ROC AUC: DeLong's, see `_interval_of_auc`. Any other objective's,
    and all where examples have weights: percentiles of resamples, fewer where examples are many.

    Args:
        task: As in `scores`.
        y_true: As in `scores`.
        predictions: As in `scores`.
        seed: Decides the resamples.
        threshold: As in `scores`.
        objective: As in `scores`.
        weights: As in `scores`.
        groups: Which of the groups 0, 1, … each example belongs to, (m,). Then all intervals are of resamples of
            groups: rows of one patient say less than as many patients.

    Returns:
        (low, high) under the names of `scores`; (nan, nan) for a mean over a single example, which says nothing about
        its own spread.
    """
    draws = _Draws(len(y_true), seed, weights, groups)
    if weights is not None or groups is not None:
        intervals = _of_weighted(task, y_true, predictions, threshold, draws)
    else:
        intervals = _of_unweighted(task, y_true, predictions, seed, threshold)
    if objective.is_cost or objective.name in intervals:
        return intervals
    own = of_objective(objective, task, y_true, predictions)
    return {objective.name: draws.interval_of(own), **intervals}


def _of_unweighted(
    task: Task, y_true: NDArray[Any], predictions: NDArray[np.floating], seed: int, threshold: float | None
) -> dict[str, tuple[float, float]]:
    """Intervals of the usual scores."""
    predicted = predicted_by(task, y_true, predictions, threshold)
    if task == "regression":
        arrays = (y_true, predicted)
        statistics = {"rmse": _rmse} | ({"r2": _r2} if has_a_spread(y_true) else {})
        return {name: _bootstrapped(of, arrays, seed) for name, of in statistics.items()}
    n_right = int((predicted == y_true).sum())
    losses = -np.log(of_true_class(y_true, predictions))
    intervals = {"accuracy": _wilson(n_right, len(y_true)), "log_loss": _interval_of_mean(losses, seed)}
    if has_an_order(task, y_true):
        intervals["roc_auc"] = _interval_of_auc(y_true == 1, predictions[-1])
    return intervals


def _of_weighted(
    task: Task,
    y_true: NDArray[Any],
    predictions: NDArray[np.floating],
    threshold: float | None,
    draws: _Draws,
) -> dict[str, tuple[float, float]]:
    """The same where examples have weights, or belong to groups."""
    names = ["rmse"] if task == "regression" else ["accuracy"]
    y_counted = counted(y_true, draws.weights)
    names += ["r2"] if task == "regression" and has_a_spread(y_counted) else []
    names += ["roc_auc"] if has_an_order(task, y_counted) else []
    statistics = {
        name: of_objective(Objective(name, 0.5 if threshold is None else threshold), task, y_true, predictions)
        for name in names
    }
    if task != "regression":
        losses = -np.log(of_true_class(y_true, predictions))
        statistics["log_loss"] = lambda w: float(np.average(losses, weights=w))
    return {name: draws.interval_of(statistic) for name, statistic in statistics.items()}


def _wilson(n_right: int, n: int) -> tuple[float, float]:
    from scipy import stats

    interval = stats.binomtest(n_right, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def _interval_of_auc(is_positive: NDArray[np.bool_], outputs: NDArray[np.floating]) -> tuple[float, float]:
    """The normal interval of the area under the ROC curve, clipped to [0, 1].

    The variance is that of two means: over the positives of the share of negatives below each (`of_positives`), and
    over the negatives of the share of positives above each; both come from midranks in O(m log m). It is 0 where every
    pair is in the same order: then min(n_positive, n_negative) disjoint pairs, which are independent, give Wilson's
    interval. A class with a single example has no spread, and the interval is all there is.

    Source: DeLong, DeLong, Clarke-Pearson 1988; midranks: Sun and Xu 2014.
    """
    from scipy import stats

    positives, negatives = outputs[is_positive], outputs[~is_positive]
    n_positive, n_negative = len(positives), len(negatives)
    ranks = stats.rankdata(np.concatenate([positives, negatives]))
    of_positives = (ranks[:n_positive] - stats.rankdata(positives)) / n_negative
    of_negatives = 1 - (ranks[n_positive:] - stats.rankdata(negatives)) / n_positive
    n_pairs, auc = min(n_positive, n_negative), float(of_positives.mean())
    if auc in (0.0, 1.0):
        return _wilson(round(auc) * n_pairs, n_pairs)
    if n_pairs == 1:
        return 0.0, 1.0
    variance = of_positives.var(ddof=1) / n_positive + of_negatives.var(ddof=1) / n_negative
    half = float(stats.norm.ppf(0.975) * np.sqrt(variance))
    return max(0.0, auc - half), min(1.0, auc + half)


def _interval_of_mean(values: NDArray[np.float64], seed: int) -> tuple[float, float]:
    from scipy import stats

    if len(values) <= MOST_RESAMPLED:
        return _bootstrapped(np.mean, (values,), seed)
    low, high = stats.norm.interval(0.95, values.mean(), values.std() / np.sqrt(len(values)))
    return float(low), float(high)


def _bootstrapped(statistic: Callable[..., Any], arrays: tuple[NDArray[Any], ...], seed: int) -> tuple[float, float]:
    """Percentiles of a statistic of paired (m,) arrays over resamples of the examples."""
    from scipy import stats

    m = len(arrays[0])
    if m < 2:
        return float("nan"), float("nan")
    interval = stats.bootstrap(
        arrays,
        statistic,
        n_resamples=N_RESAMPLES,
        batch=max(1, _BATCH_ELEMENTS // m),
        paired=True,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(interval.low), float(interval.high)


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
