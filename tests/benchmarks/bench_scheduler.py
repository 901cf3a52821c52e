"""What the coordinator costs, and how many workers it can keep busy: a simulation, and one real sweep of sleepers.

    python -m tests.benchmarks.bench_scheduler [--quick] [--append]
    python -m tests.benchmarks.bench_scheduler --only growth    # or workers, sleepers

The coordinator is the real one: `Schedule`, `LiveStudy`, Optuna's sampler and pruner, the journal, the outbox, and the
pickles that go to and from a worker. Only training is imagined. In the simulation time is virtual: a rung ends on a
simulated worker when its arithmetic says, times a lognormal deviation, and between two events the clock advances by
what the coordinator's own thread took (its processor time, and in the storage its waiting for the disk). Nothing
sleeps, so 1,000 workers need one processor. MLflow is not part of it: it is told by a thread at its own pace.

    growth     seconds a trial by phase, near trial 100, 1,000, 2,000, ...
    workers    trials per second and what saturates first, by number of workers
    sleepers   200 trials of 0.1 s in two real worker processes that sleep: overhead as a share of wall time
"""

import argparse
import logging
import math
import pickle
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler

from engine.threads import one_blas_thread
from engine.worker import Rung, RungResult
from experiments.outbox import Outbox
from experiments.preparation import PreparedData
from sweeps.configuration.config import Config
from sweeps.configuration.config_file import load_config, override
from sweeps.data import load_data, problem_of
from sweeps.execution.contract import RungExecutor
from sweeps.execution.processes import WorkerProcesses
from sweeps.recording.facts import sweep_started, trial_finished
from sweeps.search.live_study import LiveStudy
from sweeps.search.samplers import Samplers
from sweeps.search.schedule import Hooks, Plan, Schedule
from sweeps.storage.checkpoint import Checkpoint
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_attributes import StudyAttributes
from sweeps.storage.workspace import Workspace
from sweeps.trials.problem import Problem, imagined_seconds
from sweeps.trials.recipe import with_recipe
from sweeps.trials.rungs import Rungs
from sweeps.trials.space import Candidate
from sweeps.trials.stored_trial import StoredTrial
from sweeps.trials.trial import TrialResult
from tests.benchmarks import results
from tests.benchmarks.sleeper import fake_result, sleep_rung
from tests.benchmarks.timing import OtherLoad

DEVIATION = 0.3
"""Standard deviation of the logarithm of (real time of a rung / imagined time)."""


class Meter:
    """Seconds of the coordinator by phase, each second in one phase only; and the clock they advance."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.total = 0.0
        self.events: list[tuple[float, dict[str, float]]] = []
        self._phases = ["schedule"]
        self._since = time.thread_time()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge what happens inside to `name`; a record waits for its disk, everything else computes."""
        self.charge()
        self._phases.append(name)
        began_at = time.perf_counter()
        try:
            yield
        finally:
            waited = time.perf_counter() - began_at - (time.thread_time() - self._since)
            self.charge(max(0.0, waited) if name == "record" else 0.0)
            self._phases.pop()

    def charge(self, waited: float = 0.0) -> None:
        """Bring the account up to date."""
        now = time.thread_time()
        if self._phases[-1] != "nobody's":
            self.seconds[self._phases[-1]] += now - self._since + waited
            self.total += now - self._since + waited
        self._since = now

    def note(self, now: float) -> None:
        """Remember the account as it is after one more trial."""
        self.charge()
        self.events.append((now, dict(self.seconds)))


class SimulatedFuture(Future[RungResult]):
    """The result is there at once; who asks for it has waited until `ends_at`."""

    def __init__(self, cluster: "SimulatedCluster", ends_at: float, image: bytes) -> None:
        super().__init__()
        self._cluster, self._ends_at, self._image = cluster, ends_at, image
        self.set_running_or_notify_cancel()
        self.set_result(None)  # type: ignore[arg-type]  # unpickled below, as a real one is when it arrives

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """None; the virtual clock has moved."""
        self._cluster.wait_until(self._ends_at)
        return None

    def result(self, timeout: float | None = None) -> RungResult:
        """Unpickled for the account of the coordinator."""
        with self._cluster.meter.phase("transport"):
            result: RungResult = pickle.loads(self._image)  # noqa: S301  # our own bytes
        return result


