"""The part of a study's history that a sampler is shown: the thousandth ask costs little more than the hundredth."""

from bisect import insort
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager

from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState


class WindowedMemory(InMemoryStorage):
    """Optuna's storage in memory, which shows a sampler no more trials than a window holds: an ask costs what they do.

    The window keeps the `N_BEST` finished trials that TPE models as good, so this half of its model is that of the
    whole history; and the newest of the others, which are most of what TPE weighs in the other half.
    """

    N_BEST = 25  # as TPE: the best tenth, at most 25 (optuna.samplers._tpe.sampler.default_gamma)
    N_FINISHED = 250  # complete or pruned: the fewest of which a tenth is 25
    N_RUNNING = 128

    def __init__(self) -> None:
        super().__init__()
        self._best: list[tuple[bool, int, float, int]] = []
        self._shown: list[FrozenTrial] | None = None

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
            insort(self._best, (is_pruned, -(trial.last_step or 0) if is_pruned else 0, values[0], trial.number))
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
