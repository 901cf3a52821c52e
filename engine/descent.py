"""One update of all parameters: weight decay, the optimizer, and the mean of the iterates."""

import numpy as np

from engine.activations import FloatArray
from engine.hyperparameters import Hyperparameters
from engine.memory import copied, full
from engine.optimizers import OPTIMIZERS
from engine.steps import Step, run, step

ETA = 8.0
"""eta of the averaging: the mean is over about the last 1 / (eta + 1) of the iterates."""


class Descent:
    """Updates the parameters of a stack by the gradient that its backward pass has left.

    An iterate that jumps about its goal is a poor answer, and a mean of iterates is a good one. So with
    `is_averaged`, what is validated, kept and predicted with is a mean that gives late iterates more weight:

        average += (eta + 1) / (t + eta) (theta - average)      (Shamir, Zhang 2013: polynomial-decay averaging)

    Unlike a learning rate that falls until the end it needs to know no end: a shorter training stays the first part of
    a longer one.

    Args:
        hyperparameters: Optimizer, learning rate, weight decay.
        theta: All parameters, (F, P); changed in place.
        dtheta: Where the backward pass leaves their gradient, (F, P), or, for the textbook's update, the gradient
            times the learning rate; used as scratch memory.
        is_weight: (P,): 1 for a weight, 0 for a bias, which does not decay.
        moments: From an earlier call; None begins with zeros.
        average: Mean of the iterates, (F, P), changed in place; None without.

    Attributes:
        moments: The optimizer's, (n_moments, F, P), changed in place.
    """

    def __init__(
        self,
        hyperparameters: Hyperparameters,
        theta: FloatArray,
        dtheta: FloatArray,
        is_weight: FloatArray,
        moments: FloatArray | None,
        average: FloatArray | None,
    ) -> None:
        optimizer = OPTIMIZERS[hyperparameters.optimizer]
        shape = (optimizer.n_moments, *theta.shape)
        self.moments = full(shape, 0, theta.dtype) if moments is None else copied(moments)
        self._textbook = step(np.subtract, theta, dtheta, out=theta) if hyperparameters.is_textbook else None
        self._optimizer = optimizer(hyperparameters.learning_rate, theta, dtheta, self.moments)

        self._decay: list[Step] = []
        if hyperparameters.weight_decay > 0:
            lost = np.array(hyperparameters.learning_rate * hyperparameters.weight_decay, theta.dtype)
            self._decay = [step(np.multiply, theta, 1 - is_weight * lost, out=theta)]
        self._share: FloatArray = np.zeros((), theta.dtype)  # (eta + 1) / (t + eta)
        self._averaging: list[Step] = []
        if average is not None:
            self._averaging = [
                step(np.subtract, theta, average, out=dtheta),
                step(np.multiply, dtheta, self._share, out=dtheta),
                step(np.add, average, dtheta, out=average),
            ]

    def step(self, iteration: int) -> None:
        """The `iteration`-th update, counted from 1."""
        if self._textbook is not None:
            self._textbook()
            return
        self._share[...] = (ETA + 1) / (iteration + ETA)
        run(self._decay)
        self._optimizer.update(iteration)
        run(self._averaging)
