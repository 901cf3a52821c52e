"""Processes forked from one that has imported all that a sweep and its delivery to MLflow import.

Starting Python and importing scikit-learn and MLflow takes six seconds of a core, twice for each sweep of a test: once
for the command, once for the delivery. `multiprocessing`'s fork server imports it once, and each process that it forks
is as any other: it has its own folder, environment, signals and exit code, and talks to a real MLflow. What it does not
show is how Python starts: that is for `CommandLine.start`, and for `tests/sweeps/recording/test_delivery_process.py`.
Nor does the page of a sweep that is forked have figures: those are for `tests/sweeps/report/`.
"""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager, nullcontext, suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from signal import SIGKILL

import pytest

import sweeps.recording.delivery_process
import sweeps.report.figures
from sweeps.execution.spawning import start_of_ours
from tests.conftest import REPOSITORY

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.sweeps.support.warm_imports"])
LONGEST_SECONDS = 180.0


def warm_up() -> None:
    """Start the one that is forked from, unless it is there: it takes seconds, and whoever needs it first waits."""
    with chdir(REPOSITORY), start_of_ours():  # it finds our packages where it starts
        forkserver.ensure_running()


def run_command(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """`python -m sweeps` with these arguments, in a process group of its own; finished, whatever its exit code."""
    warm_up()
    (out, its_out), (err, its_err) = CONTEXT.Pipe(duplex=False), CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_command, args=(arguments, directory, dict(environment), its_out, its_err))
    with start_of_ours():
        process.start()
    its_out.close()
    its_err.close()
    with ThreadPoolExecutor(2) as readers:
        said = readers.map(_all_of, (out, err))
        process.join(LONGEST_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, SIGKILL)
        stdout, stderr = said
    assert process.exitcode is not None, f"{arguments}: not over after {LONGEST_SECONDS} s; it said {stderr}"
    return subprocess.CompletedProcess(arguments, process.exitcode, stdout, stderr)


@contextmanager
def forked_deliveries() -> Iterator[None]:
    """While entered, each delivery of this process to MLflow is forked from the one that is warm."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps.recording.delivery_process, "_CONTEXT", CONTEXT)
        yield


@contextmanager
def pages_without_figures() -> Iterator[None]:
    """While entered, the page at the end of a sweep has no figures of its trials, which take half a second to draw."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps.report.figures, "sections", lambda study: [])
        yield


def _all_of(pipe: Connection) -> str:
    with pipe, open(pipe.fileno(), encoding="utf-8", closefd=False) as file:
        return file.read()


def _command(
    arguments: Sequence[str], directory: Path, environment: Mapping[str, str], out: Connection, err: Connection
) -> None:
    """Life of the process; its exit code is what `main` leaves with."""
    from sweeps.cli import main

    os.setsid()
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    out.close()
    err.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    sys.argv = ["sweeps", *arguments]
    forkserver._forkserver.ensure_running = lambda: None  # it is, as long as our parent; we would start another
    with forked_deliveries(), pages_without_figures() if arguments[0] == "run" else nullcontext():
        main()
