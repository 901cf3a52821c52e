"""A Dask cluster: one that runs, or one started on this machine; its workers checked, the data sent to them.

Data go to each worker once, as a worker plugin, which the scheduler also gives to every worker that joins later.
Nothing is written to disk: what travels is serialized by Dask.
"""

import logging
import re
import ssl
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, cast

from engine import TrainingData
from engine.remote import forget, receive, run_received, software
from engine.worker import Rung, RungResult
from experiments.errors import InputError
from sweeps.execution.contract import MAX_ATTEMPTS, RungExecutor
from sweeps.execution.dask_workers import check_workers

try:
    import dask
    from distributed import Client, LocalCluster, WorkerPlugin
    from distributed.utils import silence_logging_cmgr

    from sweeps.execution.dask_executor import DaskExecutor
except ModuleNotFoundError as error:
    raise InputError(
        f'executor = "dask": the package {error.name} is not installed.',
        "Dask does not come with sweeps unless asked for.",
        "Type: pip install 'sweeps[dask]'",
    ) from None

CONNECT_SECONDS = 5
"""How long a scheduler may take to answer."""

IGNORE_CTRL_C = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator's to obey"


@contextmanager
def open_dask_executor(
    n_workers: int, data: TrainingData, *, scheduler: str | None, data_name: str, say: Callable[[str], None]
) -> Iterator[tuple[RungExecutor, Callable[[Rung], RungResult]]]:
    """Connect to a scheduler, or start a cluster on this machine; check the workers, send them the data.

    Args:
        n_workers: Size of a cluster on this machine.
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
            client = stack.enter_context(_local_client(n_workers))
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
    plugin.setup = partial(receive, name, data.row_by_row(), software())
    plugin.teardown = partial(forget, name)
    for _ in range(MAX_ATTEMPTS - 1):
        with suppress(OSError):  # a worker that leaves just now
            client.register_plugin(plugin, name=name)
            return
        time.sleep(1)
    client.register_plugin(plugin, name=name)
