"""What the tests let workers do. A module of its own, because a worker imports what it is told to run."""

import os
import signal
import sys
import time
from pathlib import Path

from engine.worker import Rung, RungResult, run_rung_in_worker


def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


def divide(one: float, other: float) -> float:
    """A quotient, or ZeroDivisionError."""
    return one / other


def note(file: Path, word: str, seconds: float = 0.0) -> int:
    """Append a word and the worker's process number to a file, then take some time; the number."""
    with file.open("a") as stream:
        stream.write(f"{word} {os.getpid()}\n")
    time.sleep(seconds)
    return os.getpid()


def modules() -> list[str]:
    """Top-level modules that the worker has imported."""
    return sorted({name.partition(".")[0] for name in sys.modules})


def environment_of_blas() -> list[int]:
    """Threads of each BLAS of the worker."""
    from threadpoolctl import threadpool_info

    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def die() -> None:
    """The end of this worker, as the kernel ends one when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_first(mark: Path, rung: Rung) -> RungResult:
    """A rung whose first worker dies of it."""
    if not mark.exists():
        mark.touch()
        die()
    return run_rung_in_worker(rung)


def die_in_trial(number: int, rung: Rung) -> RungResult:
    """A rung that kills every worker if it is of one trial."""
    if rung.initial_seed[1] == number:
        die()
    return run_rung_in_worker(rung)
