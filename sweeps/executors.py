"""Executors: where rungs are trained. Each is a `concurrent.futures.Executor`; which one never changes a result."""

import errno
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from engine import TrainingData
from engine.worker import Rung, RungResult, initialize_worker, run_rung, run_rung_in_worker, serve
from experiments.errors import InputError
from sweeps.spawning import start_of_ours
from sweeps.workspace import WORKER_DATA_PREFIX

MAX_ATTEMPTS = 3
"""A rung whose worker died is given to another at most this many times in all."""


_WORKER_IS_DEAD = (EOFError, OSError)  # what a pipe says when nobody holds its other end


class WorkerDiedError(RuntimeError):
    """A worker process ended, several times, while it had the same rung."""


class WorkerHungError(WorkerDiedError):
    """At least one of those workers was ended by us, because it did not answer."""


class ExecutorLostError(InputError):
    """No rung can be trained any more, through no fault of a trial: the sweep ends here, and continues from here."""


class RungExecutor(Executor):
    """What a schedule needs of an executor; it waits by asking a future for its exception, with a timeout."""

    def abandon(self, future: "Future[RungResult]") -> None:
        """Take a rung away from a worker that does not answer and give it to another, as if the worker had died."""


class SerialExecutor(RungExecutor):
    """Makes each call in this process, when it is asked how the call ended.

    Not before: between two rungs the schedule looks whether the time is over.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":  # noqa: ANN401
        """The future of a call that has not been made."""
        return _UnmadeCall(partial(fn, *args, **kwargs))


class _UnmadeCall(Future[Any]):
    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__()
        self._call = call

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._make()
        return super().exception(timeout)

    def result(self, timeout: float | None = None) -> Any:  # noqa: ANN401
        self._make()
        return super().result(timeout)

    def _make(self) -> None:
        if self.done() or not self.set_running_or_notify_cancel():
            return
        try:
            self.set_result(self._call())
        except Exception as error:  # handed to whoever asks for the result, as every Executor does
            self.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Task:
    call: Callable[..., Any]
    args: tuple[Any, ...]
    future: "Future[Any]"


class WorkerProcesses(RungExecutor):
    """`n_workers` processes, each at the end of a pipe of its own; a rung whose worker dies is given to a new one.

    `ProcessPoolExecutor` is not used because it does not survive what we must: one dead process breaks the whole pool,
    nothing says which rung it had, and a process that is killed while it writes a result leaves the pool waiting for
    the rest of it for ever. A pipe that only two processes hold ends when one of them does.
    """

    def __init__(self, n_workers: int) -> None:
        self._first_call: tuple[Callable[..., None], tuple[Any, ...]] | None = None
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._training: dict[Future[Any], BaseProcess] = {}
        self._is_given_up = False
        self._abandoned: set[Future[Any]] = set()
        resource_tracker.ensure_running()  # it comes with the first worker, and unblocks signals in whoever starts it
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(n_workers)]
        for thread in self._threads:
            thread.start()

    @property
    def busy_pids(self) -> list[int]:
        """Process numbers of the workers that have a rung now."""
        with self._lock:
            return [process.pid for process in self._training.values() if process.pid is not None]

    def call_first(self, fn: Callable[..., None], *args: Any) -> None:  # noqa: ANN401
        """What each worker is to call before its first rung, also one that is started later."""
        self._first_call = (fn, args)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":  # noqa: ANN401
        """Queue a call; calls begin in the order they came."""
        assert not kwargs, "rungs are passed by position"
        task = _Task(fn, args, Future())
        self._tasks.put(task)
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop all workers; with `cancel_futures`, at once, and what is waiting or being trained is given up."""
        if cancel_futures:
            with self._lock:
                self._is_given_up = True
                for process in self._training.values():
                    process.kill()
        for _ in self._threads:
            self._tasks.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def abandon(self, future: "Future[RungResult]") -> None:
        """Kill the worker that has the rung."""
        with self._lock:
            if future in self._training:
                self._abandoned.add(future)
                self._training[future].kill()

    def _serve(self) -> None:
        """One thread a worker: gives it one task after the other, and starts a new worker when it has died."""
        # Inherited by workers: Ctrl-C is the coordinator's to obey, also while a worker is still importing.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        worker: _Worker | None = None
        while True:
            with suppress(*_WORKER_IS_DEAD):  # then the next task finds out, and says so
                worker = worker or self._start_worker()
            task = self._tasks.get()
            if task is None:
                break
            if self._is_given_up or not task.future.set_running_or_notify_cancel():
                task.future.cancel()
                continue
            answer: tuple[BaseException | None, Any] | None = None
            for _ in range(MAX_ATTEMPTS):
                try:
                    worker = worker or self._start_worker()
                    answer = self._ask(worker, task)
                    break
                except _WORKER_IS_DEAD:
                    if worker is not None:
                        worker.end()
                    worker = None
                    if self._is_given_up:
                        break
                except Exception as unsendable:  # by pickle; whoever asks for the result is told
                    answer = (unsendable, None)
                    break
            error, result = answer or (self._died(task), None)
            if error is not None:
                task.future.set_exception(error)
            else:
                task.future.set_result(result)
        if worker is not None:
            worker.end()

    def _died(self, task: _Task) -> WorkerDiedError:
        if task.future in self._abandoned:
            return WorkerHungError(f"it was given to {MAX_ATTEMPTS} workers, and they did not answer.")
        return WorkerDiedError(
            f"its worker process ended unexpectedly {MAX_ATTEMPTS} times. Most often memory ran out; "
            "use fewer workers or lower search.hidden_units.high."
        )

    def _ask(self, worker: "_Worker", task: _Task) -> tuple[BaseException | None, Any]:
        with self._lock:
            if self._is_given_up:
                raise EOFError
            self._training[task.future] = worker.process
        try:
            if self._first_call is not None and not worker.is_prepared:
                error, _ = worker.ask(*self._first_call)
                if error is not None:
                    return error, None
                worker.is_prepared = True
            return worker.ask(task.call, task.args)
        finally:
            with self._lock:
                del self._training[task.future]

    def _start_worker(self) -> "_Worker":
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs,), daemon=True)
        with start_of_ours():
            process.start()
        theirs.close()  # so that the pipe ends with the worker
        ours.recv()  # all is imported: a task that is taken begins at once
        return _Worker(process, ours)


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: "Connection[Any, Any]"
    is_prepared: bool = False

    def ask(self, call: Callable[..., Any], args: tuple[Any, ...]) -> tuple[BaseException | None, Any]:
        """Have it make a call; the error that came of it, or None and the result."""
        self.pipe.send((call, args))
        answer: tuple[BaseException | None, Any] = self.pipe.recv()
        return answer

    def end(self) -> None:
        """See it gone; an idle one reads the end of the pipe and leaves."""
        self.pipe.close()
        self.process.join(timeout=1)
        self.process.kill()
        self.process.join()


