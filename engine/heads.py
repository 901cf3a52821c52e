"""Heads: the output activation together with the loss it is trained on.

The one place that says what dZ[L] is (per example, before the mean over examples):

| head                   | A[L] = g(Z[L]) | loss L(a, y)                 | dL/dZ[L]              |
|------------------------|----------------|------------------------------|-----------------------|
| binary                 | sigmoid        | -y log a - (1 - y) log(1-a)  | A - Y                 |
| multiclass             | softmax        | -sum_k y_k log a_k           | A - Y                 |
| regression             | identity       | (a - y)^2                    | 2 (A - Y)             |
| nonnegative_regression | relu           | (a - y)^2                    | 2 (A - Y) where Z > 0 |

So dZ[L] = A[L] - Y for the two cross-entropies: sigmoid and softmax are their canonical links (Bishop 2006, 4.3.6).
For mean squared error it is twice that, and the ReLU masks it. Losses of the cross-entropies are computed from
the logits Z, so they stay finite and exact to the last digits where A rounds to 0 or 1.
"""

from abc import ABC, abstractmethod
from functools import partial
from typing import ClassVar

import numpy as np

from engine.activations import BoolArray, FloatArray, sigmoid
from engine.steps import Step, run, step


class Head(ABC):
    """Output activation and loss. Stateless; every array is (F, n[L], m) unless said otherwise."""

    name: ClassVar[str]
    is_classifier: ClassVar[bool]

    @abstractmethod
    def outputs(self, Z: FloatArray) -> FloatArray:
        """A[L] = g(Z[L])."""

    @abstractmethod
    def losses(self, Z: FloatArray, Y: FloatArray) -> FloatArray:
        """Loss of every example of every network, (F, m), from the logits."""

    @abstractmethod
    def goal(self, Y: FloatArray, step_size: FloatArray | float) -> FloatArray:
        """What `backward` needs of the targets, as Y in shape; step_size is (F, 1, m), called s below."""

    @abstractmethod
    def scale(self, step_size: FloatArray) -> FloatArray:
        """What `backward` needs of the step sizes, as these in shape."""

    @abstractmethod
    def backward(self, Z: FloatArray, goal: FloatArray, scale: FloatArray, dZ: FloatArray) -> list[Step]:
        """Steps that write s dL/dZ[L] of every example into dZ; `goal` and `scale` are of that s, and may change."""

    def smoothed(self, Y: FloatArray, label_smoothing: float) -> FloatArray:
        """Targets between the true class and all classes alike (Szegedy et al. 2016); Y itself for a regression."""
        if label_smoothing == 0 or not self.is_classifier:
            return Y
        n_classes = max(2, Y.shape[-2])
        smooth: FloatArray = (Y * (1 - label_smoothing) + label_smoothing / n_classes).astype(Y.dtype)
        return smooth

    def is_correct(self, Z: FloatArray, Y: FloatArray) -> BoolArray:
        """Whether the predicted class is the true one, (F, m). Classifiers only."""
        raise TypeError(f"{self.name} has no classes to be right about")


class Binary(Head):
    """Sigmoid and cross-entropy; Y is 0 or 1, n[L] = 1."""

    name = "binary"
    is_classifier = True

    def outputs(self, Z: FloatArray) -> FloatArray:
        """sigmoid(Z)."""
        A = np.empty_like(Z)
        run(sigmoid(Z, A))
        return A

    def losses(self, Z: FloatArray, Y: FloatArray) -> FloatArray:
        """log(1 + exp(Z)) - Y Z, which equals -Y log A - (1 - Y) log(1 - A).

        Written as (max(0, Z) - Y Z) + log(1 + exp(-|Z|)): the difference is exact, so a confident, correct answer keeps
        its small loss instead of losing it to the rounding of a large Z.
        """
        losses: FloatArray = np.maximum(Z, 0) - Y * Z + np.log1p(np.exp(-np.abs(Z)))
        return losses[..., 0, :]

    def goal(self, Y: FloatArray, step_size: FloatArray | float) -> FloatArray:
        """s (Y - 1 / 2)."""
        goal: FloatArray = step_size * (Y - np.array(0.5, Y.dtype))
        return goal

    def scale(self, step_size: FloatArray) -> FloatArray:
        """s / 2."""
        return step_size / 2

    def backward(self, Z: FloatArray, goal: FloatArray, scale: FloatArray, dZ: FloatArray) -> list[Step]:
        """s (A - Y), where A = (1 + tanh(Z / 2)) / 2; so s / 2 tanh(Z / 2) - s (Y - 1 / 2)."""
        return [
            step(np.multiply, Z, np.array(0.5, Z.dtype), out=dZ),
            step(np.tanh, dZ, out=dZ),
            step(np.multiply, dZ, scale, out=dZ),
            step(np.subtract, dZ, goal, out=dZ),
        ]

    def is_correct(self, Z: FloatArray, Y: FloatArray) -> BoolArray:
        """Z >= 0, that is A >= 1/2, means class 1."""
        correct: BoolArray = (Z >= 0) == (Y >= 0.5)
        return correct[..., 0, :]


