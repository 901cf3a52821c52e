"""Each objective as a score of K candidates on resamples, for `experiments.estimate`.

Nearly all are made of means over the examples, which a matrix product takes for all resamples at once; the area under
the ROC curve has its own algorithm. Two have neither: of `average_precision` and of a median there is no estimate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.objectives import Objective, is_correct, losses, of_classes, predicted, squared_errors
from experiments.estimate import FloatArray, Score, of_means, roc_auc

WITHOUT = ("average_precision", "median_absolute_error")
"""Objectives that would have to be computed anew for every resample and candidate: minutes."""


def score_of(
    objective: Objective, A: NDArray[np.floating], Y: NDArray[np.floating], weights: FloatArray | None = None
) -> Score:
    """The values of K candidates' answers to m examples as a function of how often each example was drawn.

    Args:
        objective: None of `WITHOUT`, and not the cost, which is a mean of losses.
        A: (K, n[L], m), as in `engine.objectives`.
        Y: (n[L], m).
        weights: How much each example counts, (m,); None is 1.
    """
    score = _SCORES[objective.name](objective, A.astype(np.float64), Y.astype(np.float64))
    return score if weights is None else weighted(score, weights)


def weighted(score: Score, weights: FloatArray) -> Score:
    """The same score where examples have weights beside."""
    return lambda counts: score(counts * weights)


def _is_correct(objective: Objective, A: FloatArray, Y: FloatArray) -> FloatArray:
    return np.stack([is_correct(one, Y, objective) for one in A]).astype(np.float64)


def _mean_of_classes(amounts: FloatArray, Y: FloatArray) -> Score:
    """Mean over the classes of the mean amount, (K, m), of each."""
    classes = of_classes(Y)
    everyone = np.ones((len(amounts), 1))

    def combine(*means: FloatArray) -> FloatArray:
        n = len(classes)
        mean: FloatArray = np.mean([of_class / share for of_class, share in zip(means[:n], means[n:], strict=True)], 0)
        return mean

    return of_means(*(amounts * of_class for of_class in classes), *(everyone * c for c in classes), combine=combine)


def _f1(objective: Objective, A: FloatArray, Y: FloatArray) -> Score:
    classes = of_classes(Y)
    is_predicted = np.stack([predicted(one, objective.threshold) for one in A]).astype(np.float64)  # (K, C, m)
    counted = range(1, 2) if len(Y) == 1 else range(len(classes))
    hits = [is_predicted[:, c] * classes[c] for c in counted]
    either = [is_predicted[:, c] + classes[c] for c in counted]

    def combine(*means: FloatArray) -> FloatArray:
        n = len(counted)
        f1: FloatArray = np.mean([2 * hit / both for hit, both in zip(means[:n], means[n:], strict=True)], axis=0)
        return f1

    return of_means(*hits, *either, combine=combine)


def _roc_auc(objective: Objective, A: FloatArray, Y: FloatArray) -> Score:
    areas = [roc_auc(Y[c] > 0.5, A[:, c]) for c in range(len(Y))]

    def score(weights: FloatArray) -> FloatArray:
        mean: FloatArray = np.mean([area(weights) for area in areas], axis=0)
        return mean

    return score


def _rmse(objective: Objective, A: FloatArray, Y: FloatArray) -> Score:
    return of_means(np.square(A - Y).sum(axis=1), combine=np.sqrt)


def _r2(objective: Objective, A: FloatArray, Y: FloatArray) -> Score:
    everyone = np.ones((len(A), 1))
    deviations = Y - Y.mean()  # or targets far from 0 would leave square - mean**2 no digit

    def combine(error: FloatArray, square: FloatArray, mean: FloatArray) -> FloatArray:
        return 1 - error / (square - mean**2)

    squares = everyone * np.square(deviations)
    return of_means(np.square(A - Y).sum(axis=1), squares, everyone * deviations, combine=combine)


_SCORES = {
    "balanced_cost": lambda objective, A, Y: _mean_of_classes(np.stack([losses(one, Y) for one in A]), Y),
    "brier": lambda objective, A, Y: of_means(np.stack([squared_errors(one, Y) for one in A])),
    "accuracy": lambda objective, A, Y: of_means(_is_correct(objective, A, Y)),
    "balanced_accuracy": lambda objective, A, Y: _mean_of_classes(_is_correct(objective, A, Y), Y),
    "f1": _f1,
    "roc_auc": _roc_auc,
    "rmse": _rmse,
    "mae": lambda objective, A, Y: of_means(np.abs(A - Y).sum(axis=1)),
    "r2": _r2,
}
