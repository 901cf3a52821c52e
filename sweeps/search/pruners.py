"""Optuna's pruners by the names of `[study] pruner`."""

import optuna
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
)
from optuna.trial import FrozenTrial

from sweeps.trials.rungs import REDUCTION_FACTOR, Rungs


def new_pruner(name: str, rungs: Rungs) -> BasePruner:
    """A pruner that judges trials at the ends of these rungs."""
    match name:
        case "hyperband":
            return _Hyperband(rungs.first, rungs.max_iterations, REDUCTION_FACTOR)
        case "successive_halving":
            return SuccessiveHalvingPruner(rungs.first, REDUCTION_FACTOR)
        case "median":
            return MedianPruner()
        case "percentile":
            return PercentilePruner(25.0)
        case _:
            return NopPruner()


class _Hyperband(HyperbandPruner):
    """Optuna's, which works out the bracket of every trial at every report: here once a trial, for one study."""

    def _get_bracket_id(self, study: optuna.study.Study, trial: FrozenTrial) -> int:
        if not self._pruners:  # not initialized yet: the answer is provisional
            return super()._get_bracket_id(study, trial)
        brackets: dict[int, int] = self.__dict__.setdefault("_brackets", {})
        if trial.number not in brackets:
            brackets[trial.number] = super()._get_bracket_id(study, trial)
        return brackets[trial.number]
