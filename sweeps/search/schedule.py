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
import math
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass

from optuna.trial import TrialState

from engine.curve import join
from engine.objectives import Objective
from engine.worker import Rung, RungResult
from sweeps.execution.contract import MAX_ATTEMPTS, RungExecutor, WorkerDiedError, WorkerHungError
from sweeps.search.live_study import LiveStudy
from sweeps.storage.checkpoint import Checkpoint
from sweeps.storage.study_attributes import EarlyEnd
from sweeps.trials.problem import Problem, imagined_seconds
from sweeps.trials.rungs import Rungs
from sweeps.trials.trial import RunningTrial, TrialResult, best_of, ended

POLL_SECONDS = 0.1
"""How often a wait for a result looks whether it should stop."""

HANG_FACTOR = 20.0
HANG_SECONDS = 30.0
"""A rung hangs when it takes this much longer than rungs did so far: factor times the expected, and the seconds."""

TIME_IS_OVER = "the sweep's time was over"

CUT_SECONDS = 1.0
"""How long the end of the time waits for what workers have trained of their present rungs."""

SLOWEST_PACE = 100.0
"""Real seconds an imagined second, as long as no rung has shown how fast this machine is."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the order of events is a function of, beside the results.

    Attributes:
        problem: What is trained on.
        rungs: Where trials are judged.
        n_trials: How many trials the sweep has in all, those in the storage included.
        trials_in_flight: Processors of the imagined machine.
        patience: The sweep ends when this many trials in a row have ended without a better value than the best there
            is; None is never.
        stops_early: A trial whose validation cost has levelled off is trained no further; its value stays as it is, and
            the pruner judges it by that at the rungs that are left.
    """

    problem: Problem
    rungs: Rungs
    n_trials: int
    trials_in_flight: int
    patience: int | None = None
    stops_early: bool = False


@dataclass(frozen=True, slots=True)
class Hooks:
    """Where the world outside has its say, and hears of the sweep.

    Attributes:
        is_over: Asked between rungs; True ends the sweep with the best so far.
        check_interrupt: Called while waiting; raises to leave at once. The storage is then as it was after the
            latest applied rung.
        ends_at: Unix time at which the winner must have been refitted; inf where there is no limit.
        on_trial_end: Told of every trial this process ends, just before the storage is.
        hang_seconds: What is granted to a rung beyond `HANG_FACTOR` times the expected, before its worker is ended.
    """

    is_over: Callable[[], bool] = lambda: False
    check_interrupt: Callable[[], None] = lambda: None
    on_trial_end: Callable[[TrialResult], None] = lambda result: None
    ends_at: float = math.inf
    hang_seconds: float = HANG_SECONDS


