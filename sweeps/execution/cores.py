"""How many workers can be busy at once on this machine: the cores that this process may use."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def n_cores() -> int:
    """Cores that this process may use: taskset, Slurm or a container may leave it fewer than the machine has.

    Of a quota of 2.5 processors two count: a third worker would wait for half of its time, and others for it.
    """
    n_seen = n_cores_seen()
    quota = cpu_quota()
    return n_seen if quota is None else max(1, min(n_seen, math.floor(quota)))


def n_cores_seen() -> int:
    """Cores that the operating system may put this process on."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota() -> float | None:
    """Processors' time that the control groups of this process leave it (Linux, cgroup v1 and v2); None is no limit."""
    return min((quota for folder in _own_folders() if (quota := _quota(folder)) is not None), default=None)


def _own_folders() -> Iterator[Path]:
    """Folders of the groups that may limit this process: its own, and each above it."""
    try:
        lines = _OWN_GROUPS.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top = _GROUPS
        elif "cpu" in controllers.split(","):
            top = _GROUPS / "cpu"  # `cpu,cpuacct` is linked there
        else:
            continue
        own = top / path.strip("/")
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))


def _quota(folder: Path) -> float | None:
    try:
        if (file := folder / "cpu.max").exists():
            limit, period = file.read_text().split()
        else:
            limit, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return None if limit in ("max", "-1") else int(limit) / int(period)
    except (OSError, ValueError):
        return None
