"""The control groups of this process (Linux, cgroup v1 and v2), which may limit what it uses of the machine."""

from collections.abc import Iterator
from pathlib import Path

_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def own_groups(controller: str) -> Iterator[Path]:
    """Folders of the groups that may limit this process: its own, and each above it.

    Args:
        controller: What is limited, "cpu" or "memory".
    """
    try:
        lines = _OWN_GROUPS.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top = _GROUPS
        elif controller in controllers.split(","):
            top = _GROUPS / controller  # `cpu,cpuacct` is linked there
        else:
            continue
        own = top / path.strip("/")
        yield from (folder for folder in (own, *own.parents) if folder.is_relative_to(top))