class SimulatedCluster(RungExecutor):
    """Workers that take rungs in the order they come, on a virtual clock."""

    def __init__(self, n_workers: int, speed: float, problem: Problem, meter: Meter) -> None:
        self.meter = meter
        self._free_at = [0.0] * n_workers
        self._waited = 0.0
        self._speed, self._problem = speed, problem
        self._busy: list[tuple[float, float]] = []

    def busy_seconds(self, began_at: float = 0.0, ended_at: float = math.inf) -> float:
        """Worker seconds of training between two virtual moments."""
        return sum(max(0.0, min(end, ended_at) - max(begin, began_at)) for begin, end in self._busy)

    @property
    def now(self) -> float:
        """The virtual time."""
        self.meter.charge()
        return self.meter.total + self._waited

    def wait_until(self, moment: float) -> None:
        """Advance the virtual clock."""
        self._waited += max(0.0, moment - self.now)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> SimulatedFuture:
        """Plan the rung on the worker that is free first."""
        (rung,) = args
        with self.meter.phase("transport"):
            pickle.dumps((fn, rung))
        with self.meter.phase("nobody's"):
            seconds = self._speed * rung_seconds(rung, self._problem)
            image = pickle.dumps(fake_result(rung, self._problem.n_networks, seconds))
        begins_at = max(self.now, heappop(self._free_at))
        heappush(self._free_at, begins_at + seconds)
        self._busy.append((begins_at, begins_at + seconds))
        return SimulatedFuture(self, begins_at + seconds, image)


class SleepingWorkers(WorkerProcesses):
    """Real processes that sleep for as long as a rung takes on a worker of this speed."""

    def __init__(self, n_workers: int, speed: float, problem: Callable[[], Problem]) -> None:
        self._speed, self._problem = speed, problem
        super().__init__(n_workers)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Sleep in place of `fn`."""
        (rung,) = args
        problem = self._problem()
        seconds = self._speed * rung_seconds(rung, problem)
        return super().submit(partial(sleep_rung, seconds, problem.n_networks), rung)


def rung_seconds(rung: Rung, problem: Problem) -> float:
    """What the rung takes on a worker of speed 1: as imagined, but for a deviation of its own."""
    begin = 0 if rung.state is None else rung.state.iteration
    deviation = np.random.default_rng((*rung.initial_seed, rung.n_iterations)).normal(0.0, DEVIATION)
    imagined = imagined_seconds(rung.hyperparameters, problem, rung.n_iterations - begin)
    return imagined * math.exp(deviation)


class MeteredStorage:
    """A storage whose every call is charged to "record"."""

    def __init__(self, storage: optuna.storages.BaseStorage, meter: Meter) -> None:
        self._storage, self._meter = storage, meter

    def __getattr__(self, name: str) -> Any:
        return partial(self._call, getattr(self._storage, name))

    def _call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self._meter.phase("record"):
            return method(*args, **kwargs)


class MeteredStudy:
    """A live study, a new one, whose calls are charged to "ask" and "apply"."""

    early_end = None
    is_catching_up = False

    def __init__(self, study: LiveStudy, meter: Meter, clock: Callable[[], float], sync: Callable[[], None]) -> None:
        self._study, self._meter, self._clock, self._sync = study, meter, clock, sync

    @property
    def n_asked(self) -> int:
        return self._study.n_asked

    def ask(self) -> tuple[int, Candidate]:
        with self._meter.phase("ask"):
            return self._study.ask()

    def outcome(self, number: int) -> StoredTrial | None:
        return self._study.outcome(number)

    def stored_value(self, number: int, step: int) -> float | None:
        return self._study.stored_value(number, step)

    def report(self, *args: Any) -> bool:
        with self._meter.phase("apply"):
            return self._study.report(*args)

    def tell(self, *args: Any) -> None:
        with self._meter.phase("apply"):
            self._study.tell(*args)
        self._meter.note(self._clock())

    def sync(self) -> None:
        with self._meter.phase("record"):
            self._sync()


@dataclass
class Sweep:
    """A sweep on breast_cancer with everything but training and MLflow.

    Attributes:
        n_trials, trials_in_flight, pruner: As configured; None is the product's own pruner.
        meter: The coordinator's account.
        training_seconds: Of all trials, as their workers told them.
    """

    n_trials: int
    trials_in_flight: int
    pruner: str | None = None
    config: Config = field(init=False)
    prepared: PreparedData = field(init=False)
    problem: Problem = field(init=False)
    meter: Meter = field(default_factory=Meter)
    training_seconds: float = 0.0

    def __post_init__(self) -> None:
        study = {"trials_in_flight": self.trials_in_flight} | ({"pruner": self.pruner} if self.pruner else {})
        self.config = override(load_config("breast_cancer"), sweep={"n_trials": self.n_trials}, study=study)
        self.prepared = load_data(self.config)
        self.problem = problem_of(self.config, self.prepared)
        self.config = with_recipe(self.config, self.problem)

    def run(self, executor: RungExecutor, run_rung: Callable[[Rung], RungResult], *, is_durable: bool = True) -> None:
        """All trials, in a folder that is removed afterwards."""
        with tempfile.TemporaryDirectory() as directory, one_blas_thread():
            workspace = Workspace(Path(directory))
            workspace.create()
            (workspace.root / "bench").mkdir()
            storage = workspace.open_storage("bench", None) if is_durable else optuna.storages.InMemoryStorage()
            stored = StoredStudy.create(storage, "bench/1", StudyAttributes(name="bench"))
            outbox = Outbox(workspace.root / "outbox.jsonl")
            outbox.append(sweep_started(self.config, stored.name, self.prepared))
            metered = StoredStudy(MeteredStorage(storage, self.meter), stored.study_id, stored.name)  # type: ignore[arg-type]
            rungs = Rungs(self.config.search.max_iterations)

            def trial_ended(result: TrialResult) -> None:
                self.training_seconds += result.training_seconds
                with self.meter.phase("record"):
                    outbox.append(trial_finished(stored.name, result, self.prepared))

            clock = (lambda: executor.now) if isinstance(executor, SimulatedCluster) else time.perf_counter
            self.meter._since = time.thread_time()  # what came before is not the sweep's
            with Checkpoint(workspace.root / "checkpoint.h5", stored.name) as checkpoint:
                Schedule(
                    MeteredStudy(LiveStudy(metered, self.config, rungs), self.meter, clock, stored.sync),  # type: ignore[arg-type]
                    executor,
                    run_rung,
                    checkpoint,
                    Plan(self.problem, rungs, self.n_trials, self.trials_in_flight),
                    Hooks(on_trial_end=trial_ended),
                ).run()
            self.meter.charge()


def no_rung(rung: Rung) -> RungResult:
    """Stands where a worker's function does; simulated and sleeping workers know what it would have answered."""
    raise AssertionError(rung)


