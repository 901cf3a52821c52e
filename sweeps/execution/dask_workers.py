"""What the workers of a cluster must be: the coordinator's NumPy and engine, and best its kind of machine.

The digest of the engine's source and the other versions come from `engine.remote.software`, here and on every worker.
"""

from collections.abc import Callable
from typing import Any

from engine.remote import UnfitWorkerError, differences, software
from experiments.errors import InputError, how_many, listed
from sweeps.execution.contract import ExecutorLostError


def check_workers(client: Any, place: str, say: Callable[[str], None]) -> None:  # noqa: ANN401  # a Client
    """Compare every worker's versions with ours.

    Args:
        client: Connected to the scheduler.
        place: How messages name the cluster.
        say: Told how many workers there are, and of those whose last bits may differ.
    Raises:
        InputError: One cannot import the engine, or has another NumPy or engine.
    """
    answers = client.run(software, on_error="return")
    found = {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}  # or it has left
    wanted = software()
    unfit = {}
    for worker, versions in found.items():
        if isinstance(versions, Exception):
            unfit[worker] = f"cannot import engine ({versions})"
        elif difference := differences(versions, wanted):
            unfit[worker] = f"has {difference}"
    if unfit:
        raise InputError(
            f"{place}: {listed((f'worker {worker} {why}' for worker, why in unfit.items()), limit=3)}.",
            "All workers must have the coordinator's NumPy and engine, or results would differ.",
            "Install the same sweeps there (pip install -c constraints.txt '.[dask]'), then start them again.",
        )
    for worker, versions in found.items():
        difference = differences(versions, wanted, ("python",))
        if difference:
            say(f"Worker {worker} has {difference}.")
        if versions["machine"] != wanted["machine"]:
            say(other_kind(f"Worker {worker}", versions["machine"]))
    count = how_many(len(found), "worker") if found else "no worker yet, waiting for the first"
    say(f"Dask at {client.scheduler.address}: {count}.")


def joined_unfit(error: UnfitWorkerError) -> ExecutorLostError:
    """What ends the sweep when a worker joins that cannot train."""
    return ExecutorLostError(
        f"a Dask worker that joined in the middle of the sweep cannot train: {error}.",
        "All workers must have the coordinator's NumPy and engine; everything up to here is recorded.",
        "Stop it or install the same versions there, then type the same command to continue.",
    )


def other_kind(who: str, machine: str) -> str:
    """What is said of a worker whose machine is of another kind."""
    return (
        f"{who} is another kind of machine ({machine}); this is {software()['machine']}. "
        "The last bits of its costs may differ."
    )
