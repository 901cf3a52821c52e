"""Costs and accuracies in the course of training, recorded at the iterations asked for."""

from dataclasses import dataclass

import numpy as np

from engine.activations import Float64Array, FloatArray
from engine.heads import Head
from engine.objectives import COST, Objective
from engine.stack import Part, Stack


@dataclass(frozen=True, slots=True)
class Curve:
    """Costs and accuracies at the recorded iterations; arrays are (number of points, F).

    Attributes:
        iterations: Number of updates before each point; point 0 is the untrained network.
        train_cost, validation_cost: Mean loss over the columns trained on and held out (nan where none is).
        train_accuracy, validation_accuracy: Fraction of columns classified correctly; nan for regression.
        validation_value: The objective's value over the columns held out: `validation_cost`, if that is the objective.
        diverged_at: The first recorded iteration whose cost is not finite, where training stopped; else None.
        logits: Z[L] of the columns that each network holds out at the last point, as in `Best`; None without a point,
            after divergence and where curves were joined.
    """

    iterations: tuple[int, ...]
    train_cost: Float64Array
    validation_cost: Float64Array
    train_accuracy: Float64Array
    validation_accuracy: Float64Array
    validation_value: Float64Array
    diverged_at: int | None
    logits: FloatArray | None = None


def join(curves: list[Curve]) -> Curve:
    """The curves of consecutive rungs as one, without logits."""
    return Curve(
        iterations=tuple(i for curve in curves for i in curve.iterations),
        train_cost=np.concatenate([curve.train_cost for curve in curves]),
        validation_cost=np.concatenate([curve.validation_cost for curve in curves]),
        train_accuracy=np.concatenate([curve.train_accuracy for curve in curves]),
        validation_accuracy=np.concatenate([curve.validation_accuracy for curve in curves]),
        validation_value=np.concatenate([curve.validation_value for curve in curves]),
        diverged_at=curves[-1].diverged_at,
    )


@dataclass(frozen=True, slots=True)
class Best:
    """The networks of a stack at the recorded iteration where the mean of their values was best so far.

    Attributes:
        value: The objective's value there, mean over the networks.
        cost: Validation cost there, mean over the networks; of equal values, that of the lower cost is better.
        theta: Parameters, (F, P), as `State` has them.
        settled: As `State` has it.
        logits: Z[L] of the columns that each network holds out, (F, n[L], m_v), in the order of
            `TrainingData.validation_columns`.
    """

    iteration: int
    value: float
    cost: float
    theta: FloatArray
    settled: Float64Array | None
    logits: FloatArray


def best_point(curve: Curve, objective: Objective) -> int:
    """Index of the recorded point where the mean value over the networks is best; of equals, where the cost is lowest.

    Of points that are equal in both it is the first.

    Raises:
        ValueError: The curve has no points.
    """
    values, costs = (of_networks.mean(axis=1) for of_networks in (curve.validation_value, curve.validation_cost))
    return min(range(len(values)), key=lambda point: (objective.ordered(values[point]), costs[point]))


class Recorder:
    """Collects the points of one `Curve` from the parts of a stack, and keeps the networks where they were best."""

    def __init__(self, stack: Stack, head: Head, best: Best | None = None, objective: Objective = COST) -> None:
        self.stack, self.head, self.objective = stack, head, objective
        self.best = best
        self.n_examples = stack.n_examples  # (2, F): trained on, held out
        data = stack.data
        self.logits = np.empty((data.n_networks, data.n_outputs, data.validation_columns.shape[1]), data.dtype)
        self.iterations: list[int] = []
        self.points: list[Float64Array] = []
        self.values: list[Float64Array] = []
        self.diverged_at: int | None = None
        self.sums = np.zeros((2, *self.n_examples.shape))  # of losses and of correct answers

    def add_training(self, part: Part) -> None:
        """Add the losses and correct answers of a part of `stack.training`, after its forward pass."""
        self._add(part, 0)

    def record(self, iteration: int) -> bool:
        """Make a point of what was added and of the held-out columns; returns False if a cost is not finite."""
        for part in self.stack.validation:
            part.forward()
            self._add(part, 1)
            self.logits[part.networks, :, part.columns] = part.Z
        self.iterations.append(iteration)
        self.points.append(self.sums / self.n_examples)
        if not np.isfinite(self.sums[0]).all():
            self.diverged_at = iteration
        self.sums = np.zeros_like(self.sums)
        costs = self.points[-1][0, 1]
        self.values.append(costs if self.objective.is_cost or self.diverged_at is not None else self._values())
        value, cost = float(self.values[-1].mean()), float(costs.mean())
        if self.diverged_at is None and self._is_best(value, cost):
            stack = self.stack
            settled = None if stack.settled is None else stack.settled.copy()
            self.best = Best(iteration, value, cost, stack.flat_evaluated.copy(), settled, self.logits.copy())
        return self.diverged_at is None

    def _is_best(self, value: float, cost: float) -> bool:
        """Whether these are the best so far; networks that hold out nothing have no value, and so no best one."""
        if np.isnan(value):
            return False
        if self.best is None or value == self.best.value:
            return self.best is None or cost < self.best.cost
        return self.objective.is_better(value, self.best.value)

    def _values(self) -> Float64Array:
        """The objective's value of each network's answers to the columns that it holds out, (F,)."""
        return np.array([self.objective.of(*answers) for answers in self.stack.data.answers(self.logits, self.head)])

    def _add(self, part: Part, subset: int) -> None:
        losses = self.head.losses(part.Z, part.Y)
        self.sums[0, subset, part.networks] += part.sums(losses)
        if self.head.is_classifier:
            self.sums[1, subset, part.networks] += part.sums(self.head.is_correct(part.Z, part.Y))
        else:
            self.sums[1] = np.nan

    def curve(self) -> Curve:
        """All points so far."""
        points = np.array(self.points, np.float64).reshape(-1, 2, *self.n_examples.shape)
        return Curve(
            iterations=tuple(self.iterations),
            train_cost=points[:, 0, 0],
            validation_cost=points[:, 0, 1],
            train_accuracy=points[:, 1, 0],
            validation_accuracy=points[:, 1, 1],
            validation_value=np.array(self.values, np.float64).reshape(-1, self.n_examples.shape[1]),
            diverged_at=self.diverged_at,
            logits=self.logits.copy() if self.points and self.diverged_at is None else None,
        )
