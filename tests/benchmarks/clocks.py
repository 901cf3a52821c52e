"""A sweep with clocks around its calls: seconds of the coordinator by what it did, and the moments of its life.

`bench_sweep` runs `main` in a process of its own. Nothing of the product is changed but that its calls are timed.
"""

import json
import sys
import time
from collections import Counter, defaultdict
from functools import wraps
from typing import Any

import sweeps.execution.executors
import sweeps.search.schedule
from sweeps import run
from sweeps.configuration.config_file import load_config
from sweeps.execution.processes import WorkerProcesses
from sweeps.recording.record import Record
from sweeps.search.live_study import LiveStudy
from sweeps.search.schedule import Schedule
from sweeps.storage.checkpoint import Checkpoint
from sweeps.trials.problem import Problem
from tests.benchmarks.bench_scheduler import SleepingWorkers


class Clocks:
    """By name: `seconds` of wall time, `processor` seconds of the calling thread, `calls`; `at`: moments.

    Where wall time is far above processor time, the call waited: for the disk or a core.
    """

    def __init__(self, started_at: float) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.processor: dict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self.at: dict[str, float] = {}
        self._started_at = started_at

    def note(self, moment: str) -> None:
        """The time of a moment; the last of its name stays."""
        self.at[moment] = time.time() - self._started_at

    def put(self, owner: Any, method: str, name: str) -> None:
        """A clock around a call."""
        call = getattr(owner, method)

        @wraps(call)
        def timed(*args: Any, **kwargs: Any) -> Any:
            began_at, thread = time.perf_counter(), time.thread_time()
            try:
                return call(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - began_at
                self.processor[name] += time.thread_time() - thread
                self.calls[name] += 1

        setattr(owner, method, timed)

    def mark(self, owner: Any, method: str, before: str, after: str) -> None:
        """The moments when a call begins and ends."""
        call = getattr(owner, method)

        @wraps(call)
        def marked(*args: Any, **kwargs: Any) -> Any:
            self.note(before)
            try:
                return call(*args, **kwargs)
            finally:
                self.note(after)

        setattr(owner, method, marked)

    def measure_cores(self) -> None:
        """Cores that this process uses while the schedule runs; workers and delivery are other processes."""
        call = Schedule.run

        @wraps(call)
        def measured(schedule: Schedule) -> None:
            began_at, process = time.perf_counter(), time.process_time()
            call(schedule)
            self.cores = (time.process_time() - process) / (time.perf_counter() - began_at)

        Schedule.run = measured  # type: ignore[method-assign]


def main(started_at: float, speed: float | None) -> None:
    """Run ./bench.toml; JSON to stdout. With `speed`, seconds an imagined second, trials sleep instead of training."""
    clocks = Clocks(started_at)
    clocks.note("modules are imported")
    clocks.put(LiveStudy, "ask", "ask")
    clocks.put(LiveStudy, "report", "report and prune")
    clocks.put(LiveStudy, "tell", "tell")
    clocks.put(LiveStudy, "sync", "sync")
    clocks.put(Record, "trial_ended", "record")
    clocks.put(Checkpoint, "update", "checkpoint")
    clocks.put(WorkerProcesses, "submit", "submit")
    clocks.put(sweeps.search.schedule, "has_ended_within", "wait")
    clocks.mark(run, "load_data", "configuration is read", "data are loaded")
    clocks.measure_cores()
    clocks.mark(Schedule, "run", "schedule begins", "schedule ends")
    clocks.mark(run, "crown", "workers are gone", "winner is refitted, tested, beside baselines")
    clocks.mark(Record, "__exit__", "end is recorded", "all is delivered to MLflow")
    if speed is not None:
        _sleep_instead(speed)
    result = run.run_sweep(load_config("bench.toml"))
    measured = {key: getattr(clocks, key) for key in ("at", "seconds", "processor", "calls", "cores")}
    json.dump(
        measured | {"n_pending": result.delivery.n_pending},
        sys.stdout,
    )
    print()


def _sleep_instead(speed: float) -> None:
    """Workers that sleep, in place of those that train."""
    problem_of = run.problem_of
    problems: list[Problem] = []

    def noted(*args: Any) -> Problem:
        problems.append(problem_of(*args))
        return problems[-1]

    def sleeping(n_workers: int) -> SleepingWorkers:
        return SleepingWorkers(n_workers, speed, lambda: problems[-1])

    run.problem_of, sweeps.execution.executors.WorkerProcesses = noted, sleeping  # type: ignore[misc,assignment]
