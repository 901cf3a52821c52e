"""Is a gradient the derivative of a cost? Compare it with central differences.

Both checks work in float64 on any function of one flat array; neither knows what a network is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.activations import Float64Array

Cost = Callable[[Float64Array], float]

STEP = 1e-5
"""Half width of the central difference: its error is O(STEP^2) + O(rounding / STEP), about 1e-10 in float64."""

TOLERANCE = 1e-6
"""Largest relative error of a correct gradient; one wrong by a factor of 1.0005 is off by 250 times as much."""


@dataclass(frozen=True, slots=True)
class GradientCheck:
    """Outcome of a check: both numbers, their relative error, and the verdict."""

    analytic: float
    numeric: float
    relative_error: float

    @property
    def is_right(self) -> bool:
        """Whether the two agree to `TOLERANCE`."""
        return self.relative_error <= TOLERANCE


def check_directional(
    cost: Cost, gradient: Float64Array, theta: Float64Array, generator: np.random.Generator
) -> GradientCheck:
    """Compare gradient . v with the central difference along one random unit vector v: two evaluations of the cost.

    Args:
        cost: Function of a flat array of parameters, like theta.
        gradient: Claimed gradient at theta, same shape.
        theta: Point of the comparison; the cost must be differentiable there.
        generator: Source of v.
    Source: the random directional check of autograd's test_util.check_grads.
    """
    direction = generator.standard_normal(theta.shape)
    direction /= np.linalg.norm(direction)
    numeric = (cost(theta + STEP * direction) - cost(theta - STEP * direction)) / (2 * STEP)
    analytic = float(gradient @ direction)
    return GradientCheck(analytic, numeric, _relative(analytic - numeric, analytic, numeric))


def check_full(cost: Cost, gradient: Float64Array, theta: Float64Array) -> GradientCheck:
    """Compare every component: two evaluations of the cost per parameter, so only for small networks.

    Returns:
        The two norms, and ||gradient - numeric|| / (||gradient|| + ||numeric||).
    Source: Ng, Deep Learning Specialization, course 2, week 1, "Gradient checking".
    """
    numeric = np.empty_like(theta)
    for index in range(theta.size):
        shifted = theta.copy()
        shifted[index] = theta[index] + STEP
        above = cost(shifted)
        shifted[index] = theta[index] - STEP
        numeric[index] = (above - cost(shifted)) / (2 * STEP)
    norms = float(np.linalg.norm(gradient)), float(np.linalg.norm(numeric))
    return GradientCheck(*norms, _relative(float(np.linalg.norm(gradient - numeric)), *norms))


def _relative(difference: float, one: float, other: float) -> float:
    scale = abs(one) + abs(other)
    return abs(difference) / scale if scale > 0 else 0.0
