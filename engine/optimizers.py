"""Optimizers: what an iteration does with the gradient of the cost.

| optimizer        | update of theta, with g = dJ/dtheta and alpha the learning rate            | moments | source   |
|------------------|----------------------------------------------------------------------------|---------|----------|
| gradient_descent | theta -= alpha g                                                           |         |          |
| momentum         | v = beta v + (1 - beta) g; theta -= alpha v                                | v       | [1]      |
| adamw            | m = beta_1 m + (1 - beta_1) g; s = beta_2 s + (1 - beta_2) g^2;            | m, s    | [2], [3] |
|                  | theta -= alpha m / (1 - beta_1^t) / (sqrt(s / (1 - beta_2^t)) + epsilon)   |         |          |

[1] Ng, Deep Learning Specialization, course 2, week 2. [2] Kingma, Ba 2015. [3] Loshchilov, Hutter 2019.

Weight decay is decoupled in all of them, and is `engine.descent`'s: W -= alpha lambda W, before the update.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from engine.activations import FloatArray
from engine.memory import empty
from engine.steps import Step, run, step

BETA = 0.9
BETA_1, BETA_2 = 0.9, 0.999
EPSILON = 1e-8

CLEAR_EVERY = 100
"""Iterations after which what has faded from a mean of gradients is set to 0. The gradient of a dead unit is 0 and its
mean falls by beta at every iteration: in float32 to subnormal numbers after 850, where it stays, because beta times one
of the smallest rounds to itself. Arithmetic with them is slow (README, decisions)."""


class Optimizer(ABC):
    """One optimizer at work on the parameters of a stack.

    Args:
        learning_rate: alpha.
        theta: All parameters, (F, P); changed in place by `update`.
        gradient: Where the gradient is when `update` is called, (F, P); used as scratch memory.
        moments: (n_moments, F, P), a mean of the gradients first; changed in place.

    Attributes:
        stays_in_span: Whether its steps are sums of gradients, so that theta[1] stays in the span of the examples.
    """

    name: ClassVar[str]
    n_moments: ClassVar[int]
    stays_in_span: ClassVar[bool]

    def __init__(self, learning_rate: float, theta: FloatArray, gradient: FloatArray, moments: FloatArray) -> None:
        self._learning_rate = np.array(learning_rate, theta.dtype)
        self._means = moments[:1]
        self._steps = self._update(theta, gradient, moments)

    def update(self, iteration: int) -> None:
        """Update theta for the `iteration`-th time, counted from 1."""
        run(self._steps)
        if iteration % CLEAR_EVERY == 0:
            self._clear()

    def _clear(self) -> None:
        """Set means to 0 whose square underflows; CLEAR_EVERY iterations take the others nowhere near subnormals."""
        self._means[np.abs(self._means) < np.sqrt(np.finfo(self._means.dtype).tiny)] = 0

    @abstractmethod
    def _update(self, theta: FloatArray, gradient: FloatArray, moments: FloatArray) -> list[Step]:
        """The steps of an update."""


class GradientDescent(Optimizer):
    """theta -= alpha g."""

    name = "gradient_descent"
    n_moments = 0
    stays_in_span = True

    def _update(self, theta: FloatArray, gradient: FloatArray, moments: FloatArray) -> list[Step]:
        return [
            step(np.multiply, gradient, self._learning_rate, out=gradient),
            step(np.subtract, theta, gradient, out=theta),
        ]


class Momentum(Optimizer):
    """A step along an exponentially weighted mean of the gradients."""

    name = "momentum"
    n_moments = 1
    stays_in_span = True

    def _update(self, theta: FloatArray, gradient: FloatArray, moments: FloatArray) -> list[Step]:
        v = moments[0]
        return [
            step(np.subtract, gradient, v, out=gradient),
            step(np.multiply, gradient, np.array(1 - BETA, theta.dtype), out=gradient),
            step(np.add, v, gradient, out=v),
            step(np.multiply, v, self._learning_rate, out=gradient),
            step(np.subtract, theta, gradient, out=theta),
        ]


class AdamW(Optimizer):
    """A step along the mean of the gradients, divided by their root mean square.

    The moments are kept without their factors 1 - beta, m / (1 - beta_1) and s / (1 - beta_2), which saves two passes
    over all parameters. The factors and the bias corrections go into alpha and epsilon.
    """

    name = "adamw"
    n_moments = 2
    stays_in_span = False

    def __init__(self, learning_rate: float, theta: FloatArray, gradient: FloatArray, moments: FloatArray) -> None:
        self._alpha = learning_rate
        self._epsilon = np.zeros((), theta.dtype)
        super().__init__(learning_rate, theta, gradient, moments)

    def update(self, iteration: int) -> None:
        """The same, with the factors and corrections of this iteration."""
        root = math.sqrt((1 - BETA_2**iteration) / (1 - BETA_2))
        self._epsilon[...] = EPSILON * root
        self._learning_rate[...] = self._alpha * (1 - BETA_1) / (1 - BETA_1**iteration) * root
        super().update(iteration)

    def _update(self, theta: FloatArray, gradient: FloatArray, moments: FloatArray) -> list[Step]:
        m, s = moments
        denominator = empty(theta.shape, theta.dtype)
        return [
            step(np.multiply, m, np.array(BETA_1, theta.dtype), out=m),
            step(np.add, m, gradient, out=m),
            step(np.multiply, s, np.array(BETA_2, theta.dtype), out=s),
            step(np.multiply, gradient, gradient, out=gradient),
            step(np.add, s, gradient, out=s),
            step(np.sqrt, s, out=denominator),
            step(np.add, denominator, self._epsilon, out=denominator),
            step(np.divide, m, denominator, out=gradient),
            step(np.multiply, gradient, self._learning_rate, out=gradient),
            step(np.subtract, theta, gradient, out=theta),
        ]


OPTIMIZERS: dict[str, type[Optimizer]] = {optimizer.name: optimizer for optimizer in (GradientDescent, Momentum, AdamW)}
