"""What every trial of a sweep is built for: the sizes of its data, its head, its seed."""

from dataclasses import dataclass

from engine import Hyperparameters
from sweeps.trials.space import Candidate


@dataclass(frozen=True, slots=True)
class Problem:
    """The sizes and the head that every candidate's network is built for, and the trials' common seed."""

    n_features: int
    n_outputs: int
    n_examples: int
    n_folds: int
    head: str
    dtype: str
    seed: int

    def hyperparameters(self, candidate: Candidate) -> Hyperparameters:
        """What the engine trains for a candidate."""
        architecture = candidate.architecture(self.n_features, self.n_outputs, self.head)
        return Hyperparameters(architecture, candidate.learning_rate)

    def initial_seed(self, number: int) -> tuple[int, int]:
        """Seed of the initial weights of a trial, in all its folds and in its refit."""
        return (self.seed, number)
