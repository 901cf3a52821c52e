"""A real Dask cluster of processes on loopback, and what the tests let its workers do.

Workers import this module too, so it imports nothing but the standard library, the engine and `wait_for`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from engine.worker import Rung
from tests.support.waiting import wait_for

REPOSITORY = Path(__file__).resolve().parents[3]

COUNT_ARRIVALS = """
import engine.data
if not hasattr(engine.data, "n_arrived"):
    engine.data.n_arrived = 0
    set_state = engine.data.TrainingData.__setstate__
    def counted(self, state, set_state=set_state):
        engine.data.n_arrived += 1
        set_state(self, state)
    engine.data.TrainingData.__setstate__ = counted
"""
"""A worker's preload, which Dask runs twice: counts the data sets that are unpacked from the network."""


class Cluster:
    """A scheduler and the workers that are started for it; all of them end with the `with` block."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._processes: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def __enter__(self) -> Self:
        file = self._directory / "scheduler.json"
        options = ["--port", "0", "--no-dashboard", "--dashboard-address", ":0", "--scheduler-file", str(file)]
        options += ["--idle-timeout", "300s"]  # should the tests be killed before they can end it
        self.scheduler = self._start("scheduler", *options, name="scheduler")
        self.address = wait_for(lambda: _address(file), "a scheduler", process=self.scheduler)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        for process in self._processes:
            process.wait()

    def start_worker(self, name: str, *options: str, **environment: str) -> "subprocess.Popen[bytes]":
        """A worker of one thread, without a nanny that would restart it; it may take a second or two to join."""
        common = (
            "--no-nanny",
            "--death-timeout",
            "60",
            "--nthreads",
            "1",
            "--memory-limit",
            "0",
            "--no-dashboard",
            "--name",
            name,
        )
        return self._start("worker", self.address, *common, *options, name=name, **environment)

    def log(self, name: str) -> str:
        """What a process of that name has written."""
        return (self._directory / f"{name}.log").read_text()

    def _start(self, what: str, *arguments: str, name: str, **environment: str) -> "subprocess.Popen[bytes]":
        with (self._directory / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1", *arguments],
                cwd=self._directory,
                env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process


def _address(file: Path) -> str:
    with suppress(FileNotFoundError, json.JSONDecodeError):
        return str(json.loads(file.read_text())["address"])
    return ""


def noting(file: Path, run_rung: Callable[[Rung], Any], rung: Rung) -> Any:
    """A rung, and a line of its worker's process number, trial and end; slow enough for other things to happen."""
    time.sleep(0.05)
    with file.open("a") as stream:
        stream.write(f"{os.getpid()} {rung.initial_seed[1]} {rung.n_iterations}\n")
    return run_rung(rung)


def die_in_trial(number: int, file: Path, run_rung: Callable[[Rung], Any], rung: Rung) -> Any:
    """A rung that kills every worker if it is of one trial."""
    if rung.initial_seed[1] == number:
        with file.open("a") as stream:
            stream.write(f"{os.getpid()}\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return run_rung(rung)


def hang_first(mark: Path, run_rung: Callable[[Rung], Any], rung: Rung) -> Any:
    """A rung that never ends on the first worker that tries it."""
    if not mark.exists():
        mark.touch()
        time.sleep(1000)
    return run_rung(rung)


def n_arrived() -> int:
    """Data sets that this worker has unpacked; needs the preload `COUNT_ARRIVALS`."""
    import engine.data

    return int(engine.data.n_arrived)  # type: ignore[attr-defined]


def names_of_data() -> list[str]:
    """Data sets that this worker keeps."""
    import engine.remote

    return sorted(engine.remote._received)


def modules() -> list[str]:
    """Top-level modules that this worker has imported."""
    return sorted({name.partition(".")[0] for name in sys.modules})


def blas_threads() -> list[int]:
    """Threads of each BLAS of this worker."""
    from threadpoolctl import threadpool_info

    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
