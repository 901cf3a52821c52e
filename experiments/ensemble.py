"""An ensemble of trials that exist already, chosen greedily by the out-of-fold value of the mean of their outputs.

Starting from nothing, each step adds the candidate that makes the mean best; a candidate may be added again, which
raises its weight. Of a log-loss only the probability of the true class matters, and of a squared error only the
residual; both are linear in the outputs, so K candidates are K rows whose running mean decides. Of any other objective
the outputs themselves are averaged.

Notation: K candidates, m examples, n members so far (the same candidate twice counts twice).

Source: Caruana, Niculescu-Mizil, Crew, Ksikes 2004, "Ensemble selection from libraries of models", section 2.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.objectives import COST, Objective
from experiments.dataset import Task
from experiments.readers.room import room_for

FloatArray = NDArray[np.float64]

_BLOCK = 4096  # examples of all candidates held at once: 3 MB for K = 100
_ROUNDING = 1e-12  # relative; costs that differ by less are equal


@dataclass(frozen=True, slots=True)
class Member:
    """A candidate's index and its share of the mean."""

    candidate: int
    weight: float


@dataclass(frozen=True, slots=True)
class Step:
    """The candidate that a step added, and the objective's value of the mean after it, out of fold."""

    candidate: int
    value: float


@dataclass(frozen=True, slots=True)
class Ensemble:
    """What was selected.

    Attributes:
        members: Heaviest first, lower index first of equals; the weights sum to 1.
        steps: How it came about. The first step is the best single candidate.
    """

    members: tuple[Member, ...]
    steps: tuple[Step, ...]


def select_ensemble(
    outputs: NDArray[np.floating],
    Y: NDArray[np.floating],
    task: Task,
    n_steps: int,
    *,
    objective: Objective = COST,
    weights: FloatArray | None = None,
) -> Ensemble:
    """Select members greedily, with replacement, and keep the shortest beginning of the steps with the best value.

    The cost is the mean loss of the mean of the outputs: log-loss, or squared error. Probabilities are kept above the
    dtype's machine epsilon before the logarithm, as scikit-learn's `log_loss` does. Of candidates that are equally good
    the one with the lowest index is added, so the result is a function of the arguments alone.

    Args:
        outputs: (K, n[L], m), out of fold: probabilities (binary: one row, of class 1), or scaled targets.
        Y: (n[L], m), as in `PreparedData.Y`.
        task: Decides the loss.
        n_steps: The largest number of steps, and so of members.
        objective: What decides, on all examples together.
        weights: How much each example counts, (m,); None is 1.

    Raises:
        ValueError: `outputs` do not fit `Y` or are not finite, there is no candidate, or `n_steps` is below 1.
    """
    if outputs.ndim != 3 or outputs.shape[1:] != Y.shape or len(outputs) == 0:
        raise ValueError(
            f"outputs {outputs.shape} do not fit Y {Y.shape}. One or more candidates, each shaped like Y, are needed; "
            "stack them along a new first axis."
        )
    if n_steps < 1:
        raise ValueError(f"n_steps = {n_steps}. 1 or more is allowed; select nothing where no ensemble is wanted.")
    w = np.ones(Y.shape[1]) if weights is None else weights
    rows = _linear_parts(outputs, Y, task) if objective.is_cost else outputs.reshape(len(outputs), -1)
    is_finite = np.array([np.isfinite(row).all() for row in rows])
    if not is_finite.all():
        raise ValueError(
            f"candidate {int(is_finite.argmin())}: some of its outputs are not finite. All must be; leave it out."
        )

    lowest_probability = float(np.finfo(outputs.dtype).eps)
    total = np.zeros(rows.shape[1])
    steps: list[Step] = []
    for n in range(1, n_steps + 1):
        if objective.is_cost:
            values = _costs_with_each(rows, total, n, task, lowest_probability, w) / w.sum()
        else:
            values = np.array([objective.of(((row + total) / n).reshape(Y.shape), Y, weights) for row in rows])
        added = int(np.argmin([objective.ordered(value) for value in values]))
        total += rows[added]
        steps.append(Step(added, float(values[added])))
    best = min(objective.ordered(step.value) for step in steps)
    is_as_good = [objective.ordered(step.value) <= best + abs(best) * _ROUNDING for step in steps]
    return _ensemble(steps[: is_as_good.index(True) + 1])


def _linear_parts(outputs: NDArray[np.floating], Y: NDArray[np.floating], task: Task) -> FloatArray:
    """What the loss of each candidate is a function of: p of the true class (K, m), or A - Y (K, n[L] m)."""
    Y = Y.astype(outputs.dtype)
    rows = room_for(len(outputs), Y.size if task == "regression" else Y.shape[1])
    for row, A in zip(rows, outputs, strict=True):
        if task == "regression":
            row[...] = (A - Y).ravel()
        elif task == "binary":
            row[...] = np.where(Y[0] > 0.5, A[0], 1 - A[0])
        else:
            row[...] = np.einsum("cm,cm->m", A, Y)
    return rows


def _costs_with_each(
    rows: NDArray[np.floating], total: FloatArray, n: int, task: Task, lowest_probability: float, weights: FloatArray
) -> FloatArray:
    """Summed loss of the mean of n members, (K,), if each candidate were the n-th beside those of `total`."""
    sums = np.zeros(len(rows))
    of_rows = np.tile(weights, len(total) // len(weights))
    for start in range(0, len(total), _BLOCK):
        block = slice(start, start + _BLOCK)
        mean = (rows[:, block] + total[block]) / n  # float64, as total is
        if task == "regression":
            sums += np.square(mean, out=mean) @ of_rows[block]
        else:
            np.maximum(mean, lowest_probability, out=mean)
            sums -= np.log(mean, out=mean) @ of_rows[block]
    return sums


def _ensemble(steps: list[Step]) -> Ensemble:
    times = Counter(step.candidate for step in steps)
    heaviest_first = sorted(times, key=lambda candidate: (-times[candidate], candidate))
    return Ensemble(
        members=tuple(Member(candidate, times[candidate] / len(steps)) for candidate in heaviest_first),
        steps=tuple(steps),
    )
