"""Objectives: what a trial is judged by on the examples that its networks hold out, defined as scikit-learn does.

| objective             | of      | better | is, with weights of the examples                                        |
|-----------------------|---------|--------|-------------------------------------------------------------------------|
| cost                  | both    | lower  | mean loss: log-loss, or squared error of scaled targets                 |
| balanced_cost         | classes | lower  | mean over the classes of the mean log-loss of each                      |
| brier                 | classes | lower  | mean squared error of probabilities; of 3 classes or more, of their sum |
| accuracy              | classes | higher | share that is classified correctly                                      |
| balanced_accuracy     | classes | higher | mean over the classes of that share                                     |
| f1                    | classes | higher | 2 TP / (2 TP + FP + FN) of class 1; of 3 or more, their mean            |
| roc_auc               | classes | higher | area under the ROC curve; of 3 or more, mean of each against all        |
| average_precision     | classes | higher | sum of precisions times the recall that each adds; as above             |
| rmse                  | numbers | lower  | root mean squared error, in original units                              |
| mae                   | numbers | lower  | mean absolute error, in original units                                  |
| median_absolute_error | numbers | lower  | in original units                                                       |
| r2                    | numbers | higher | 1 - sum of squared errors / sum of squares about the mean               |

Notation: A, Y (n[L], m), float64: probabilities (binary: one row, of class 1) or targets in original units; w (m,).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from engine.activations import BoolArray, Float64Array, FloatArray

Kind = Literal["classes", "numbers"]


@dataclass(frozen=True, slots=True)
class Objective:
    """One of `OBJECTIVES`, with what it is a function of beside the answers.

    Attributes:
        threshold: Of two classes, the probability from which on class 1 is predicted.
    """

    name: str = "cost"
    threshold: float = 0.5

    @property
    def is_higher_better(self) -> bool:
        """Whether a higher value is a better one."""
        return OBJECTIVES[self.name].is_higher_better

    @property
    def is_cost(self) -> bool:
        """Whether it is what training lowers."""
        return self.name == "cost"

    @property
    def decides(self) -> bool:
        """Whether it is a function of decisions, and so of the threshold."""
        return self.name in ("accuracy", "balanced_accuracy", "f1")

    def is_better(self, value: float, than: float | None) -> bool:
        """Whether a value is better than another one; every value is better than none."""
        if than is None:
            return True
        return value > than if self.is_higher_better else value < than

    def ordered(self, value: float | None) -> float:
        """A number that is the lower the better the value is; inf for none."""
        if value is None:
            return math.inf
        return -value if self.is_higher_better else value

    def of(self, A: FloatArray, Y: FloatArray, weights: Float64Array | None = None) -> float:
        """The value of answers A to examples Y; nan where these leave it undefined, as one class does an AUC."""
        value = OBJECTIVES[self.name].value
        assert value is not None, "the cost is the mean of the head's losses"
        w = np.ones(Y.shape[1]) if weights is None else weights
        if not w.any():
            return math.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(value(A.astype(np.float64, copy=False), Y.astype(np.float64, copy=False), w, self))


COST = Objective()
"""The default."""


class Definition(NamedTuple):
    """What a name in `[study] objective` means; the cost is the head's to compute, from logits (`engine.heads`)."""

    kind: Kind | None
    is_higher_better: bool
    value: Callable[[Float64Array, Float64Array, Float64Array, Objective], float] | None


def losses(A: Float64Array, Y: Float64Array) -> Float64Array:
    """Log-loss of each example, (m,); probabilities are kept above the machine epsilon, as scikit-learn does."""
    of_true_class = (of_classes(Y) * of_classes(A)).sum(axis=0)
    found: Float64Array = -np.log(np.maximum(of_true_class, np.finfo(np.float64).eps))
    return found


def squared_errors(A: Float64Array, Y: Float64Array) -> Float64Array:
    """Squared error of each example, (m,); of two classes, that of class 1 alone."""
    errors: Float64Array = np.square(A - Y).sum(axis=0)
    return errors


def predicted(A: Float64Array, threshold: float) -> BoolArray:
    """The predicted class of each example as one True in its column, (C, m)."""
    is_predicted: BoolArray = np.arange(len(A))[:, np.newaxis] == A.argmax(axis=0)
    if len(A) == 1:
        is_one = A[0] >= threshold
        is_predicted = np.stack([~is_one, is_one])
    return is_predicted


