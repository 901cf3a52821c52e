"""The executor of processes: workers on this machine, each at the end of a pipe of its own."""

import multiprocessing
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import Any

from engine.worker import RungResult, serve
from sweeps.execution.contract import MAX_ATTEMPTS, RungExecutor, WorkerDiedError, WorkerHungError
from sweeps.execution.spawning import start_of_ours

_WORKER_IS_DEAD = (EOFError, OSError)  # what a pipe says when nobody holds its other end


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