def speed_for(seconds_a_trial: float, pruner: str | None = None) -> float:
    """Seconds of a worker an imagined second, such that a trial takes so long on average, pruned ones included."""
    sweep = Sweep(200, 16, pruner)
    cluster = SimulatedCluster(16, 1.0, sweep.problem, sweep.meter)
    sweep.run(cluster, no_rung, is_durable=False)
    return seconds_a_trial * 200 / cluster.busy_seconds()


PHASES = ("ask", "apply", "record", "transport", "schedule")


MARKS = (100, 300, 1000, 2000, 3000, 5000, 10_000)


def growth(n_trials: int) -> str:
    """The coordinator's milliseconds a trial around certain trials: means over 100 of them.

    Between the marks the sampler is a random one, so that 10,000 trials take minutes: TPE's cost depends on how much of
    the history it is shown, not on who asked for it.
    """
    marks = [mark for mark in MARKS if mark <= n_trials]

    def sampler_near_marks(samplers: Samplers, number: int, attempt: int = 0) -> BaseSampler:
        is_near = any(abs(number - 16 - mark) <= 60 for mark in marks)  # 16 are asked before the first ends
        return make_sampler(samplers if is_near else replace(samplers, name="random"), number, attempt)

    make_sampler = Samplers.new
    sweep = Sweep(n_trials + 80, 16)
    Samplers.new = sampler_near_marks
    try:
        sweep.run(SimulatedCluster(16, 1.0, sweep.problem, sweep.meter), no_rung)
    finally:
        Samplers.new = make_sampler
    rows, first = [], 0.0
    for mark in marks:
        before, after = (sweep.meter.events[end - 1][1] for end in (mark - 50, mark + 50))
        milliseconds = [1e3 * (after.get(phase, 0.0) - before.get(phase, 0.0)) / 100 for phase in PHASES]
        first = first or sum(milliseconds)
        cells = [f"{value:.2f}" for value in (*milliseconds, sum(milliseconds))]
        rows.append([f"{mark:,}", *cells, f"{sum(milliseconds) / first:.2f}"])
    return results.table(["trial", *(f"{phase} ms" for phase in PHASES), "all ms", "times trial 100"], rows)


