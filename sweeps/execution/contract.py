"""What a schedule and an executor have agreed on: the interface, its errors, and what all executors share."""

from concurrent.futures import Executor, Future

from engine.worker import RungResult
from experiments.errors import InputError

MAX_ATTEMPTS = 3
"""A rung whose worker died is given to another at most this many times in all."""

WORKER_DATA_PREFIX = "worker-data-"
"""Begins the name of the folder, in the study's own, where workers of this machine find the data."""


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
