"""The study: Optuna's sampler and pruner on a live study in memory, every decision written through to a storage.

Why two: the live study has a fixed name and holds only what the schedule has applied, so that sampler and pruner see
the same whenever the sweep runs (Hyperband draws a trial's bracket from the study's name), and asks cost no query.
The storage is the durable record. A new trial goes into it complete with its parameters in one write, so a
kill can leave a trial unfinished but never half asked.
"""

import copy
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from experiments.errors import InputError
from sweeps.config import Config
from sweeps.journal import Journal
from sweeps.rungs import REDUCTION_FACTOR, Rungs
from sweeps.space import Candidate, recall, suggest
from sweeps.tpe import QuickTPESampler
from sweeps.window import WindowedMemory


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """One study in a storage."""

    storage: BaseStorage
    study_id: int
    name: str

    @classmethod
    def create(cls, storage: BaseStorage, name: str, attributes: dict[str, Any]) -> "StoredStudy":
        """A new study that minimizes the validation cost; `sweeps.state`, last of its attributes, makes it ours."""
        try:
            study_id = storage.create_new_study([StudyDirection.MINIMIZE], name)
        except DuplicatedStudyError:  # another folder's, in a database, begun within the same second
            return cls.create(storage, f"{name}-2", attributes)
        stored = cls(storage, study_id, name)
        for key, value in attributes.items():
            storage.set_study_user_attr(study_id, key, value)
        stored.sync()
        return stored

    @classmethod
    def all_of(cls, storage: BaseStorage, sweep_name: str | None = None) -> list["StoredStudy"]:
        """Studies of this product (of one sweep, if named), the newest last."""
        return sorted(
            (
                cls(storage, study._study_id, study.study_name)
                for study in storage.get_all_studies()
                if "sweeps.state" in study.user_attrs and sweep_name in (None, study.user_attrs["sweeps.name"])
            ),
            key=lambda stored: stored.study_id,
        )

    @property
    def attributes(self) -> dict[str, Any]:
        """What was noted about the study."""
        return self.storage.get_study_user_attrs(self.study_id)

    def set_attribute(self, key: str, value: Any) -> None:  # noqa: ANN401  # anything JSON can hold
        """Note something about the study, durably."""
        self.storage.set_study_user_attr(self.study_id, key, value)
        self.sync()

    def sync(self) -> None:
        """Return when everything written so far would survive a power cut; a database does so at every write."""
        if isinstance(self.storage, Journal):
            self.storage.sync()

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials by number."""
        return self.storage.get_all_trials(self.study_id, deepcopy=False)

    @property
    def ended_trials(self) -> list[FrozenTrial]:
        """Those that came to an end of their own; one that its sweep ended is run again when that is resumed."""
        return [trial for trial in self.trials if trial.state.is_finished() and not _is_interrupted(trial)]

    @property
    def has_ended(self) -> bool:
        """Whether all of it is done, with a winner or without."""
        return self.attributes["sweeps.state"] in ("FINISHED", "FAILED")


@dataclass(frozen=True, slots=True)
class EarlyEnd:
    """That a sweep ends before all its trials have: after how many rungs, in the order of the schedule, and why."""

    n_applied: int
    reason: str


class LiveStudy:
    """Asks, reports, prunes and tells in the order of the schedule; all of it is in the storage when a method returns.

    There it survives a kill of this process; from `sync` on, a power cut too.

    What the storage already knows is not asked again: parameters and outcomes are read back, so a resumed sweep takes
    the same path as an undisturbed one.
    """

    def __init__(self, stored: StoredStudy, config: Config, rungs: Rungs) -> None:
        self._stored = stored
        self._config = config
        self._recorded = {trial.number: trial for trial in stored.trials}
        self._n_recorded = len(self._recorded)
        early_end = stored.attributes.get("sweeps.early_end")
        self.early_end = None if early_end is None else EarlyEnd(**early_end)
        self._trials: list[Trial] = []
        self._memory = WindowedMemory()
        self._live = optuna.create_study(
            storage=self._memory, study_name=config.sweep.name, pruner=_pruner(config.study.pruner, rungs)
        )

    @property
    def n_asked(self) -> int:
        """Trials asked so far: the number of the next one."""
        return len(self._trials)

    @property
    def is_catching_up(self) -> bool:
        """Whether an earlier process asked for trials that this one has not begun yet."""
        return self.n_asked < self._n_recorded

    def ask(self) -> tuple[int, Candidate]:
        """Number and hyperparameters of the next trial."""
        number = self.n_asked
        recorded = self._recorded.get(number)
        if recorded is None:
            self._live.sampler = _sampler(self._config.study.sampler, self._config.sweep.seed, number)
            trial = self._live.ask()
            with self._memory.windowed(self._live._study_id):
                candidate = suggest(trial, self._config.search)
            template = copy.deepcopy(self._live.get_trials(deepcopy=False)[number])
            trial_id = self._stored.storage.create_new_trial(self._stored.study_id, template_trial=template)
            self._recorded[number] = self._stored.storage.get_trial(trial_id)
            if self._recorded[number].number != number:
                raise InputError(
                    f"{self._stored.name}: trial {number} was written as trial {self._recorded[number].number}.",
                    "A study has one writer; another program has added trials to this one.",
                    "Stop it, then start afresh: python -m sweeps run --new",
                )
        else:
            candidate = recall(recorded, self._config.search)
            self._live.add_trial(_as_it_was_asked(recorded))
            trial = Trial(self._live, self._live.get_trials(deepcopy=False)[number]._trial_id)
        self._trials.append(trial)
        return number, candidate

    def outcome(self, number: int) -> FrozenTrial | None:
        """The storage's record of a trial that was finished before this process began; None while it is not.

        One that was running when its sweep ended early is run again up to that point.
        """
        recorded = self._recorded[number]
        return recorded if recorded.state.is_finished() and not _is_interrupted(recorded) else None

    def report(self, number: int, step: int, value: float) -> bool:
        """Record the value of a rung that ended at iteration `step`; whether the pruner gives the trial up."""
        trial = self._trials[number]
        trial.report(value, step)
        should_prune = trial.should_prune()  # asked even when the answer is known: the pruner remembers rungs
        outcome = self.outcome(number)
        if outcome is not None:
            return outcome.state == TrialState.PRUNED and step == outcome.last_step
        recorded = self._recorded[number]
        if not recorded.state.is_finished() and recorded.intermediate_values.get(step) != value:
            self._stored.storage.set_trial_intermediate_value(self._recorded[number]._trial_id, step, value)
        return should_prune

    def tell(self, number: int, state: TrialState, value: float | None, notes: Mapping[str, object]) -> None:
        """End a trial: its state, its value (None unless it has one), and notes for whoever reads the storage."""
        self._live.tell(self._trials[number], value if state == TrialState.COMPLETE else None, state)
        if not self._recorded[number].state.is_finished():
            trial_id = self._recorded[number]._trial_id
            for key, note in notes.items():
                self._stored.storage.set_trial_user_attr(trial_id, key, note)
            self._stored.storage.set_trial_state_values(trial_id, state, None if value is None else [value])

    def end_early(self, end: EarlyEnd) -> None:
        """Write down, durably, that the sweep ends here."""
        if self.early_end is None:
            self._stored.set_attribute("sweeps.early_end", asdict(end))
            self.early_end = end

    def sync(self) -> None:
        """See `StoredStudy.sync`."""
        self._stored.sync()


class _Hyperband(HyperbandPruner):
    """Optuna's, which works out the bracket of every trial at every report: here once a trial, for one study."""

    def _get_bracket_id(self, study: optuna.study.Study, trial: FrozenTrial) -> int:
        if not self._pruners:  # not initialized yet: the answer is provisional
            return super()._get_bracket_id(study, trial)
        brackets: dict[int, int] = self.__dict__.setdefault("_brackets", {})
        if trial.number not in brackets:
            brackets[trial.number] = super()._get_bracket_id(study, trial)
        return brackets[trial.number]


def _is_interrupted(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get("is_interrupted", False))


def _as_it_was_asked(recorded: FrozenTrial) -> FrozenTrial:
    asked = copy.deepcopy(recorded)
    asked.state = TrialState.RUNNING
    asked.values = None
    asked.datetime_complete = None
    asked.intermediate_values = {}
    return asked


def _sampler(name: str, seed: int, number: int) -> BaseSampler:
    """A sampler seeded by the sweep's seed and the trial's number, with no other memory than the study."""
    trial_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    if name == "random":
        return RandomSampler(seed=trial_seed)
    with warnings.catch_warnings():  # group is experimental, and needed for widths that depend on depth
        warnings.simplefilter("ignore", ExperimentalWarning)
        return QuickTPESampler(seed=trial_seed, group=True)


def _pruner(name: str, rungs: Rungs) -> BasePruner:
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