def n_cores() -> int:
    """Cores that this process may use: taskset, Slurm or a container may leave it fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def started_workers(name: str, n_workers: int) -> Iterator[WorkerProcesses | None]:
    """For the executor "processes", its workers: they import the engine while whoever enters this reads the data."""
    if name != "processes":
        yield None
        return
    workers = WorkerProcesses(n_workers or n_cores())
    try:
        yield workers
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


@contextmanager
def open_executor(
    name: str,
    n_workers: int,
    data: TrainingData,
    *,
    workers: WorkerProcesses | None = None,
    folder: Path | None = None,
    scheduler: str | None = None,
    data_name: str = "",
    trials_in_flight: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[RungExecutor, Callable[[Rung], RungResult]]]:
    """The executor of a configuration, with the data already where its workers are.

    Args:
        name: serial, processes or dask.
        n_workers: Of this machine; 0 is one per core.
        data: What rungs train on.
        workers: Of `started_workers`; None starts them here.
        folder: Where workers of this machine find the data while they run; None is a temporary one.
        scheduler: Of a Dask cluster that runs; None starts one on this machine.
        data_name: What the data are called on a cluster that others use too: of one study in one place.
        trials_in_flight: Of the schedule; twice as many as workers keep them busy.
        say: Told what a person should know about the workers.
    Yields:
        The executor, and the function to submit to it with a `Rung`.
    Raises:
        InputError: A cluster is not as it must be.
    """
    if name == "dask":
        from sweeps.dask_executor import open_dask_executor  # Dask is an extra, and takes a second to import

        with open_dask_executor(n_workers, data, scheduler=scheduler, data_name=data_name, say=say) as opened:
            yield opened
        return
    if name == "serial":
        yield SerialExecutor(), lambda rung: run_rung(rung, data)
        return
    n_workers = n_workers or n_cores()
    if trials_in_flight is not None and 2 * n_workers > trials_in_flight:
        say(
            f"{n_workers} workers and study.trials_in_flight = {trials_in_flight}: workers will wait for each other. "
            f"Twice as many trials keep them busy; set trials_in_flight = {2 * n_workers}, or --workers "
            f"{max(1, trials_in_flight // 2)}."
        )
    with tempfile.TemporaryDirectory(prefix=WORKER_DATA_PREFIX, dir=folder) as directory:  # readable by this user only
        try:
            data.save(Path(directory))
        except OSError as error:  # NumPy gives a short write no errno
            raise OSError(error.errno or errno.ENOSPC, str(error), directory) from error
        executor = workers or WorkerProcesses(n_workers)
        executor.call_first(initialize_worker, Path(directory))
        try:
            yield executor, run_rung_in_worker
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
