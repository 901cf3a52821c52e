"""The Dask executor: rungs are trained on a cluster, whose workers import `engine` and nothing else of ours.

Whose fault a worker's death is: Dask gives a dead worker's rungs to others, and blames all rungs the worker had, also
those that only waited there. So a rung that is blamed often is tried once more with no other beside it
before its trial fails.
"""

import threading
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from distributed import KilledWorker
from distributed.comm import CommClosedError

from engine.remote import RemoteResult, UnfitWorkerError
from engine.worker import RungResult
from sweeps.execution.contract import MAX_ATTEMPTS, ExecutorLostError, RungExecutor, WorkerDiedError, WorkerHungError
from sweeps.execution.dask_workers import joined_unfit, other_kind


@dataclass(slots=True, eq=False)
class _Task:
    call: Callable[..., Any]
    args: tuple[Any, ...]
    future: "Future[Any]"
    answer: Any = None  # Dask's future of the present attempt
    n_deaths: int = 0
    was_abandoned: bool = False
    is_alone: bool = False
    executing_on: frozenset[str] = frozenset()  # workers, when last looked at


class DaskExecutor(RungExecutor):
    """Submits to a cluster; a rung whose workers die is tried again, the last time alone.

    Args:
        client: Connected to the scheduler.
        say: Told of workers whose last bits may differ.
        machine: The kind of this machine.
    """

    def __init__(self, client: Any, say: Callable[[str], None], machine: str) -> None:  # noqa: ANN401  # a Client
        self._client = client
        self._address = client.scheduler.address  # the client forgets it when the connection ends
        self._say = say
        self._known_machines = {machine}
        self._lock = threading.RLock()
        self._waiting: deque[_Task] = deque()
        self._suspects: deque[_Task] = deque()
        self._in_flight: set[_Task] = set()
        self._is_shut_down = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":  # noqa: ANN401
        """Hand a call to the cluster; calls begin in the order they came."""
        assert not kwargs, "rungs are passed by position"
        task = _Task(fn, args, Future())
        task.future.set_running_or_notify_cancel()
        with self._lock:
            self._waiting.append(task)
            self._send_waiting()
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Give up what is not done, if futures are cancelled; else let it end."""
        with self._lock:
            self._is_shut_down = True
            in_flight = list(self._in_flight)
            given_up = [*self._waiting, *self._suspects] if cancel_futures else []
        if cancel_futures and self._client.status == "running":
            self._client.cancel([task.answer for task in in_flight])
        for task in given_up:
            task.future.set_exception(WorkerDiedError("the sweep was stopped"))
        if wait and not cancel_futures:
            for task in in_flight:
                task.future.exception()

    def abandon(self, future: "Future[RungResult]") -> None:
        """Restart the worker that has been training the rung since the last call for it.

        The first call only notes where the rung is: Dask does not say since when it is there, and a rung that waits
        for a worker does not hang.
        """
        with self._lock:
            tasks = [task for task in self._in_flight if task.future is future]
        for task in tasks:
            threading.Thread(target=self._restart_if_still_there, args=(task,), daemon=True).start()

    def _restart_if_still_there(self, task: _Task) -> None:
        with suppress(OSError, RuntimeError, CancelledError):  # the cluster is going; then the future says so
            workers = frozenset(self._client.call_stack(keys=[task.answer.key]))
            if workers and workers == task.executing_on:
                task.was_abandoned = True
                try:
                    self._client.restart_workers(list(workers), raise_for_error=False)
                except ValueError:  # no nanny watches over it
                    self._client.retire_workers(list(workers))
            task.executing_on = workers

    def _send_waiting(self) -> None:
        if self._suspects:
            if not self._in_flight:
                self._send(self._suspects.popleft(), is_alone=True)
            return
        while self._waiting:
            self._send(self._waiting.popleft(), is_alone=False)

    def _send(self, task: _Task, *, is_alone: bool) -> None:
        task.is_alone = is_alone
        self._in_flight.add(task)
        try:  # a key of its own: Dask answers a key that it knows from memory
            task.answer = self._client.submit(task.call, *task.args, key=f"rung-{uuid.uuid4().hex}", pure=False)
        except Exception as error:  # Dask raises a bare Exception
            if self._client.status == "running":
                raise
            self._in_flight.discard(task)
            task.future.set_exception(self._lost(error))
            return
        task.answer.add_done_callback(partial(self._finish, task))

    def _finish(self, task: _Task, answer: Any) -> None:  # noqa: ANN401  # Dask's future
        """Take over what Dask says of an attempt. Runs in Dask's callback thread."""
        result: object = None
        error: Exception | None = None
        try:
            result = answer.result()
        except (CancelledError, CommClosedError) as gone:  # not by us, nobody listens any more, or just now
            error = WorkerDiedError("the sweep was stopped") if self._is_shut_down else self._lost(gone)
        except UnfitWorkerError as unfit:
            error = joined_unfit(unfit)
        except Exception as other:  # handed to whoever asks for the result, as every Executor does
            # but for an answer that is there and cannot be fetched, as the scheduler has gone meanwhile
            is_out_of_reach = isinstance(other, OSError) and answer.status != "error" and not self._is_shut_down
            error = self._lost(other) if is_out_of_reach else other
        with self._lock:
            self._in_flight.discard(task)
            if isinstance(error, KilledWorker):
                task.n_deaths += error.allowed_failures + 1
                if not self._is_shut_down and (task.n_deaths < MAX_ATTEMPTS or not task.is_alone):
                    is_suspect = task.n_deaths >= MAX_ATTEMPTS - 1
                    (self._suspects if is_suspect else self._waiting).appendleft(task)
                    self._send_waiting()
                    return
                error = _died(task)
            if not self._is_shut_down:
                self._send_waiting()
        if error is not None:
            task.future.set_exception(error)
        else:
            task.future.set_result(self._unpacked(result))

    def _unpacked(self, result: object) -> object:
        if not isinstance(result, RemoteResult):
            return result
        if result.machine not in self._known_machines:
            self._known_machines.add(result.machine)
            self._say(other_kind("A worker that joined", result.machine))
        return result.result

    def _lost(self, error: Exception) -> ExecutorLostError:
        lost = ExecutorLostError(
            f"{self._address}: the scheduler was lost in the middle of the sweep.",
            "It must run as long as the sweep does; everything up to here is recorded.",
            "Start it again, then type the same command to continue.",
        )
        lost.__cause__ = error
        return lost


def _died(task: _Task) -> WorkerDiedError:
    if task.was_abandoned:
        return WorkerHungError(f"it was given to {task.n_deaths} workers, and they did not answer.")
    return WorkerDiedError(
        f"its worker process ended unexpectedly {task.n_deaths} times. Most often memory ran out; "
        "use fewer workers a machine or lower search.hidden_units.high."
    )
