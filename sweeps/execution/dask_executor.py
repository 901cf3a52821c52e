"""The Dask executor: rungs are trained on a cluster, or on this machine as on one. The only module that imports Dask.

Workers import `engine` and nothing else of ours. Data go to each worker once, as a worker plugin, which the scheduler
also gives to every worker that joins later. Nothing is written to disk: what travels is serialized by Dask.

Whose fault a worker's death is: Dask gives a dead worker's rungs to others, and blames all rungs the worker had, also
those that only waited there. So a rung that is blamed often is tried once more with no other beside it
before its trial fails.
"""

import logging
import re
import ssl
import tempfile
import threading
import time
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from engine import TrainingData
from engine.remote import RemoteResult, UnfitWorkerError, forget, receive, run_received, software
from engine.worker import Rung, RungResult
from experiments.errors import InputError
from sweeps.execution.contract import (
    MAX_ATTEMPTS,
    ExecutorLostError,
    RungExecutor,
    WorkerDiedError,
    WorkerHungError,
    n_cores,
)
from sweeps.execution.dask_workers import check_workers, joined_unfit, other_kind

try:
    import dask
    from distributed import Client, KilledWorker, LocalCluster, WorkerPlugin
    from distributed.comm import CommClosedError
    from distributed.utils import silence_logging_cmgr
except ModuleNotFoundError as error:
    raise InputError(
        f'executor = "dask": the package {error.name} is not installed.',
        "Dask does not come with sweeps unless asked for.",
        "Type: pip install 'sweeps[dask]'",
    ) from None

CONNECT_SECONDS = 5
"""How long a scheduler may take to answer."""

IGNORE_CTRL_C = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator's to obey"


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
            error = other
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


@contextmanager
def open_dask_executor(
    n_workers: int, data: TrainingData, *, scheduler: str | None, data_name: str, say: Callable[[str], None]
) -> Iterator[tuple[RungExecutor, Callable[[Rung], RungResult]]]:
    """Connect to a scheduler, or start a cluster on this machine; check the workers, send them the data.

    Args:
        n_workers: Of a cluster on this machine; 0 is one per core.
        data: What rungs train on.
        scheduler: Address of one that runs, such as tcp://10.0.0.5:8786; None starts one.
        data_name: What the data are called on the workers. An interrupted sweep that continues has the same, and
            replaces its own copy; another one must have another, or it would train on these data.
        say: Told of what a person should know.
    Raises:
        InputError: The scheduler does not answer, or a worker has other versions.
    """
    data_name = f"sweeps-{data_name or uuid.uuid4().hex}"
    with ExitStack() as stack:
        stack.enter_context(silence_logging_cmgr(logging.CRITICAL))  # what matters is in our messages
        # The state of a large network may travel with a rung: that is meant.
        stack.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}))
        if scheduler is None:
            client = stack.enter_context(_local_client(n_workers or n_cores()))
        else:
            client = stack.enter_context(_connect(scheduler, say))
        check_workers(client, scheduler or "executor", say)
        _send_data(client, data_name, data)
        executor = DaskExecutor(client, say, software()["machine"])
        try:
            yield executor, cast("Callable[[Rung], RungResult]", partial(run_received, data_name))  # once unpacked
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            if client.status == "running":
                with suppress(OSError, ValueError, CancelledError):  # lost just now: then so are its plugins
                    client.unregister_worker_plugin(data_name)


@contextmanager
def _local_client(n_workers: int) -> Iterator[Any]:
    """A cluster on this machine: loopback, one thread a worker, no dashboard, no limit that would spill to disk."""
    with (
        tempfile.TemporaryDirectory(prefix="sweeps-") as directory,
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            local_directory=directory,
            silence_logs=logging.CRITICAL,
            scheduler_kwargs={"allowed_failures": 0},  # each death is told to us, and counted here
            preload=[IGNORE_CTRL_C],
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _connect(scheduler: str, say: Callable[[str], None]) -> Iterator[Any]:
    if not re.fullmatch(r"(tcp|tls|ws|wss|ucx|ucxx)://\S+:\d+", scheduler):
        raise InputError(
            f"[execution] scheduler = {scheduler!r} is not an address.",
            "It must be protocol, host and port, such as tcp://10.0.0.5:8786.",
            "Take it from the first lines that dask scheduler prints.",
        )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except (TypeError, ValueError, ImportError, FileNotFoundError, ssl.SSLError) as error:
            raise InputError(
                f"{scheduler}: Dask cannot speak this protocol here ({' '.join(str(error).split())}).",
                "tls:// and wss:// need certificates, ucx:// its package.",
                "Name the files: export DASK_DISTRIBUTED__COMM__TLS__CA_FILE=... and ..._TLS__CLIENT__CERT, "
                "..._TLS__CLIENT__KEY likewise; or use tcp://.",
            ) from error
        except OSError as error:
            raise InputError(
                f"{scheduler}: no Dask scheduler answers there within {CONNECT_SECONDS} seconds.",
                "The address must be that of one that runs, such as tcp://10.0.0.5:8786.",
                "Correct [execution] scheduler, or type on that machine: dask scheduler",
            ) from error
    for warning in caught:
        say(str(warning.message))
    with client:
        yield client


def _send_data(client: Any, name: str, data: TrainingData) -> None:  # noqa: ANN401  # a Client
    """Give the data to all workers, present and to come."""
    plugin = WorkerPlugin()  # with functions of the engine: a class of ours would have to be importable there
    plugin.setup = partial(receive, name, data, software())
    plugin.teardown = partial(forget, name)
    for _ in range(MAX_ATTEMPTS - 1):
        with suppress(OSError):  # a worker that leaves just now
            client.register_plugin(plugin, name=name)
            return
        time.sleep(1)
    client.register_plugin(plugin, name=name)
