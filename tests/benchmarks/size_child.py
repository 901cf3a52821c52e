"""One command of a checkout, measured from inside: what `bench_data` starts, with the checkout as PYTHONPATH.

    python size_child.py validate|run CONFIG [TRIALS [TIMEOUT]]

Prints one JSON object: seconds from the start of the interpreter until data were read, prepared and (run) training
began, until the end, and peak resident memory, in MB, then and at the end. It knows nothing of the checkout beyond the
names that all of them share.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seconds() -> float:
    """Since this process was started (Linux)."""
    started = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


def marked(
    call: Callable[..., Any], name: str, marks: dict[str, object], *, is_before: bool = False
) -> Callable[..., Any]:
    """The same call, after which (or before which) time and peak are noted."""

    def note() -> None:
        marks.setdefault(f"{name}_s", round(seconds(), 2))
        marks.setdefault(f"{name}_mb", round(peak_mb()))

    def calling(*args: Any, **options: Any) -> Any:
        if is_before:
            note()
        try:
            return call(*args, **options)
        finally:
            if not is_before:
                note()

    return calling


def main() -> None:
    command, config, *rest = sys.argv[1:]
    cli, data = import_module("sweeps.cli"), import_module("sweeps.data")

    marks: dict[str, object] = {"imported_s": round(seconds(), 2), "imported_mb": round(peak_mb())}
    data.load_dataset = marked(data.load_dataset, "read", marks)
    data.prepare = marked(data.prepare, "prepared", marks)
    arguments = [command, config]
    if command == "run":
        run = import_module("sweeps.run")
        run.Schedule.run = marked(run.Schedule.run, "training", marks, is_before=True)
        arguments += ["--quiet", "--trials", rest[0]] + (["--timeout", rest[1]] if rest[1:] else [])
    try:
        cli.app(arguments, standalone_mode=False)
    except BaseException as error:  # whatever the checkout does, it is the result
        marks["error"] = f"{type(error).__name__}: {error}"[:300]
    marks |= {"end_s": round(seconds(), 2), "end_mb": round(peak_mb())}
    print("\n" + json.dumps(marks))


if __name__ == "__main__":
    main()
