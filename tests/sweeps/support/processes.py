"""The processes of a sweep, seen through /proc: one group, of which the coordinator is the leader."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

Target = Literal["coordinator", "everything", "worker"]
"""Who gets a signal; everything is also what Python starts to look after workers."""


def processes_of(group: int) -> list[int]:
    """Process numbers of a group; a zombie that nobody has buried yet is not among them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, its_group = file.read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append(int(file.parent.name))
    return found


def workers_of(group: int) -> list[int]:
    """Those of them that are worker processes."""
    found = []
    for pid in processes_of(group):
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def send(group: int, signal_number: int, target: Target) -> None:
    """Send a signal to whom it is for; nothing where there is no worker."""
    with suppress(ProcessLookupError):
        if target == "everything":
            os.killpg(group, signal_number)
        for pid in {"coordinator": [group], "worker": workers_of(group)[:1]}.get(target, []):
            os.kill(pid, signal_number)
