"""Executors: where rungs are trained. Each is a `concurrent.futures.Executor`; which one never changes a result."""

import multiprocessing
import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine import TrainingData
from engine.worker import Rung, RungResult, initialize_worker, run_rung, run_rung_in_worker

MAX_ATTEMPTS = 3
"""A rung whose worker died is given to another at most this many times in all."""


class WorkerDiedError(RuntimeError):
    """A worker process ended, several times, while it had the same rung."""


class RungExecutor(Executor):
    """What a schedule needs of an executor."""

    def abandon(self, future: "Future[RungResult]") -> None:
        """Take a rung away from a worker that does not answer and give it to another, as if the worker had died."""


class SerialExecutor(RungExecutor):
    """Runs each call at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":  # noqa: ANN401
        """Run the call and return its finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # handed to whoever asks for the result, as every Executor does
            future.set_exception(error)
        return future


@dataclass(slots=True)
class _Task:
    call: Callable[..., Any]
    args: tuple[Any, ...]
    future: "Future[Any]"
    n_attempts: int = 0


class WorkerProcesses(RungExecutor):
    """`n_workers` processes; a rung whose worker dies is given to a new one.

    Each worker is a `ProcessPoolExecutor` of one process. One pool of many would break as a whole when a process dies,
    and could not say which rung was at fault.
    """

    def __init__(self, n_workers: int, initializer: Callable[..., None], initargs: tuple[Any, ...]) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._initializer, self._initargs = initializer, initargs
        self._lock = threading.RLock()
        self._waiting: deque[_Task] = deque()
        self._idle = [self._new_worker() for _ in range(n_workers)]
        self._busy: dict[ProcessPoolExecutor, _Task] = {}
        self._is_shut_down = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":  # noqa: ANN401
        """Queue a call; calls begin in the order they came."""
        assert not kwargs, "rungs are passed by position"
        task = _Task(fn, args, Future())
        with self._lock:
            self._waiting.append(task)
            self._start_waiting()
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop all workers; what is being trained is given up when futures are cancelled."""
        with self._lock:
            self._is_shut_down = True
            workers = [*self._idle, *self._busy]
            if cancel_futures:
                for task in self._waiting:
                    task.future.cancel()
                self._waiting.clear()
        for worker in workers:
            if cancel_futures:
                _kill(worker)
            worker.shutdown(wait=wait, cancel_futures=cancel_futures)

    def abandon(self, future: "Future[RungResult]") -> None:
        """Kill the worker that has the rung."""
        with self._lock:
            for worker, task in self._busy.items():
                if task.future is future:
                    _kill(worker)

    def _new_worker(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, self._context, self._initializer, self._initargs)

    def _start_waiting(self) -> None:
        while self._waiting and self._idle and not self._is_shut_down:
            task = self._waiting.popleft()
            if task.n_attempts == 0 and not task.future.set_running_or_notify_cancel():
                continue
            task.n_attempts += 1
            worker = self._idle.pop()
            try:
                answer = worker.submit(task.call, *task.args)
            except BrokenProcessPool:  # it died while it had nothing to do
                worker = self._new_worker()
                answer = worker.submit(task.call, *task.args)
            self._busy[worker] = task
            answer.add_done_callback(partial(self._finish, task, worker))

    def _finish(self, task: _Task, worker: ProcessPoolExecutor, answer: "Future[Any]") -> None:
        error = None if answer.cancelled() else answer.exception()
        with self._lock:
            self._busy.pop(worker, None)
            died = isinstance(error, BrokenProcessPool)
            if self._is_shut_down:
                error = error or WorkerDiedError("the sweep was stopped")
            else:
                self._idle.append(self._new_worker() if died else worker)
                if died and task.n_attempts < MAX_ATTEMPTS:
                    self._waiting.appendleft(task)
                    self._start_waiting()
                    return
            self._start_waiting()
        if died:
            error = WorkerDiedError(
                f"its worker process ended unexpectedly {task.n_attempts} times. Most often memory ran out; "
                "use fewer workers or a smaller hidden_units.high."
            )
        if error is not None:
            task.future.set_exception(error)
        else:
            task.future.set_result(answer.result())


def _kill(worker: ProcessPoolExecutor) -> None:
    for process in list((worker._processes or {}).values()):
        process.kill()


@contextmanager
def open_executor(
    name: str, n_workers: int, data: TrainingData
) -> Iterator[tuple[RungExecutor, Callable[[Rung], RungResult]]]:
    """The executor of a configuration, with the data already where its workers are.

    Yields:
        The executor, and the function to submit to it with a `Rung`.
    """
    if name == "serial":
        yield SerialExecutor(), lambda rung: run_rung(rung, data)
        return
    with tempfile.TemporaryDirectory(prefix="sweeps-") as directory:  # readable by this user only
        data.save(Path(directory))
        executor = WorkerProcesses(n_workers or os.cpu_count() or 1, initialize_worker, (Path(directory),))
        try:
            yield executor, run_rung_in_worker
        finally:
            executor.shutdown(wait=True, cancel_futures=True)
