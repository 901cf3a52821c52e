"""Optuna's pruners by the names of `[study] pruner`."""

from optuna.pruners import (
    BasePruner,
    MedianPruner,
    NopPruner,
    PercentilePruner,
)

from sweeps.search.halving import SuccessiveHalving
from sweeps.search.optuna_private import QuickHyperbandPruner
from sweeps.trials.rungs import REDUCTION_FACTOR, Rungs


def new_pruner(name: str, rungs: Rungs) -> BasePruner:
    """A pruner that judges trials at the ends of these rungs."""
    match name:
        case "hyperband":
            return QuickHyperbandPruner(rungs.first, rungs.max_iterations, REDUCTION_FACTOR)
        case "successive_halving":
            return SuccessiveHalving(rungs.first, REDUCTION_FACTOR)
        case "median":
            return MedianPruner()
        case "percentile":
            return PercentilePruner(25.0)
        case "none":
            return NopPruner()
        case _:
            raise AssertionError(f"{name}: the configuration allows a pruner that is not made here")
