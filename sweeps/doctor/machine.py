"""The machine: room on the disk, the clock, how many processors there really are, BLAS and its threads."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from engine.threads import machine_kind
from experiments.errors import how_many
from sweeps.doctor.finding import Finding, Verdict
from sweeps.execution.cores import cpu_quota, n_cores, n_cores_seen
from sweeps.storage.workspace import Workspace

LEAST_FREE_BYTES = 1_000_000_000
"""A night's sweep writes some ten megabytes; MLflow's artifacts and SQLite's journal some more."""

SECONDS_AHEAD = 300.0
"""Of a file beyond the clock: more than machines that share a file system differ by."""


def about_machine(workspace: Workspace) -> Iterator[Finding]:
    """Findings that are true of every sweep in this folder."""
    free = shutil.disk_usage(workspace.directory).free
    if free < LEAST_FREE_BYTES:
        yield Finding(
            str(workspace.directory),
            f"{free / 1e6:,.0f} MB are free on this disk.",
            Verdict.PERSON,
            "Make room; a full disk ends a sweep, which then continues.",
        )
    if newest := _from_the_future(workspace):
        yield Finding(
            str(newest),
            "was written in the future: the clock of this machine is slow, or was fast.",
            Verdict.PERSON,
            "Compare it with `date -u`, and type: timedatectl set-ntp true",
        )
    cores, seen, quota = n_cores(), n_cores_seen(), cpu_quota()
    if cores < seen:
        what = (
            f"{seen} can be seen, and the container may use {quota:g}: "
            f"{how_many(cores, 'worker is', 'workers are')} started."
        )
        yield Finding("processors", what, Verdict.NOTE)
    workers = f"{cores} cores, a worker each" if cores > 1 else "1 core and worker"
    yield Finding("machine", f"{machine_kind()}; {workers}, with one BLAS thread.", Verdict.NOTE)


def _from_the_future(workspace: Workspace) -> Path | None:
    """The latest file of a study that the clock has not reached yet."""
    latest, limit = None, time.time() + SECONDS_AHEAD
    for folder in workspace.study_folders():
        for file in folder.path.iterdir():
            if (written := file.stat().st_mtime) > limit:
                latest, limit = file, written
    return latest
