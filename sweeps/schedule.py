"""The order in which a sweep happens: a function of the configuration and the results, never of the clock.

Trials advance on an imagined machine with `trials_in_flight` processors, each training one trial. There a rung takes
the time that its arithmetic says (`imagined_seconds`), and its result is applied when it ends there. Real workers take
the rungs as they come; a result that arrives before its turn waits. So sampler and pruner see the same history with
any number of workers, and since a real machine has fewer processors than the imagined one, the result whose
turn it is has nearly always arrived: workers do not wait for each other.

A rung that was finished before this process began is not trained again: its value comes from the storage, and the same
loop runs on. That is all there is to resuming.
"""

import heapq
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, wait
from itertools import pairwise

from optuna.trial import TrialState

from engine import Architecture
from engine.worker import Rung, RungResult
from sweeps.rungs import Rungs
from sweeps.study import LiveStudy
from sweeps.trial import Problem, RunningTrial, TrialResult, best_of, join

POLL_SECONDS = 0.1
"""How often a wait for a result looks whether it should stop."""


class Schedule:
    """Runs the trials of one sweep: ask, submit rungs, apply their results in the imagined order, tell.

    Args:
        study: Sampler, pruner and record.
        executor: Where rungs are trained; `run_rung` is what it is given to run.
        run_rung: `Rung` to `RungResult`, in whatever process the executor has.
        problem: What is trained on.
        rungs: Where trials are judged.
        n_trials: Of the whole sweep, those in the storage included.
        trials_in_flight: Processors of the imagined machine.
        is_over: Asked between rungs; True ends the sweep with the best so far.
        check_interrupt: Called while waiting; raises to leave at once. The storage is then as it was after the
            latest applied rung.
        on_trial_end: Told of every trial this process ends, just before the storage is.
    """

    def __init__(
        self,
        study: LiveStudy,
        executor: Executor,
        run_rung: Callable[[Rung], RungResult],
        problem: Problem,
        rungs: Rungs,
        *,
        n_trials: int,
        trials_in_flight: int,
        is_over: Callable[[], bool],
        check_interrupt: Callable[[], None],
        on_trial_end: Callable[[TrialResult], None],
    ) -> None:
        self._study = study
        self._executor = executor
        self._run_rung = run_rung
        self._problem = problem
        self._rungs = rungs
        self._n_trials = n_trials
        self._trials_in_flight = trials_in_flight
        self._is_over = is_over
        self._check_interrupt = check_interrupt
        self._on_trial_end = on_trial_end
        self._queue: list[tuple[float, int]] = []  # (imagined end of the present rung, trial number), a heap
        self._running: dict[int, RunningTrial] = {}

    def run(self) -> None:
        """Until every trial has ended, or the budget has."""
        now = 0.0  # on the imagined machine
        while True:
            while len(self._running) < self._trials_in_flight and self._study.n_asked < self._n_trials:
                self._check_interrupt()
                self._begin_trial(now)
            if not self._queue:
                return
            if self._is_over():
                self._end_all("the sweep's budget ended")
                return
            now, number = heapq.heappop(self._queue)
            self._apply(self._running[number], now)

    def _begin_trial(self, now: float) -> None:
        number, candidate = self._study.ask()
        trial = RunningTrial(number, candidate, self._rungs.ends(candidate.n_iterations), time.time())
        self._running[number] = trial
        self._begin_rung(trial, now)

    def _begin_rung(self, trial: RunningTrial, now: float) -> None:
        begin = trial.rung_ends[trial.rung - 1] if trial.rung > 0 else -1
        hyperparameters = self._problem.hyperparameters(trial.candidate)
        if self._study.outcome(trial.number) is None:
            recorded = self._rungs.recorded(trial.candidate.n_iterations)
            rung = Rung(
                hyperparameters=hyperparameters,
                initial_seed=self._problem.initial_seed(trial.number),
                state=trial.state,
                n_iterations=trial.rung_end,
                record_at=tuple(i for i in recorded if begin < i <= trial.rung_end),
            )
            trial.future = self._executor.submit(self._run_rung, rung)
        seconds = imagined_seconds(hyperparameters.architecture, self._problem, trial.rung_end - max(begin, 0))
        heapq.heappush(self._queue, (now + seconds, trial.number))

    def _apply(self, trial: RunningTrial, now: float) -> None:
        """What the end of a rung decides: the trial failed, is given up, is complete, or climbs on."""
        outcome = self._study.outcome(trial.number)
        if outcome is not None:
            value, failure = outcome.intermediate_values.get(trial.rung_end), "recorded as failed"
        else:
            value, failure = self._collect(trial)
        if value is None:
            self._end(trial, TrialState.FAIL, failure)
        elif self._study.report(trial.number, trial.rung_end, value):
            self._end(trial, TrialState.PRUNED, f"pruned after {trial.rung_end} iterations")
        elif trial.rung_end == trial.rung_ends[-1]:
            self._end(trial, TrialState.COMPLETE, "")
        else:
            trial.rung += 1
            self._begin_rung(trial, now)

    def _collect(self, trial: RunningTrial) -> tuple[float | None, str]:
        """The trial's value after its present rung, or None and why there is none."""
        assert trial.future is not None
        while not wait([trial.future], timeout=POLL_SECONDS).done:
            self._check_interrupt()
        self._check_interrupt()
        error = trial.future.exception()
        if error is not None:
            return None, f"trial {trial.number}: {error}"
        result = trial.future.result()
        trial.state = result.state
        trial.training_seconds += result.seconds
        trial.curves.append(result.curve)
        if result.curve.diverged_at is not None:
            candidate = trial.candidate
            return None, (
                f"trial {trial.number}: cost is not finite at iteration {result.curve.diverged_at} "
                f"(learning_rate = {candidate.learning_rate:.4g}, {candidate.activation}, {self._problem.dtype})."
            )
        return best_of(join(trial.curves))[0], ""

    def _end(self, trial: RunningTrial, state: TrialState, reason: str, *, is_interrupted: bool = False) -> None:
        del self._running[trial.number]
        outcome = self._study.outcome(trial.number)
        if outcome is not None:
            self._study.tell(trial.number, outcome.state, outcome.value, {})
            return
        curve = join(trial.curves) if trial.curves else None
        value, best_iteration = best_of(curve) if curve is not None else (None, None)
        if state == TrialState.FAIL:
            value, best_iteration = None, None
        result = TrialResult(
            number=trial.number,
            candidate=trial.candidate,
            state=state,
            value=value,
            best_iteration=best_iteration,
            curve=curve,
            reason=reason,
            is_interrupted=is_interrupted,
            started_at=trial.started_at,
            ended_at=time.time(),
            training_seconds=trial.training_seconds,
        )
        self._on_trial_end(result)
        notes: Mapping[str, object] = {"best_iteration": best_iteration, "reason": reason}
        self._study.tell(trial.number, state, value, notes)

    def _end_all(self, reason: str) -> None:
        for trial in list(self._running.values()):
            if trial.future is not None:
                trial.future.cancel()
            self._end(trial, TrialState.PRUNED, reason, is_interrupted=True)


def imagined_seconds(architecture: Architecture, problem: Problem, n_iterations: int) -> float:
    """How long a rung takes on the imagined machine: any fixed formula is correct, a close one keeps workers busy.

    Six multiply-adds a weight and example (forward, dW, dA) at 20 Gflop/s, and 30 microseconds of calls a layer.
    """
    sizes = (min(architecture.n_features, problem.n_examples), *architecture.layer_sizes[1:])
    n_weights = sum(fan_in * n_units for fan_in, n_units in pairwise(sizes))
    flops = 6 * problem.n_folds * problem.n_examples * n_weights
    return n_iterations * (flops / 20e9 + 30e-6 * (architecture.depth + 1))
