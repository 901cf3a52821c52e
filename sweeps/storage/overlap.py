"""What a run does where another run of its sweep is alive in the folder: wait for it, or put itself in its place."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from sweeps.configuration.sections import Overlap
from sweeps.storage.workspace import PATIENCE_SECONDS, LeaseHeldError, Workspace

SECONDS_TO_STOP = 60.0
"""A run that is told to stop does so between two rungs; after so long it is told again, which ends it at once."""

LOCKS = Path("/proc/locks")


def make_way(
    workspace: Workspace, sweep_name: str, overlap: Overlap, ends_at: float, say: Callable[[str], None]
) -> float:
    """Return when no other run has the sweep's lease; with "refuse" at once, since taking the lease refuses.

    Args:
        workspace: Whose folder exists, or no run is alive in it.
        sweep_name: Of the sweep.
        overlap: `[sweep] overlap`.
        ends_at: Unix time at which this run is over, waiting or not; inf without a limit.
        say: Told what is waited for.
    Returns:
        For how many seconds to try to take the lease: somebody else may have waited for it too.
    Raises:
        LeaseHeldError: The other run is still alive at `ends_at`, or cannot be ended from here.
    """
    is_alive = overlap != "refuse" and workspace.is_leased(sweep_name)
    if overlap == "wait":
        if is_alive:
            say(f"{sweep_name}: another run is alive; waiting for it to end. Ctrl-C leaves it alone.")
            _wait(workspace, sweep_name, _seconds_until(ends_at))
        return _seconds_until(ends_at)
    if overlap == "replace" and is_alive:
        _replace(workspace, sweep_name, ends_at, say)
    return PATIENCE_SECONDS


def _replace(workspace: Workspace, sweep_name: str, ends_at: float, say: Callable[[str], None]) -> None:
    for _ in range(2):
        pid = _stop_holder(workspace.lease_file(sweep_name))
        if pid is None:
            if not workspace.is_leased(sweep_name):
                return  # it has just ended
            raise LeaseHeldError(
                f"{sweep_name}: another run of this sweep is alive in {workspace.directory}, and this machine does not "
                "say which process it is. Only a process of this machine can be replaced; stop it where it runs."
            )
        say(f"{sweep_name}: another run is alive (process {pid}); it was told to stop, and its study goes on here.")
        try:
            _wait(workspace, sweep_name, min(SECONDS_TO_STOP, _seconds_until(ends_at)))
            return
        except LeaseHeldError:
            if time.time() >= ends_at:
                raise
    raise LeaseHeldError(
        f"{sweep_name}: another run of this sweep is alive in {workspace.directory} and does not stop, though told "
        f"twice. End it yourself: kill -9 {pid}"
    )


def _wait(workspace: Workspace, sweep_name: str, patience_seconds: float) -> None:
    """Take the lease and leave it, within the time; a Ctrl-C ends this as it ends everything."""
    with workspace.lease(sweep_name, patience_seconds):
        pass


def _seconds_until(moment: float) -> float:
    return max(0.0, moment - time.time())


def _stop_holder(lease: Path) -> int | None:
    """Send SIGTERM to the process that has a lease; its number, None where it cannot be told or has just ended.

    A process number may be given to another process at any moment. So a descriptor of the process is opened first, and
    the signal goes through it, if the process still has the lease then.
    """
    pid = holder_of(lease)
    if pid is None:
        return None
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    try:
        if holder_of(lease) != pid:
            return None
        signal.pidfd_send_signal(process, signal.SIGTERM)
    except ProcessLookupError:
        return None
    finally:
        os.close(process)
    return pid


def holder_of(lease: Path) -> int | None:
    """Number of the process of this machine that has a lease; None where there is none, or it cannot be told.

    Linux keeps a list of locks: `1: FLOCK ADVISORY WRITE 4711 fe:00:2146614 0 EOF`. The device in it is the file
    system's, which is not always `st_dev`, so whether it is this file is asked of the process itself.
    """
    try:
        inode, lines = lease.stat().st_ino, LOCKS.read_text().splitlines()
    except OSError:
        return None
    for words in map(str.split, lines):
        if words[1:2] == ["FLOCK"] and words[5].rpartition(":")[2] == str(inode) and _has_open(int(words[4]), lease):
            return int(words[4])
    return None


def _has_open(pid: int, file: Path) -> bool:
    try:
        return any(os.path.samefile(descriptor, file) for descriptor in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it has ended, is somebody else's, or has closed a file meanwhile
        return False
