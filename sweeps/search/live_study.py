"""The live study: sampler and pruner on a study in memory, every decision written through to the stored study.

Why two: the live study has a fixed name and holds only what the schedule has applied, so that sampler and pruner see
the same whenever the sweep runs (Hyperband draws a trial's bracket from the study's name), and asks cost no query.
The storage is what lasts. A new trial goes into it complete with its parameters in one write, so a
kill can leave a trial unfinished but never half asked.
"""

import copy
from dataclasses import asdict

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from experiments.errors import InputError
from sweeps.configuration.config import Config
from sweeps.search.pruners import new_pruner
from sweeps.search.samplers import new_sampler
from sweeps.search.window import WindowedMemory
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_attributes import EarlyEnd
from sweeps.trials.rungs import Rungs
from sweeps.trials.space import Candidate, recall, suggest
from sweeps.trials.stored_trial import StoredTrial


class LiveStudy:
    """Asks, reports, prunes and tells in the order of the schedule; all of it is in the storage when a method returns.

    There it survives a kill of this process; from `sync` on, a power cut too.

    What the storage already knows is not asked again: parameters and outcomes are read back, so a resumed sweep takes
    the same path as an undisturbed one.
    """

    def __init__(self, stored: StoredStudy, config: Config, rungs: Rungs) -> None:
        self._stored = stored
        self._config = config
        self._in_storage = {trial.number: trial for trial in stored.trials}
        self._n_before = len(self._in_storage)
        self._space = stored.attributes.space
        read = (StoredTrial.read(trial, self._space) for trial in self._in_storage.values())
        self._outcomes = {trial.number: trial for trial in read if trial.has_ended}
        self.early_end = stored.attributes.early_end
        self._trials: list[Trial] = []
        self._memory = WindowedMemory()
        self._live = optuna.create_study(
            storage=self._memory, study_name=config.sweep.name, pruner=new_pruner(config.study.pruner, rungs)
        )
        self._live_id = self._memory.get_study_id_from_name(config.sweep.name)
        self._trial_ids: dict[int, int] = {}  # in the storage, by number

    @property
    def n_asked(self) -> int:
        """Trials asked so far: the number of the next one."""
        return len(self._trials)

    @property
    def is_catching_up(self) -> bool:
        """Whether an earlier process asked for trials that this one has not begun yet."""
        return self.n_asked < self._n_before

    def ask(self) -> tuple[int, Candidate]:
        """Number and hyperparameters of the next trial."""
        number = self.n_asked
        stored = self._in_storage.get(number)
        if stored is None:
            self._live.sampler = new_sampler(self._config.study.sampler, self._config.sweep.seed, number)
            trial = self._live.ask()
            with self._memory.windowed(self._live_id):
                candidate = suggest(trial, self._space)
            template = copy.deepcopy(self._live.get_trials(deepcopy=False)[number])
            self._trial_ids[number] = self._stored.storage.create_new_trial(self._stored.study_id, template)
            self._in_storage[number] = self._stored.storage.get_trial(self._trial_ids[number])
            if self._in_storage[number].number != number:
                raise InputError(
                    f"{self._stored.name}: trial {number} was written as trial {self._in_storage[number].number}.",
                    "A study has one writer; another program has added trials to this one.",
                    "Stop it, then start afresh: python -m sweeps run --new",
                )
        else:
            candidate = recall(stored, self._space)
            self._live.add_trial(_as_it_was_asked(stored))
            trial = Trial(self._live, self._memory.get_trial_id_from_study_id_trial_number(self._live_id, number))
        self._trials.append(trial)
        return number, candidate

    def outcome(self, number: int) -> StoredTrial | None:
        """A trial that had ended before this process began; None for every other one.

        One that was running when its sweep ended early is run again up to that point.
        """
        return self._outcomes.get(number)

    def stored_value(self, number: int, step: int) -> float | None:
        """The value of a trial that had ended before at the rung that ends at iteration `step`, if it got there."""
        return self._in_storage[number].intermediate_values.get(step)

    def report(self, number: int, step: int, value: float) -> bool:
        """Record the value of a rung that ended at iteration `step`; whether the pruner gives the trial up."""
        trial = self._trials[number]
        trial.report(value, step)
        should_prune = trial.should_prune()  # asked even when the answer is known: the pruner remembers rungs
        outcome = self.outcome(number)
        if outcome is not None:
            return outcome.state == TrialState.PRUNED and step == self._in_storage[number].last_step
        stored = self._in_storage[number]
        if not stored.state.is_finished() and stored.intermediate_values.get(step) != value:
            self._stored.storage.set_trial_intermediate_value(self._trial_id(number), step, value)
        return should_prune

    def tell(self, trial: StoredTrial) -> None:
        """End a trial."""
        number, state, value = trial.number, trial.state, trial.value
        self._live.tell(self._trials[number], value if state == TrialState.COMPLETE else None, state)
        if not self._in_storage[number].state.is_finished():
            trial_id = self._trial_id(number)
            for key, note in trial.notes.to_attributes().items():
                self._stored.storage.set_trial_user_attr(trial_id, key, note)
            self._stored.storage.set_trial_state_values(trial_id, state, None if value is None else [value])

    def end_early(self, end: EarlyEnd) -> None:
        """Write down, durably, that the sweep ends here."""
        if self.early_end is None:
            self._stored.set_attribute("early_end", asdict(end))
            self.early_end = end

    def _trial_id(self, number: int) -> int:
        if number not in self._trial_ids:
            storage, study_id = self._stored.storage, self._stored.study_id
            self._trial_ids[number] = storage.get_trial_id_from_study_id_trial_number(study_id, number)
        return self._trial_ids[number]

    def sync(self) -> None:
        """See `StoredStudy.sync`."""
        self._stored.sync()


def _as_it_was_asked(stored: FrozenTrial) -> FrozenTrial:
    asked = copy.deepcopy(stored)
    asked.state = TrialState.RUNNING
    asked.values = None
    asked.datetime_complete = None
    asked.intermediate_values = {}
    return asked
