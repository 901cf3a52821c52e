"""Which hyperparameters mattered in a study (PED-ANOVA), from a snapshot that Optuna reads and never copies."""

import math
import warnings
from collections.abc import Container, Sequence

import optuna
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from engine.objectives import Objective

MIN_TRIALS_FOR_IMPORTANCES = 10


class Snapshot(InMemoryStorage):
    """Trials that nobody changes any more: handed out as they are, whether a copy was asked for or not."""

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        super().__init__()
        self._snapshot = trials

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """All trials in these states."""
        return [trial for trial in self._snapshot if states is None or trial.state in states]


def quiet() -> None:
    """Keep off the terminal what Optuna says of small studies; the page says it in its own words.

    For good, and not within `catch_warnings`, which would undo the filters of other threads when it is left.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", message="Some regimes for parameter")


def snapshot(trials: Sequence[FrozenTrial], objective: Objective) -> optuna.Study:
    """A study for Optuna's figures to read."""
    quiet()
    return optuna.create_study(
        storage=Snapshot(trials), direction="maximize" if objective.is_higher_better else "minimize"
    )


def complete(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that have come to their end with a value."""
    return [trial for trial in trials if trial.state == TrialState.COMPLETE and trial.value is not None]


def importances(trials: Sequence[FrozenTrial], objective: Objective) -> dict[str, float]:
    """PED-ANOVA of the complete trials, the largest first, sum 1; empty where they are too few or too equal to tell.

    See `without_importance` for those of which it says nothing.
    """
    values = sorted(objective.ordered(trial.value) for trial in complete(trials))
    if len(values) < MIN_TRIALS_FOR_IMPORTANCES or not searched_params(trials):
        return {}
    if values[_n_best(values) - 1] == values[-1]:  # the best tenth is everything
        return {}
    found = optuna.importance.get_param_importances(snapshot(trials, objective))
    return dict(
        sorted(found.items(), key=lambda item: (-item[1], item[0]))
    )  # Optuna leaves the order of equals to chance


def without_importance(trials: Sequence[FrozenTrial], objective: Objective) -> list[str]:
    """Hyperparameters that no complete trial of the best tenth has, as the width of a layer that the best do without.

    PED-ANOVA compares the best tenth with all trials, so it cannot tell what these decide among the trials that have
    them, whatever number Optuna 5.0 gives: 0.0 in many studies.
    """
    ranked = sorted(complete(trials), key=lambda trial: objective.ordered(trial.value))
    had = {name for trial in ranked[: _n_best(ranked)] for name in trial.params}
    return [name for name in searched_params(ranked) if name not in had]


def searched_params(trials: Sequence[FrozenTrial]) -> list[str]:
    """Names of the hyperparameters that were asked of Optuna, the widths of deeper layers last."""
    names = {name for trial in trials for name in trial.params}
    return sorted(names, key=lambda name: (name.startswith("hidden_units_"), name))


def _n_best(trials: Sequence[object]) -> int:
    """How many the best tenth are, as PED-ANOVA counts."""
    return math.ceil(0.1 * len(trials))
