"""How many workers can be busy at once on this machine: the cores that this process may use."""

import math
import os
from pathlib import Path

from experiments.control_groups import own_groups


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
    return min((quota for folder in own_groups("cpu") if (quota := _quota(folder)) is not None), default=None)


def _quota(folder: Path) -> float | None:
    try:
        if (file := folder / "cpu.max").exists():
            limit, period = file.read_text().split()
        else:
            limit, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return None if limit in ("max", "-1") else int(limit) / int(period)
    except (OSError, ValueError):
        return None