class Schedule:
    """Runs the trials of one sweep: ask, submit rungs, apply their results in the imagined order, tell.

    Args:
        study: Sampler, pruner and storage.
        executor: Where rungs are trained; `run_rung` is what it is given to run.
        run_rung: `Rung` to `RungResult`, in whatever process the executor has.
        checkpoint: Keeps the states of running trials.
        plan: Which trials, how many at a time, and how long.
        hooks: When to stop, and who is told.
    """

    def __init__(
        self,
        study: LiveStudy,
        executor: RungExecutor,
        run_rung: Callable[[Rung], RungResult],
        checkpoint: Checkpoint,
        plan: Plan,
        hooks: Hooks,
    ) -> None:
        self._study = study
        self._executor = executor
        self._run_rung = run_rung
        self._checkpoint = checkpoint
        self._plan = plan
        self._hooks = hooks
        self._queue: list[tuple[float, int]] = []  # (imagined end of the present rung, trial number), a heap
        self._running: dict[int, RunningTrial] = {}
        self._best_value: float | None = None
        self._n_without_improvement = 0
        self._pace = 0.0  # the slowest rung so far, in seconds an imagined second
        self._best_value_of_any: float | None = None  # also of a trial that is not complete
        self._refit_seconds = 0.0

    def run(self) -> None:
        """Until every trial has ended, or the budget has."""
        now, n_applied = 0.0, 0  # time on the imagined machine, and rungs that have ended there
        while True:
            while len(self._running) < self._plan.trials_in_flight and self._study.n_asked < self._plan.n_trials:
                self._hooks.check_interrupt()
                self._begin_trial(now)
            if not self._queue:
                return
            if reason := self._why_over(n_applied):
                self._end_all(n_applied, reason)
                return
            now, number = heapq.heappop(self._queue)
            try:
                self._apply(self._running[number], now)
            except _TimeIsOverError:
                self._end_all(n_applied, TIME_IS_OVER)
                return
            n_applied += 1
            self._study.sync()
            self._checkpoint.update(self._running.values())

    def _why_over(self, n_applied: int) -> str:
        """Why the sweep ends here, before all trials have; empty while it goes on.

        An end that an earlier process wrote down comes again after as many rungs: it may have been a clock's doing.
        """
        if self._study.early_end is not None:
            return self._study.early_end.reason if n_applied == self._study.early_end.n_applied else ""
        if self._study.is_catching_up:
            return ""
        if self._hooks.is_over() or self._is_out_of_time():
            return TIME_IS_OVER
        if self._plan.patience is not None and self._n_without_improvement >= self._plan.patience:
            return f"no better value in {self._plan.patience} trials"
        return ""

    @property
    def _objective(self) -> Objective:
        return self._plan.problem.objective

    @property
    def _deadline(self) -> float | None:
        """Unix time after which no rung is trained any more; None where a clock has no say."""
        if self._study.early_end is not None or self._study.is_catching_up or math.isinf(self._hooks.ends_at):
            return None
        return self._hooks.ends_at - self._refit_seconds

    def _is_out_of_time(self) -> bool:
        deadline = self._deadline
        return deadline is not None and time.time() >= deadline

    def _begin_trial(self, now: float) -> None:
        number, candidate = self._study.ask()
        ends = self._plan.rungs.ends(candidate.n_iterations)
        trial = RunningTrial(number, candidate, ends, time.time(), self._objective)
        if self._study.outcome(number) is None:
            self._checkpoint.restore(trial)
        self._running[number] = trial
        self._begin_rung(trial, now)

    def _begin_rung(self, trial: RunningTrial, now: float) -> None:
        begin = trial.rung_ends[trial.rung - 1] if trial.rung > 0 else -1
        hyperparameters = self._plan.problem.hyperparameters(trial.candidate, trial.number)
        is_stopped = self._is_stopped(trial)
        is_known = is_stopped or self._study.outcome(trial.number) is not None or trial.rung < len(trial.curves)
        if not is_known:
            spacing = self._plan.problem.spacing(hyperparameters)
            points = self._plan.rungs.points(trial.candidate.n_iterations, spacing)
            rung = Rung(
                hyperparameters=hyperparameters,
                initial_seed=self._plan.problem.initial_seed(trial.number),
                state=trial.state,
                n_iterations=trial.rung_end,
                record_at=tuple(i for i in points if begin < i <= trial.rung_end),
                objective=self._objective,
                n_starts=self._plan.problem.n_starts,
                deadline=self._deadline,
            )
            trial.future = self._executor.submit(self._run_rung, rung)
        trial.imagined_seconds = imagined_seconds(
            hyperparameters, self._plan.problem, 0 if is_stopped else trial.rung_end - max(begin, 0)
        )
        heapq.heappush(self._queue, (now + trial.imagined_seconds, trial.number))

    def _apply(self, trial: RunningTrial, now: float) -> None:
        """What the end of a rung decides: the trial failed, is given up, is complete, or climbs on."""
        if self._study.outcome(trial.number) is not None:
            value, failure = self._study.stored_value(trial.number, trial.rung_end), "it had failed before"
        else:
            value, failure = self._collect(trial)
        if value is None:
            self._end(trial, TrialState.FAIL, failure)
            return
        trial.values.append(value)
        self._estimate_refit(trial, value)
        should_prune = self._study.report(trial.number, trial.rung_end, value)
        if trial.rung_end == trial.rung_ends[-1]:
            self._end(trial, TrialState.COMPLETE, trial.early_stop)
        elif should_prune:
            reasons = (f"pruned after {trial.rung_end} iterations", trial.early_stop)
            self._end(trial, TrialState.PRUNED, "; ".join(filter(None, reasons)))
        else:
            trial.rung += 1
            self._begin_rung(trial, now)

    def _collect(self, trial: RunningTrial) -> tuple[float | None, str]:
        """The trial's value after its present rung, or None and why there is none."""
        if trial.rung >= len(trial.curves) and not self._is_stopped(trial):
            failure = self._await_rung(trial)
            if failure:
                return None, f"trial {trial.number}: {failure} Recorded as FAIL."
            if trial.cut is not None:
                raise _TimeIsOverError
        return best_of(join(trial.curves[: trial.rung + 1]), self._objective)[0], ""

    def _is_stopped(self, trial: RunningTrial) -> bool:
        return self._plan.stops_early and trial.has_levelled_off

    def _await_rung(self, trial: RunningTrial) -> str:
        """Wait for the worker and take its result over; what went wrong, or an empty text."""
        assert trial.future is not None, "a rung that is not known has been submitted"
        is_running_since = time.monotonic()
        hung_for = 0.0
        while not has_ended_within(POLL_SECONDS, trial.future):
            self._hooks.check_interrupt()
            if self._is_out_of_time():
                raise _TimeIsOverError
            if not trial.future.running():
                is_running_since = time.monotonic()
            elif time.monotonic() - is_running_since > (patience := self._patience_seconds(trial)):
                self._executor.abandon(trial.future)
                is_running_since, hung_for = time.monotonic(), patience
        self._hooks.check_interrupt()
        error = trial.future.exception()
        if isinstance(error, MemoryError):
            return f"its worker ran out of memory ({error}). Use fewer workers or lower search.hidden_units.high."
        if isinstance(error, WorkerHungError):
            return (
                f"it was given to {MAX_ATTEMPTS} workers and had no answer within {hung_for:.3g} s. Look for workers "
                "that were stopped, or a machine that has no memory left and swaps."
            )
        if isinstance(error, WorkerDiedError):
            return str(error)
        result = trial.future.result()  # any other error is a bug of ours: not a trial's failure
        trial.training_seconds += result.seconds
        trial.state = result.state
        if result.is_cut(trial.rung_end):
            trial.cut = result.curve
            return ""
        trial.curves.append(result.curve)
        trial.pace = result.seconds / trial.imagined_seconds
        self._pace = max(self._pace, trial.pace)
        if result.curve.diverged_at is None:
            return ""
        return (
            f"cost is not finite at iteration {result.curve.diverged_at} "
            f"(learning_rate = {trial.candidate.learning_rate:.4g}, {trial.candidate.activation}, "
            f"{self._plan.problem.dtype}). Lower search.learning_rate.high."
        )

    def _patience_seconds(self, trial: RunningTrial) -> float:
        """When a rung counts as hanging: by how fast its trial's earlier rungs were; of a first one, all others."""
        pace = trial.pace or self._pace_so_far()
        return self._hooks.hang_seconds + HANG_FACTOR * pace * trial.imagined_seconds

    def _pace_so_far(self) -> float:
        """Real seconds an imagined second, of the slowest rung that was applied; before there is one, has arrived."""
        if self._pace > 0.0:
            return self._pace
        futures = ((trial.future, trial.imagined_seconds) for trial in self._running.values())
        arrived = ((f, s) for f, s in futures if f is not None and f.done() and f.exception() is None)
        return max((future.result().seconds / seconds for future, seconds in arrived), default=SLOWEST_PACE)

    def _end(self, trial: RunningTrial, state: TrialState, reason: str, *, is_interrupted: bool = False) -> None:
        """Write the end of a trial down: the fact first, then the storage, which a resumed sweep believes.

        Not so where a dead worker decided: a sweep that is killed between the two and resumed may end the trial
        otherwise.
        """
        del self._running[trial.number]
        outcome = self._study.outcome(trial.number)
        if outcome is not None:
            result = TrialResult(outcome, curve=None, training_seconds=0.0, is_recalled=True)
        else:
            result = ended(trial, state, reason, is_interrupted)
        stored = result.trial
        value = stored.value if stored.state == TrialState.COMPLETE else None
        if value is not None and self._objective.is_better(value, self._best_value):
            self._best_value, self._n_without_improvement = value, 0
        elif self._best_value is not None:
            self._n_without_improvement += 1
        has_diverged = result.curve is not None and result.curve.diverged_at is not None
        if stored.state == TrialState.FAIL and not has_diverged:
            self._study.tell(stored)
            self._study.sync()
            self._hooks.on_trial_end(result)
        else:
            self._hooks.on_trial_end(result)
            self._study.tell(stored)

    def _estimate_refit(self, trial: RunningTrial, value: float) -> None:
        """Keep how long it will take to refit the trial whose value is the best so far.

        A refit trains one network on all examples where a trial trains F on those that they do not hold out.
        """
        is_best = self._objective.is_better(value, self._best_value_of_any)
        if is_best and trial.state is not None and trial.state.iteration > 0:
            self._best_value_of_any = value
            best_iteration = best_of(join(trial.curves), self._objective)[1]
            one_network = trial.training_seconds / max(1, self._plan.problem.n_networks - 1)
            self._refit_seconds = one_network * best_iteration / trial.state.iteration

    def _end_all(self, n_applied: int, reason: str) -> None:
        """End the sweep here. That is written down first: a sweep that is killed now and resumed ends here, too."""
        has_deadline = self._deadline is not None
        self._study.end_early(EarlyEnd(n_applied, reason))
        waits_until = time.monotonic() + CUT_SECONDS
        for trial in list(self._running.values()):
            if trial.future is not None and not trial.future.cancel() and has_deadline:
                self._take_what_is_trained(trial, waits_until - time.monotonic())
            self._end(trial, TrialState.PRUNED, reason, is_interrupted=True)
        self._study.sync()

    def _take_what_is_trained(self, trial: RunningTrial, seconds: float) -> None:
        """The costs of a rung that its deadline stops; a trial may have no other."""
        assert trial.future is not None
        if trial.cut is None and has_ended_within(max(0.0, seconds), trial.future):
            with suppress(Exception):  # a worker that died now has nothing to say
                result = trial.future.result()
                trial.training_seconds += result.seconds
                if result.curve.diverged_at is None:
                    trial.state, trial.cut = result.state, result.curve


class _TimeIsOverError(Exception):
    """The time was over while a rung was waited for."""


def has_ended_within(seconds: float, rung: "Future[RungResult]") -> bool:
    """Wait for a rung at most so long; the serial executor trains it now."""
    with suppress(TimeoutError, CancelledError):
        rung.exception(timeout=seconds)
    return rung.done()
