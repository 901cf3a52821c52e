"""A trial as the storage holds it: the one view that leaderboard, report, winner and a resumed sweep read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from engine.objectives import COST, Objective
from sweeps.configuration.search_space import SearchSpace
from sweeps.trials.space import Candidate, recall

_RANK = {TrialState.COMPLETE: 0, TrialState.PRUNED: 1}


@dataclass(frozen=True, slots=True)
class TrialNotes:
    """What the storage keeps of a trial beside what Optuna knows of it; the fields name the trial's user attributes.

    Attributes:
        best_iteration: Where the value was best; None before the first rung has ended.
        reason: Why the trial ended early, for a person; "" when it was trained to its end.
        is_interrupted: Whether the sweep ended the trial (its time was over), not the pruner.
    """

    best_iteration: int | None = None
    reason: str = ""
    is_interrupted: bool = False

    @classmethod
    def read(cls, attributes: Mapping[str, Any]) -> "TrialNotes":
        """From a trial's user attributes."""
        return cls(**{item.name: attributes[item.name] for item in fields(cls) if item.name in attributes})

    def to_attributes(self) -> dict[str, object]:
        """As user attributes; what is usual goes without saying."""
        unusual = {"reason": self.reason, "is_interrupted": self.is_interrupted}
        return {"best_iteration": self.best_iteration} | {key: note for key, note in unusual.items() if note}


@dataclass(frozen=True, slots=True)
class StoredTrial:
    """A trial that has begun.

    Attributes:
        value: The best along its curve, mean over the folds: the lowest validation cost, or what another objective
            says. None before its first rung has ended.
        started_at, ended_at: Unix time, seconds; None while they are not known. Not compared: equal trials were
            trained at different times.
    """

    number: int
    state: TrialState
    value: float | None
    candidate: Candidate
    notes: TrialNotes
    started_at: float | None = field(compare=False)
    ended_at: float | None = field(compare=False)

    @classmethod
    def read(cls, trial: FrozenTrial, space: SearchSpace) -> "StoredTrial":
        """From the trial as Optuna has it."""
        started, completed = trial.datetime_start, trial.datetime_complete
        return cls(
            number=trial.number,
            state=trial.state,
            value=trial.value,
            candidate=recall(trial, space),
            notes=TrialNotes.read(trial.user_attrs),
            started_at=None if started is None else started.timestamp(),
            ended_at=None if completed is None else completed.timestamp(),
        )

    @property
    def params(self) -> dict[str, float | int | str]:
        """All hyperparameters, searched or fixed."""
        return self.candidate.params

    @property
    def best_iteration(self) -> int | None:
        """Where the value was best; a winner is refitted for as many iterations."""
        return self.notes.best_iteration

    @property
    def estimator_params(self) -> dict[str, Any]:
        """What `experiments.DeepNetworkClassifier` or `DeepNetworkRegressor` takes to train such a network."""
        return {
            "hidden_units": self.candidate.hidden_units,
            "activation": self.candidate.activation,
            "learning_rate": self.candidate.learning_rate,
            "n_iterations": max(1, self.best_iteration or 0),
            "optimizer": self.candidate.optimizer,
            "minibatch_size": self.candidate.minibatch_size,
            "weight_decay": self.candidate.weight_decay,
            "label_smoothing": self.candidate.label_smoothing,
            "dropout": self.candidate.dropout,
            "learning_rate_schedule": self.candidate.learning_rate_schedule,
        }

    @property
    def has_ended(self) -> bool:
        """Whether it came to an end of its own; one that its sweep ended is run again when that is resumed."""
        return self.state.is_finished() and not self.notes.is_interrupted

    def to_dict(self) -> dict[str, Any]:
        """For `leaderboard --json`."""
        return {
            "number": self.number,
            "state": self.state.name,
            "value": self.value,
            "params": self.params,
            "best_iteration": self.best_iteration,
            "reason": self.notes.reason,
        }


def ranked(trials: Iterable[StoredTrial], objective: Objective = COST) -> list[StoredTrial]:
    """Best first: complete ones by value, then pruned ones by value, then the others.

    A trial that the sweep's time ended counts as complete: nobody has judged it, and it may be the best there is.
    """

    def rank(trial: StoredTrial) -> tuple[int, float, int]:
        was_ended_by_time = trial.notes.is_interrupted and trial.value is not None
        state = TrialState.COMPLETE if was_ended_by_time else trial.state
        return _RANK.get(state, len(_RANK)), objective.ordered(trial.value), trial.number

    return sorted(trials, key=rank)


def best_trial(leaderboard: list[StoredTrial]) -> StoredTrial | None:
    """The first of `ranked` trials that has a value: one that the pruner ended only where there is no other."""
    return next((trial for trial in leaderboard if trial.value is not None), None)