def workers(seconds_a_trial: tuple[float, ...], cases: tuple[tuple[int, int], ...]) -> str:
    """Trials per second by number of workers and length of a trial, in the middle half of a sweep."""
    rows = []
    for seconds in seconds_a_trial:
        speed = speed_for(seconds)
        for n_workers, trials_in_flight in cases:
            n_trials = max(600, 3 * trials_in_flight)
            sweep = Sweep(n_trials, trials_in_flight)
            cluster = SimulatedCluster(n_workers, speed, sweep.problem, sweep.meter)
            sweep.run(cluster, no_rung)
            (began_at, before), (ended_at, after) = (sweep.meter.events[n_trials * k // 4] for k in (1, 3))
            spent = {phase: after[phase] - before[phase] for phase in PHASES}
            elapsed, coordinator = ended_at - began_at, sum(spent.values())
            trials_a_second = (n_trials * 3 // 4 - n_trials // 4) / elapsed
            idle = 1 - cluster.busy_seconds(began_at, ended_at) / elapsed / n_workers
            saturated = "coordinator" if coordinator / elapsed > 0.9 else "workers" if idle < 0.1 else "order"
            rows.append(
                [
                    f"{n_workers:,}",
                    f"{trials_in_flight:,}",
                    f"{cluster.busy_seconds() / n_trials:.1f}",
                    f"{trials_a_second:.3g}",
                    f"{max(0.0, idle):.0%}",
                    f"{coordinator / elapsed:.0%}",
                    f"{1e3 * coordinator / (n_trials / 2):.0f}",
                    *(f"{spent[phase] / coordinator:.0%}" for phase in PHASES),
                    saturated,
                ]
            )
            print(results.table(WORKERS_COLUMNS, rows[-1:]), flush=True)
    return results.table(WORKERS_COLUMNS, rows)


CASES = ((1, 16), (16, 24), (100, 128), (1000, 1200))
"""Workers, and the trials in flight that keep them busy."""

WORKERS_COLUMNS = [
    "workers",
    "in flight",
    "s a trial",
    "trials/s",
    "workers idle",
    "coordinator busy",
    "ms a trial",
    *PHASES,
    "saturated",
]


def sleepers(n_trials: int = 200, seconds_a_trial: float = 0.1, n_workers: int = 2) -> str:
    """Real processes that sleep: wall time against the time that training took."""
    sweep = Sweep(n_trials, 16)
    executor = SleepingWorkers(n_workers, speed_for(seconds_a_trial), lambda: sweep.problem)
    try:
        for future in [WorkerProcesses.submit(executor, time.sleep, 1.0) for _ in range(n_workers)]:
            future.result()  # they have started
        began_at = time.perf_counter()
        sweep.run(executor, no_rung)
        elapsed = time.perf_counter() - began_at
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
    trained = sweep.training_seconds / n_workers
    shares = [f"{sweep.meter.seconds[phase] / elapsed:.1%}" for phase in PHASES]
    return results.table(
        [
            "trials",
            "s a trial",
            "wall s",
            "training s / workers",
            "overhead",
            *(f"{phase} of wall" for phase in PHASES),
        ],
        [
            [
                str(n_trials),
                f"{sweep.training_seconds / n_trials:.3f}",
                f"{elapsed:.2f}",
                f"{trained:.2f}",
                f"{1 - trained / elapsed:.1%}",
                *shares,
            ]
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 trials, 100 workers")
    parser.add_argument("--append", action="store_true", help="add the tables to RESULTS.md")
    parser.add_argument("--only", choices=["growth", "workers", "sleepers"])
    options = parser.parse_args()
    optuna.logging.set_verbosity(logging.WARNING)
    parts: dict[str, Callable[[], str]] = {
        "growth": lambda: growth(2000 if options.quick else 10_000),
        "workers": lambda: workers((1.0, 10.0, 100.0), CASES[: 3 if options.quick else 4]),
        "sleepers": sleepers,
    }
    for name, part in parts.items():
        if options.only in (None, name):
            with OtherLoad() as other:
                text = part()
            paragraph = results.conditions(other.cores)
            print(f"\n{name}: {paragraph}\n\n{text}", flush=True)
            if options.append:
                results.append(f"bench_scheduler {name}", paragraph, text)


if __name__ == "__main__":
    from tests.benchmarks import bench_scheduler  # workers do not run the main file: they find functions in modules

    bench_scheduler.main()
