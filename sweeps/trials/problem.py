"""What every trial of a sweep is built for: the sizes of its data, its head, its seed."""

import math
from dataclasses import dataclass
from itertools import pairwise

from engine import Hyperparameters
from engine.objectives import COST, Objective
from engine.optimizers import OPTIMIZERS
from sweeps.configuration.search_space import SearchSpace
from sweeps.trials.space import Candidate

SHARE_OF_POINTS = 0.25


@dataclass(frozen=True, slots=True)
class Problem:
    """The sizes and the head that every candidate's network is built for, and the trials' common seed.

    `threshold` is the probability from which on a model predicts class 1 of two; None is one half. `objective` is what
    trials are judged by. Each fold has `n_starts` networks, which begin with different weights. `n_examples` counts
    mirror images, if these are trained on.
    """

    n_features: int
    n_outputs: int
    n_examples: int
    n_networks: int
    head: str
    dtype: str
    seed: int
    threshold: float | None = None
    objective: Objective = COST
    n_starts: int = 1
    has_mirror_images: bool = False

    def hyperparameters(self, candidate: Candidate, number: int) -> Hyperparameters:
        """What the engine trains for the candidate of a trial."""
        return Hyperparameters(
            candidate.architecture(self.n_features, self.n_outputs, self.head),
            candidate.learning_rate,
            optimizer=candidate.optimizer,
            minibatch_size=candidate.minibatch_size,
            weight_decay=candidate.weight_decay,
            label_smoothing=candidate.label_smoothing,
            dropout=candidate.dropout,
            is_averaged=candidate.learning_rate_schedule == "averaged",
            seed=(self.seed, number, 1),  # other numbers than those of the initial weights
        )

    def leaves_span(self, space: SearchSpace) -> bool:
        """Whether a trial of the space, or its refit, may leave the span of the examples: see `Hyperparameters`."""
        return (
            not all(OPTIMIZERS[optimizer].stays_in_span for optimizer in space.optimizer)
            or space.weight_decay != 0
            or "averaged" in space.learning_rate_schedule
            or any(0 < size < self.n_examples for size in space.minibatch_size)
        )

    @property
    def is_wide(self) -> bool:
        """Whether an example has more features than there are examples, as pictures mostly do."""
        return self.n_features > self.n_examples

    def spacing(self, hyperparameters: Hyperparameters) -> int:
        """Fewest iterations between two points of a curve, such that these take a quarter of the time at most.

        A point passes all held-out examples forward, an iteration a minibatch of each network forward and back.
        """
        size = hyperparameters.minibatch_size
        if not 0 < size < self.n_examples:
            return 1
        iterations_of_a_point = self.n_examples / (3 * self.n_networks * size)
        return math.ceil(iterations_of_a_point / SHARE_OF_POINTS)

    def initial_seed(self, number: int) -> tuple[int, int]:
        """Seed of the initial weights of a trial, in all its folds and in its refit."""
        return (self.seed, number)


def imagined_seconds(hyperparameters: Hyperparameters, problem: Problem, n_iterations: int) -> float:
    """How long a rung takes on the imagined machine: any fixed formula is correct, a close one keeps workers busy.

    Six multiply-adds a weight and example (forward, dW, dA) at 20 Gflop/s, and 30 microseconds of calls a layer.
    """
    architecture = hyperparameters.architecture
    sizes = (min(architecture.n_features, problem.n_examples), *architecture.layer_sizes[1:])
    n_weights = sum(fan_in * n_units for fan_in, n_units in pairwise(sizes))
    n_examples = min(hyperparameters.minibatch_size or problem.n_examples, problem.n_examples)
    flops = 6 * problem.n_networks * n_examples * n_weights
    return n_iterations * (flops / 20e9 + 30e-6 * (architecture.depth + 1))
