"""One command of a checkout, measured from inside: what `bench_data` starts, with the checkout as PYTHONPATH.

    python size_child.py validate|run CONFIG

Prints one JSON object: processor seconds of this process and seconds by the clock until data were read, prepared and
(run) training would begin, where it stops, and peak resident memory, in MB, by then. It knows nothing of the checkout
beyond the names that all of them share.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def note(name: str, marks: dict[str, object]) -> None:
    """Processor seconds and peak memory so far, and seconds since this process was started (Linux)."""
    started = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    marks.setdefault(f"{name}_s", round(time.process_time(), 2))
    marks.setdefault(f"{name}_wall_s", round(time.clock_gettime(time.CLOCK_BOOTTIME) - started, 2))
    status = Path("/proc/self/status").read_text()  # `ru_maxrss` counts what started this process too
    marks.setdefault(f"{name}_mb", round(int(status.split("VmHWM:", 1)[1].split()[0]) / 1024))


def marked(call: Callable[..., Any], name: str, marks: dict[str, object]) -> Callable[..., Any]:
    """The same call, after which time and peak are noted."""

    def calling(*args: Any, **options: Any) -> Any:
        result = call(*args, **options)
        note(name, marks)
        return result

    return calling


def main() -> None:
    command, config = sys.argv[1:]
    marks: dict[str, object] = {}

    def end(*_: object) -> None:
        note("end", marks)
        print("\n" + json.dumps(marks), flush=True)
        os._exit(0)  # the sweep is not ended: workers see that nobody is at the other end of their pipes

    cli, data = import_module("sweeps.cli"), vars(import_module("sweeps.data"))
    data["load_dataset"] = marked(data["load_dataset"], "read", marks)
    data["prepare"] = marked(data["prepare"], "prepared", marks)
    if command == "run":
        import_module("sweeps.run").Schedule.run = end
    try:
        cli.app([command, config], standalone_mode=False)
    except BaseException as error:  # whatever the checkout does, it is the result
        marks["error"] = f"{type(error).__name__}: {error}"[:300]
    end()


if __name__ == "__main__":
    main()