def _balanced_cost(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    return _mean_of_classes(losses(A, Y), Y, w)


def _brier(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    return float(np.average(squared_errors(A, Y), weights=w))


def _accuracy(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    return float(np.average(is_correct(A, Y, objective), weights=w))


def _balanced_accuracy(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    return _mean_of_classes(is_correct(A, Y, objective), Y, w)


def _f1(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    is_class, is_predicted = of_classes(Y) > 0.5, predicted(A, objective.threshold)
    hits, either = (is_class & is_predicted) @ w, is_class @ w + is_predicted @ w
    each = np.where(either > 0, 2 * hits / either, 0.0)
    return float(each[1] if len(A) == 1 else each[either > 0].mean())


def _roc_auc(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    def area(hits: Float64Array, alarms: Float64Array) -> float:
        steps = np.diff(alarms, prepend=0) * (hits + np.concatenate([[0], hits[:-1]])) / 2
        return float(steps.sum() / (hits[-1] * alarms[-1]))

    return _of_rankings(area, A, Y, w)


def _average_precision(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    def area(hits: Float64Array, alarms: Float64Array) -> float:
        return float((np.diff(hits, prepend=0) * hits / (hits + alarms)).sum() / hits[-1])

    return _of_rankings(area, A, Y, w)


def _squared_error(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    return float(np.average(squared_errors(A, Y), weights=w))


def _rmse(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    return math.sqrt(_squared_error(A, Y, w, objective))


def _mae(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    return float(np.average(np.abs(A - Y)[0], weights=w))


def _median_absolute_error(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    errors = np.abs(A - Y)[0]
    order = np.argsort(errors)
    below = w[order].cumsum()
    middle = [np.searchsorted(below, below[-1] / 2, side) for side in ("left", "right")]
    return float(errors[order[middle]].mean())


def _r2(A: Float64Array, Y: Float64Array, w: Float64Array, objective: Objective) -> float:
    spread = np.average(np.square(Y - np.average(Y[0], weights=w))[0], weights=w)
    return 1 - _squared_error(A, Y, w, objective) / spread if spread > 0 else math.nan


def of_classes(A: Float64Array) -> Float64Array:
    """One row a class, (C, m), where two classes have one row."""
    return np.vstack([1 - A, A]) if len(A) == 1 else A


def is_correct(A: Float64Array, Y: Float64Array, objective: Objective) -> BoolArray:
    """Whether the predicted class of each example is its own, (m,)."""
    hits = predicted(A, objective.threshold) & (of_classes(Y) > 0.5)
    return np.asarray(hits.any(axis=0))


def _mean_of_classes(amounts: Float64Array | BoolArray, Y: Float64Array, w: Float64Array) -> float:
    """Mean over the classes that occur of the mean amount of each."""
    is_class = of_classes(Y) > 0.5
    n = is_class @ w
    return float(((is_class @ (w * amounts))[n > 0] / n[n > 0]).mean())


def _of_rankings(
    area: Callable[[Float64Array, Float64Array], float], A: Float64Array, Y: Float64Array, w: Float64Array
) -> float:
    """A number that is made of the weights of positives and of negatives that are ranked at each output or above.

    Of three classes or more it is the mean over them, each against all others. nan where a class has no example.
    """
    each = []
    for outputs, is_positive in zip(A, Y > 0.5, strict=True):
        order = np.argsort(-outputs, kind="stable")
        is_last = np.concatenate([np.diff(outputs[order]) != 0, [True]])  # of those that have the same output
        hits, alarms = (np.cumsum(counted[order])[is_last] for counted in (w * is_positive, w * ~is_positive))
        each.append(area(hits, alarms) if hits[-1] > 0 and alarms[-1] > 0 else math.nan)
    return float(np.mean(each))


OBJECTIVES: dict[str, Definition] = {
    "cost": Definition(None, False, None),
    "balanced_cost": Definition("classes", False, _balanced_cost),
    "brier": Definition("classes", False, _brier),
    "accuracy": Definition("classes", True, _accuracy),
    "balanced_accuracy": Definition("classes", True, _balanced_accuracy),
    "f1": Definition("classes", True, _f1),
    "roc_auc": Definition("classes", True, _roc_auc),
    "average_precision": Definition("classes", True, _average_precision),
    "rmse": Definition("numbers", False, _rmse),
    "mae": Definition("numbers", False, _mae),
    "median_absolute_error": Definition("numbers", False, _median_absolute_error),
    "r2": Definition("numbers", True, _r2),
}
