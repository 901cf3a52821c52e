"""Where a trial pauses to be judged, and where its costs are looked at.

The first is the same for every trial of a sweep, whatever its own number of iterations, because a shorter training is
the first part of a longer one: trials are compared at the same iterations. So is the second, except where an iteration
on a minibatch costs so much less than a look at all held-out examples that curves have fewer points.
"""

from dataclasses import dataclass

import numpy as np

REDUCTION_FACTOR = 3
"""Hyperband's eta: each rung is three times as long as the one before, and a third of the trials climb on."""

N_RUNGS: int = 4
"""The first rung is 1/27 of the longest training."""

N_POINTS = 90
"""Points of a curve between the untrained network and the longest training; with the rungs, at most 100."""


@dataclass(frozen=True, slots=True)
class Rungs:
    """The rungs of a search whose longest training has `max_iterations`."""

    max_iterations: int

    @property
    def first(self) -> int:
        """Iterations of the first rung: Hyperband's minimum resource."""
        return max(1, self.max_iterations // int(REDUCTION_FACTOR ** (N_RUNGS - 1)))

    def ends(self, n_iterations: int) -> tuple[int, ...]:
        """Iterations at which a trial of `n_iterations` is judged; the last is its own end.

        A rung that would leave less than half of itself to do is joined with the rest.
        """
        ends = [self.first * REDUCTION_FACTOR**rung for rung in range(N_RUNGS)]
        return (*(end for end in ends if 1.5 * end <= n_iterations), n_iterations)

    def points(self, n_iterations: int, spacing: int = 1) -> tuple[int, ...]:
        """Iterations at which a curve has its points: dense where curves are steep, and at the end of each rung.

        Args:
            n_iterations: Of the trial.
            spacing: Fewest iterations between two points; only the ends of rungs may be nearer.
        """
        grid = [0]
        for i in np.rint(np.geomspace(1, self.max_iterations, N_POINTS)).astype(int).tolist():
            if grid[-1] + spacing <= i <= n_iterations:
                grid.append(i)
        return tuple(sorted({*grid, *self.ends(n_iterations)}))
