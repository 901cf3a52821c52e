"""What the tests let workers do. A module of its own, because a worker imports what it is told to run."""

import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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


def stop_first(mark: Path, number: int, rung: Rung) -> RungResult:
    """A rung whose first worker is stopped for ever, if it is of one trial."""
    if rung.initial_seed[1] == number and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGSTOP)
    return run_rung_in_worker(rung)


def stop_in_trial(file: Path, number: int, rung: Rung) -> RungResult:
    """A rung that stops every worker if it is of one trial; the workers' process numbers are in the file."""
    if rung.initial_seed[1] == number:
        note(file, "stopped")
        os.kill(os.getpid(), signal.SIGSTOP)
    return run_rung_in_worker(rung)


def run_out_of_memory_in_trial(number: int, rung: Rung) -> RungResult:
    """A rung that wants more than its worker may have, if it is of one trial."""
    if rung.initial_seed[1] != number:
        return run_rung_in_worker(rung)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**20, hard))
    try:
        np.ones(2**26)
        return run_rung_in_worker(rung)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def delayed(seed: int, run: Callable[[Rung], Any], rung: Rung) -> Any:
    """A rung whose result comes after some time, which is another for each rung."""
    result = run(rung)
    time.sleep(random.Random(f"{seed} {rung.initial_seed[1]} {rung.n_iterations}").random() / 50)  # noqa: S311
    return result
