"""The live study: sampler and pruner on a study in memory, every decision written through to the stored study.

Why two: the live study has a fixed name and holds only what the schedule has applied, so that sampler and pruner see
the same whenever the sweep runs (Hyperband draws a trial's bracket from the study's name), and asks cost no query.
The storage is what lasts. A new trial goes into it complete with its parameters in one write, so a
kill can leave a trial unfinished but never half asked.

What TPE and GP note of a trial, all that they proposed for it, lasts with it. The others' notes build on each other and
stay in the live study: a resumed sweep repeats the asks of such a sampler, and takes the parameters from the storage
all the same.
"""

import copy
from contextlib import nullcontext
from dataclasses import asdict

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from engine.objectives import Objective
from experiments.errors import InputError
from sweeps.configuration.config import Config
from sweeps.search.pruners import new_pruner
from sweeps.search.samplers import Samplers, new_brute_force
from sweeps.search.window import Draft, WindowedMemory
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_attributes import EarlyEnd
from sweeps.trials.configurations import n_configurations, space_of
from sweeps.trials.enqueued import fixed_params
from sweeps.trials.rungs import Rungs
from sweeps.trials.space import Candidate, recall, suggest
from sweeps.trials.stored_trial import StoredTrial

MAX_ATTEMPTS = 20
"""How often a sampler that proposes what has been tried is asked again."""


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
        self._space = config.space
        self._outcomes = {trial.number: trial for trial in stored.ended_trials(self._space)}
        self.early_end = stored.attributes.early_end
        self._trials: list[Trial] = []
        self._samplers = Samplers(config.study.sampler, config.sweep.seed, space_of(self._space))
        self._tried: set[Candidate] = set()
        is_maximized = Objective(config.study.objective).is_higher_better
        self._memory = WindowedMemory(is_maximized)
        self._live = optuna.create_study(
            storage=self._memory,
            study_name=config.sweep.name,
            pruner=new_pruner(config.study.pruner, rungs),
            direction="maximize" if is_maximized else "minimize",
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
        """Number and hyperparameters of the next trial: none that an earlier one has, as long as there are others."""
        number = self.n_asked
        stored = self._in_storage.get(number)
        if stored is not None and not self._samplers.repeats_asks:
            self._live.add_trial(_as_it_was_asked(stored))
            trial_id = self._memory.get_trial_id_from_study_id_trial_number(self._live_id, number)
            candidate = recall(stored, self._space)
        else:
            trial_id, draft, candidate = self._propose(number)
            if stored is not None:  # another Optuna may propose something else
                draft.parameters.update(
                    (name, (distribution.to_internal_repr(stored.params[name]), distribution))
                    for name, distribution in stored.distributions.items()
                )
                candidate = recall(stored, self._space)
            self._memory.keep(draft)
            if stored is None:
                self._write(number, trial_id)
        self._tried.add(candidate)
        self._trials.append(Trial(self._live, trial_id))
        return number, candidate

    def _propose(self, number: int) -> tuple[int, Draft, Candidate]:
        """A new trial of the live study, and what it is to be: a draft, which has changed nothing there yet."""
        if number < len(self._config.enqueue):
            self._live.enqueue_trial(fixed_params(self._config.enqueue[number]))
        self._live.sampler = self._samplers.new(number)
        self._live.ask()
        trial_id = self._memory.get_trial_id_from_study_id_trial_number(self._live_id, number)
        draft, candidate = self._drafted(trial_id, self._live.sampler)
        if candidate not in self._tried or self._is_exhausted:
            return trial_id, draft, candidate
        for attempt in range(1, MAX_ATTEMPTS + 1):
            draft, candidate = self._drafted(trial_id, self._samplers.new(number, attempt))
            if candidate not in self._tried:
                return trial_id, draft, candidate
        self._memory.set_trial_system_attr(trial_id, "fixed_params", {})  # what was enqueued has been tried
        last = new_brute_force(number) if self._samplers.space.is_finite else self._samplers.new(number, attempt + 1)
        draft, candidate = self._drafted(trial_id, last)
        return trial_id, draft, candidate  # among infinitely many, one that is repeated even now is trained again

    def _drafted(self, trial_id: int, sampler: BaseSampler) -> tuple[Draft, Candidate]:
        self._live.sampler = sampler
        window = self._memory.windowed(self._live_id) if self._samplers.needs_window else nullcontext()
        with self._memory.drafting(trial_id) as draft, window:
            return draft, suggest(Trial(self._live, trial_id), self._space)

    @property
    def _is_exhausted(self) -> bool:
        """Whether every configuration has been tried; a sweep then has no more trials, see `n_trials_of`."""
        n_tried = len(self._tried)
        return n_configurations(self._space, n_tried) == n_tried

    def _write(self, number: int, trial_id: int) -> None:
        """Write a new trial of the live study through to the storage."""
        template = copy.deepcopy(self._memory.get_trial(trial_id))
        if self._samplers.repeats_asks:
            template.system_attrs = {}  # made again on a resume; of CMA-ES, it would be a pickle
        self._trial_ids[number] = self._stored.storage.create_new_trial(self._stored.study_id, template)
        self._in_storage[number] = self._stored.storage.get_trial(self._trial_ids[number])
        if self._in_storage[number].number != number:
            raise InputError(
                f"{self._stored.name}: trial {number} was written as trial {self._in_storage[number].number}.",
                "A study has one writer; another program has added trials to this one.",
                "Stop it, then start afresh: python -m sweeps run --new",
            )

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
            was_pruned = outcome.state == TrialState.PRUNED and not outcome.notes.is_interrupted  # cut in a later rung
            return was_pruned and step == self._in_storage[number].last_step
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
