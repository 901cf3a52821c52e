"""Hyperparameters of a training: how a network is brought from its initial weights to those that predict."""

import math
from dataclasses import dataclass

from engine.data import TrainingData
from engine.errors import EngineError
from engine.network import Architecture
from engine.optimizers import OPTIMIZERS


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What the optimizer needs besides the data; the iteration count is an argument of `advance`.

    The defaults are the course's: full-batch gradient descent.

    Attributes:
        optimizer: A name in `engine.optimizers.OPTIMIZERS`.
        minibatch_size: Examples that each network trains on in one iteration; 0, or as many as there are, is all.
        weight_decay: lambda; each update also takes alpha lambda W from W[l].
        label_smoothing: Share of each target that goes to all classes alike, in training only; not for regressions.
        is_averaged: Whether what is validated and returned is a mean of the iterates (`engine.descent`).
        seed: Decides the order of the minibatches.
    """

    architecture: Architecture
    learning_rate: float
    optimizer: str = "gradient_descent"
    minibatch_size: int = 0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    is_averaged: bool = False
    seed: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.learning_rate < math.inf:
            raise EngineError(
                f"learning_rate = {self.learning_rate}. It must be finite and above 0; the course starts at 0.0075."
            )
        if self.optimizer not in OPTIMIZERS:
            raise EngineError(
                f"optimizer = {self.optimizer!r} is unknown. It must be one of {', '.join(OPTIMIZERS)}; choose one of "
                "them."
            )
        if self.minibatch_size < 0:
            raise EngineError(f"minibatch_size = {self.minibatch_size}. It must be 0 or more; 0 is all examples.")
        if not 0 <= self.weight_decay < math.inf:
            raise EngineError(f"weight_decay = {self.weight_decay}. It must be finite, 0 or more; 0 is none.")
        if not 0 <= self.label_smoothing < 1:
            raise EngineError(
                f"label_smoothing = {self.label_smoothing}. 0 <= label_smoothing < 1 must hold; 0 is none."
            )

    @property
    def is_textbook(self) -> bool:
        """Whether an update is theta -= alpha dJ/dtheta and nothing else."""
        return self.optimizer == "gradient_descent" and self.weight_decay == 0 and not self.is_averaged

    def leaves_span(self, n_examples: int) -> bool:
        """Whether theta[1] leaves the span of so many training examples, so that it cannot be trained in it."""
        return (
            not OPTIMIZERS[self.optimizer].stays_in_span
            or self.weight_decay > 0
            or self.is_averaged
            or 0 < self.minibatch_size < n_examples
        )

    def fits(self, data: TrainingData) -> bool:
        """Whether the form of the data allows this training: that of a reduced first layer stays in their span."""
        return data.gram is None or not self.leaves_span(_n_fewest(data))

    def form_of(self, data: TrainingData) -> TrainingData:
        """The form of the data to train on: `data.unreduced` for a training that leaves the span of the examples."""
        return data if self.fits(data) or data.unreduced is None else data.unreduced

    def minibatch_of(self, data: TrainingData) -> int | None:
        """Examples that each network trains on in one iteration; None is all."""
        return self.minibatch_size if 0 < self.minibatch_size < _n_fewest(data) else None


def _n_fewest(data: TrainingData) -> int:
    """Examples in the smallest training set of a network."""
    return int(data.trained.sum(axis=1).min())
