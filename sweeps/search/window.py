"""The live study's memory: what a sampler is shown of it, and what it proposes before anything is decided."""

import copy
from bisect import insort
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState


@dataclass(frozen=True, slots=True)
class Draft:
    """What a sampler proposes for a trial: its parameters as Optuna keeps them, and the sampler's own notes."""

    trial_id: int
    parameters: dict[str, tuple[float, BaseDistribution]] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


class WindowedMemory(InMemoryStorage):
    """Optuna's storage in memory, which can show a sampler a window of the trials, and take its proposal as a draft.

    With a window, an ask costs what the trials in it do: the thousandth little more than the hundredth.

    The window keeps the `N_BEST` finished trials that TPE models as good, so this half of its model is that of the
    whole history; and the newest of the others, which are most of what TPE weighs in the other half.
    """

    N_BEST = 25  # as TPE: the best tenth, at most 25 (optuna.samplers._tpe.sampler.default_gamma)
    N_FINISHED = 250  # complete or pruned: the fewest of which a tenth is 25
    N_RUNNING = 128

    def __init__(self, is_maximized: bool = False) -> None:
        super().__init__()
        self._is_maximized = is_maximized
        self._best: list[tuple[bool, int, float, int]] = []
        self._shown: list[FrozenTrial] | None = None
        self._draft: Draft | None = None

    @contextmanager
    def drafting(self, trial_id: int) -> Iterator[Draft]:
        """Until left, what is written of this trial goes into a draft, and the trial itself stays as it is."""
        self._draft = Draft(trial_id)
        try:
            yield self._draft
        finally:
            self._draft = None

    def keep(self, draft: Draft) -> None:
        """Make a draft the trial's own."""
        for name, (value, distribution) in draft.parameters.items():
            self.set_trial_param(draft.trial_id, name, value, distribution)
        for key, note in draft.notes.items():
            self.set_trial_system_attr(draft.trial_id, key, note)

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """As the interface says; while there is a draft, a copy, because Optuna changes what it was given."""
        trial = super().get_trial(trial_id)
        return copy_of(trial) if self._draft is not None else trial

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """As the interface says, or into the draft."""
        if self._draft is not None and trial_id == self._draft.trial_id:
            self._draft.parameters[param_name] = (param_value_internal, distribution)
        else:
            super().set_trial_param(trial_id, param_name, param_value_internal, distribution)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:  # noqa: ANN401  # what JSON can hold
        """As the interface says, or into the draft."""
        if self._draft is not None and trial_id == self._draft.trial_id:
            self._draft.notes[key] = value
        else:
            super().set_trial_system_attr(trial_id, key, value)

    @contextmanager
    def windowed(self, study_id: int) -> Iterator[None]:
        """Until left, `get_all_trials` knows the window only."""
        self._shown = self._window(super().get_all_trials(study_id, deepcopy=False))
        try:
            yield
        finally:
            self._shown = None

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """As the interface says, or those of the window."""
        if self._shown is None:
            return super().get_all_trials(study_id, deepcopy, states)
        return [trial for trial in self._shown if states is None or trial.state in states]

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As the interface says; remembers the best, in TPE's order: complete by value, then pruned by progress."""
        is_set = super().set_trial_state_values(trial_id, state, values)
        if state in (TrialState.COMPLETE, TrialState.PRUNED) and values:
            trial = self.get_trial(trial_id)
            is_pruned = state == TrialState.PRUNED
            value = -values[0] if self._is_maximized else values[0]
            insort(self._best, (is_pruned, -(trial.last_step or 0) if is_pruned else 0, value, trial.number))
            del self._best[self.N_BEST :]
        return is_set

    def _window(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        shown = {number for *_, number in self._best}
        n_left = {False: self.N_RUNNING, True: self.N_FINISHED - len(shown)}  # by whether it is finished
        for trial in reversed(trials):
            is_finished = trial.state.is_finished()
            if n_left[True] == 0 and is_finished:
                break
            if n_left[is_finished] > 0 and trial.state != TrialState.FAIL and trial.number not in shown:
                shown.add(trial.number)
                n_left[is_finished] -= 1
        return [trials[number] for number in sorted(shown)]


def copy_of(trial: FrozenTrial) -> FrozenTrial:
    """A trial whose own may be changed; distributions and values, which nobody changes, are shared."""
    copied = copy.copy(trial)
    for name in ("params", "distributions", "user_attrs", "system_attrs", "intermediate_values"):
        setattr(copied, name, dict(getattr(trial, name)))
    return copied
