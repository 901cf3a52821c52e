"""The executor of a configuration, with the data where its workers are. Which one never changes a result."""

import errno
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from engine import TrainingData
from engine.worker import Rung, RungResult, initialize_worker, run_rung, run_rung_in_worker
from experiments.errors import how_many
from sweeps.execution.contract import WORKER_DATA_PREFIX, RungExecutor
from sweeps.execution.cores import n_cores
from sweeps.execution.processes import WorkerProcesses
from sweeps.execution.serial import SerialExecutor

RunRung = Callable[[Rung], RungResult]


class Workers:
    """The workers of one sweep; they end with the `with` block, and what they were training is given up.

    Processes start when the block is entered: they import the engine while whoever entered it reads the data.

    Args:
        name: serial, processes or dask.
        n_workers: How many on this machine; 0 is one per core.
        n_at_most: More than that can never be busy, and are not started: a worker takes 50 MB. None is no limit.
    """

    def __init__(self, name: str, n_workers: int, n_at_most: int | None = None) -> None:
        self._name = name
        self._n_wanted = n_workers or n_cores()
        self._n_workers = min(self._n_wanted, n_at_most or self._n_wanted)
        self._processes: WorkerProcesses | None = None
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        if self._name == "processes":
            self._processes = WorkerProcesses(self._n_workers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._opened:  # left last: the processes have the data mapped
            if self._processes is not None:
                self._processes.shutdown(wait=True, cancel_futures=True)

    def train_on(
        self,
        data: TrainingData,
        *,
        folder: Path | None = None,
        scheduler: str | None = None,
        data_name: str = "",
        trials_in_flight: int | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> tuple[RungExecutor, RunRung]:
        """Bring the data to the workers.

        Args:
            data: What rungs train on.
            folder: Where processes of this machine find the data until the block is left; None is a temporary folder.
            scheduler: Address of a Dask cluster that runs; None starts a cluster on this machine.
            data_name: What the data are called on a cluster that others use too: one name a study and place.
            trials_in_flight: How many trials the schedule keeps begun; twice as many as workers keep those busy.
            say: Told what a person should know about the workers.
        Returns:
            The executor, and the function to submit to it with a `Rung`.
        Raises:
            InputError: A cluster is not as it must be.
        """
        if self._name == "dask":
            from sweeps.execution.dask_cluster import open_dask_executor  # Dask is an extra, and takes a second

            cluster = open_dask_executor(self._n_workers, data, scheduler=scheduler, data_name=data_name, say=say)
            return self._opened.enter_context(cluster)
        if self._name == "serial":
            if data.raw is not None:  # from a file whose rows are contiguous, as workers have it
                data = TrainingData.load(self._saved(data, folder))
            return SerialExecutor(), partial(run_rung, data=data)
        assert self._processes is not None, f"{self._name}: an executor that is not opened here"
        if self._n_workers < self._n_wanted:
            are = how_many(self._n_workers, f"of {self._n_wanted} workers is", f"of {self._n_wanted} workers are")
            say(f"{are} started: no more trials are in flight.")
        if trials_in_flight is not None and 2 * self._n_workers > trials_in_flight:
            say(
                f"{how_many(self._n_workers, 'worker')} and study.trials_in_flight = {trials_in_flight}: "
                "workers will wait for each other. Twice as many trials keep them busy; set trials_in_flight = "
                f"{2 * self._n_workers}, or --workers {max(1, trials_in_flight // 2)}."
            )
        self._processes.call_first(initialize_worker, self._saved(data, folder))
        return self._processes, run_rung_in_worker

    def _saved(self, data: TrainingData, folder: Path | None) -> Path:
        """Where the data are until the block is left, readable by this user only."""
        directory = self._opened.enter_context(tempfile.TemporaryDirectory(prefix=WORKER_DATA_PREFIX, dir=folder))
        try:
            data.save(Path(directory))
        except OSError as error:  # NumPy gives a short write no errno
            raise OSError(error.errno or errno.ENOSPC, str(error), directory) from error
        return Path(directory)