class Multiclass(Head):
    """Softmax and cross-entropy; columns of Y are one-hot, n[L] = number of classes."""

    name = "multiclass"
    is_classifier = True

    def outputs(self, Z: FloatArray) -> FloatArray:
        """exp(Z) / sum exp(Z), shifted by the largest logit of each column."""
        A: FloatArray = np.exp(Z - Z.max(axis=-2, keepdims=True))
        A /= A.sum(axis=-2, keepdims=True)
        return A

    def losses(self, Z: FloatArray, Y: FloatArray) -> FloatArray:
        """log(sum exp(Z)) - sum(Y Z), with Z shifted by the largest logit of each column, which cancels."""
        shifted = Z - Z.max(axis=-2, keepdims=True)
        losses: FloatArray = np.log(np.exp(shifted).sum(axis=-2)) - (Y * shifted).sum(axis=-2)
        return losses

    def goal(self, Y: FloatArray, step_size: FloatArray | float) -> FloatArray:
        """s Y."""
        return step_size * Y

    def scale(self, step_size: FloatArray) -> FloatArray:
        """s."""
        return step_size

    def backward(self, Z: FloatArray, goal: FloatArray, scale: FloatArray, dZ: FloatArray) -> list[Step]:
        """s (A - Y), as E (s / sum E) - s Y, where E = exp(Z - max Z)."""
        largest, share = np.empty_like(scale), np.empty_like(scale)
        return [
            partial(np.maximum.reduce, Z, axis=-2, keepdims=True, out=largest),
            step(np.subtract, Z, largest, out=dZ),
            step(np.exp, dZ, out=dZ),
            partial(np.add.reduce, dZ, axis=-2, keepdims=True, out=share),
            step(np.divide, scale, share, out=share),
            step(np.multiply, dZ, share, out=dZ),
            step(np.subtract, dZ, goal, out=dZ),
        ]

    def is_correct(self, Z: FloatArray, Y: FloatArray) -> BoolArray:
        """The largest logit names the class."""
        correct: BoolArray = Z.argmax(axis=-2) == Y.argmax(axis=-2)
        return correct


class Regression(Head):
    """Identity and squared error; the cost is the mean squared error (summed over outputs, if several)."""

    name = "regression"
    is_classifier = False

    def outputs(self, Z: FloatArray) -> FloatArray:
        """Z."""
        return Z.copy()

    def losses(self, Z: FloatArray, Y: FloatArray) -> FloatArray:
        """(A - Y)^2, summed over the outputs."""
        losses: FloatArray = np.square(self.outputs(Z) - Y).sum(axis=-2)
        return losses

    def goal(self, Y: FloatArray, step_size: FloatArray | float) -> FloatArray:
        """Y."""
        return Y

    def scale(self, step_size: FloatArray) -> FloatArray:
        """2 s."""
        return 2 * step_size

    def backward(self, Z: FloatArray, goal: FloatArray, scale: FloatArray, dZ: FloatArray) -> list[Step]:
        """2 s (A - Y)."""
        return [step(np.subtract, Z, goal, out=dZ), step(np.multiply, dZ, scale, out=dZ)]


class NonnegativeRegression(Regression):
    """ReLU and squared error, for targets that cannot be negative, such as prices."""

    name = "nonnegative_regression"

    def outputs(self, Z: FloatArray) -> FloatArray:
        """max(0, Z)."""
        A: FloatArray = np.maximum(Z, 0)
        return A

    def backward(self, Z: FloatArray, goal: FloatArray, scale: FloatArray, dZ: FloatArray) -> list[Step]:
        """2 s (A - Y) where Z > 0, and A = Z there; else 0."""
        is_above: BoolArray = np.empty(Z.shape, np.bool_)
        return [
            *super().backward(Z, goal, scale, dZ),
            step(np.greater, Z, np.array(0, Z.dtype), out=is_above),
            step(np.multiply, dZ, is_above, out=dZ),
        ]


HEADS: dict[str, Head] = {head.name: head for head in (Binary(), Multiclass(), Regression(), NonnegativeRegression())}
