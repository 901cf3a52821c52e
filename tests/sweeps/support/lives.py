"""Lives of sweeps: `python -m sweeps run` again and again, in processes that are forked from one that is warm.

Starting Python with all that a sweep imports takes seconds, a short sweep a tenth of one. So a template process runs
one sweep, to have imported and looked up all there is, and then forks itself for each life. A life is the command
line in a folder, with stdout and stderr in files beside it; it may be killed at an instant, or at an event on the disk
(`tests.sweeps.support.disk`). What comes of a folder's lives: `tests.sweeps.support.outcomes`.

A life tells MLflow nothing: `_Nowhere` stands for the delivery, which `tests/experiments/test_delivery.py` kills. And
its page has no figures, which would be half of its time: `tests/sweeps/report/` looks at them.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from experiments.delivery import DeliveryResult
from experiments.outbox import Outbox
from experiments.promotion.champion import Champion
from sweeps.recording.delivery_process import Delivered, OtherOutbox
from tests.conftest import REPOSITORY
from tests.sweeps.support.disk import Fault, watch

LONGEST_LIFE_SECONDS = 120.0

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Only a process of one thread is forked whole."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Life:
    """How one life ended.

    Attributes:
        exit_code: Of the command; minus the signal that ended it.
        seconds: From the fork to the end.
        pid: It was also the number of its process group.
        err: What it wrote on stderr.
    """

    exit_code: int
    seconds: float
    pid: int
    err: str

    @property
    def is_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.exit_code == -signal.SIGKILL


class Template:
    """The process that lives are forked from; ends with the `with` block."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tests.sweeps.support.lives import serve; serve()"],
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **dict.fromkeys(_THREADS, "1")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def live(
        self,
        folder: Path,
        *options: str,
        fault: Fault | None = None,
        seconds: float | None = None,
    ) -> Life:
        """Run the sweep of a folder, or run it on.

        Args:
            folder: From `make_folder`.
            options: Of the command, beside `run sweep.toml --quiet`.
            fault: What goes wrong, at an event on the disk.
            seconds: It is killed after these; None is never.
        """
        order = {
            "folder": str(folder),
            "arguments": ["run", "sweep.toml", "--quiet", *options],
            "fault": fault and asdict(fault),
            "seconds": seconds,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Life(**self._answer(), err=error_file(folder).read_text())

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the template process has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


def trace_file(folder: Path) -> Path:
    """Where the events of a folder's lives are noted."""
    return folder.with_name(folder.name + ".events")


def error_file(folder: Path) -> Path:
    """Where the latest life of a folder wrote its errors."""
    return folder.with_name(folder.name + ".err")


def rungs_file(folder: Path) -> Path:
    """Where the lives of a folder noted each rung they trained: process number, trial, last iteration."""
    return folder.with_name(folder.name + ".rungs")


def rungs_trained(folder: Path) -> list[tuple[int, int, int]]:
    """(process number, trial, last iteration) of each rung that the lives of a folder trained, in order."""
    lines = rungs_file(folder).read_text().splitlines() if rungs_file(folder).exists() else []
    return [(int(pid), int(trial), int(end)) for pid, trial, end in map(str.split, lines)]


# --- the template process ---


class _Nowhere:
    """The delivery to a server that takes everything at once and forgets it."""

    def __init__(self, outbox: Outbox, tracking_uri: str) -> None:
        self._outbox = outbox
        self.notify()

    def notify(self) -> None:
        with suppress(OSError):  # as the delivery: what is not marked is delivered again
            for position, _ in list(self._outbox.pending()):
                self._outbox.mark_delivered(position)

    def news(self) -> tuple[str, ...]:
        return ()

    def champion(self, sweep: str, root: Path, timeout_seconds: float, *, with_past: bool) -> tuple[Champion, str]:
        return Champion(None), ""

    def close(self, timeout_seconds: float, others: Iterable[OtherOutbox] = (), goes_on: object = None) -> Delivered:
        self.notify()
        return Delivered(DeliveryResult(self._outbox.n_pending, None, None, None))


def serve() -> None:
    """Life of the template: run one sweep, then fork one life for each line on stdin, until it ends."""
    import tempfile

    import sweeps.cli
    import sweeps.recording.record
    import sweeps.report.figures
    import sweeps.run  # and all that it imports
    from tests.sweeps.support.outcomes import make_folder, outcome

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sweeps.recording.record.DeliveryProcess = _Nowhere  # type: ignore[assignment, misc]
    sweeps.report.figures.sections = lambda study: []
    with tempfile.TemporaryDirectory() as directory:
        folder = make_folder(Path(directory) / "first")
        pid = os.getpid()
        _run(folder, ["run", "sweep.toml", "--quiet"], lambda code: None)
        assert os.getpid() == pid
        outcome(folder)
    gc.freeze()  # what is shared with those that are forked is not copied for being looked at
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        began_at = time.monotonic()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # until the command line is there to obey
        child = os.fork()
        if child == 0:
            _live(Path(order["folder"]), order["arguments"], order["fault"])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        status = _bury(child, order["seconds"])
        answer = {"exit_code": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - began_at, "pid": child}
        print(json.dumps(answer), file=answers, flush=True)


def _bury(child: int, seconds: float | None) -> int:
    """Wait for the end of a life, killing it when it is time; its status."""
    began_at = time.monotonic()
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        lived = time.monotonic() - began_at
        if seconds is not None and lived >= seconds:
            os.kill(child, signal.SIGKILL)
        assert lived < LONGEST_LIFE_SECONDS, "a life without end"
        time.sleep(0.0005)


def _live(folder: Path, arguments: list[str], fault: dict[str, Any] | None) -> None:
    """The life of a fork; never returns."""
    os.setsid()
    for stream, file in ((0, Path(os.devnull)), (1, folder.with_name(folder.name + ".out")), (2, error_file(folder))):
        os.dup2(os.open(file, os.O_RDONLY if stream == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
    _note_rungs(rungs_file(folder))
    watch(folder, trace_file(folder), None if fault is None else Fault(**fault))
    time.sleep = _short_sleep(time.sleep)
    _run(folder, arguments, os._exit)


def _run(folder: Path, arguments: list[str], leave: Callable[[int], None]) -> None:
    """`python -m sweeps` in a folder; `leave` is told the exit code."""
    import sweeps.cli

    os.chdir(folder)
    sys.argv = ["sweeps", *arguments]
    code: Any = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        sweeps.cli.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    leave(code or 0)


def _note_rungs(file: Path) -> None:
    """Note each rung that this process trains."""
    import sweeps.execution.executors

    run_rung = sweeps.execution.executors.run_rung
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    write = os.write

    def noting(rung: Any, data: Any) -> Any:
        result = run_rung(rung, data)
        write(descriptor, f"{os.getpid()} {rung.initial_seed[1]} {rung.n_iterations}\n".encode())
        return result

    sweeps.execution.executors.run_rung = noting


def _short_sleep(sleep: Callable[[float], None]) -> Callable[[float], None]:
    """Who waits a second to be sure that a lock is stale need not do so two hundred times."""
    return lambda seconds: sleep(min(seconds, 0.001))
