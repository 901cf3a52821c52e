"""The executor of a configuration: opened, with the data where its workers are. Which one never changes a result."""

import errno
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import TrainingData
from engine.worker import Rung, RungResult, initialize_worker, run_rung, run_rung_in_worker
from sweeps.execution.contract import WORKER_DATA_PREFIX, RungExecutor, n_cores
from sweeps.execution.processes import WorkerProcesses
from sweeps.execution.serial import SerialExecutor


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
        from sweeps.execution.dask_executor import open_dask_executor  # Dask is an extra, and takes a second to import

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
