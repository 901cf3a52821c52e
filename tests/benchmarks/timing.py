"""Contenders timed in turns, so that whatever slows the machine down slows all of them down."""

import os
import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

PAUSE_SECONDS = 0.02
"""Between two contenders, so that the threads of the one have stopped spinning when the other starts."""


def in_turns(contenders: Mapping[str, Callable[[], float]], n_rounds: int) -> dict[str, float]:
    """Median of what each returns (its own seconds), over rounds in which each runs once."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(n_rounds):
        for name, contender in contenders.items():
            time.sleep(PAUSE_SECONDS)
            seconds[name].append(contender())
    return {name: median(values) for name, values in seconds.items()}


def seconds_of(call: Callable[[], object], n_calls: int = 1) -> float:
    """Wall time of one call, averaged over n_calls of them."""
    started = time.perf_counter()
    for _ in range(n_calls):
        call()
    return (time.perf_counter() - started) / n_calls


def with_blas_threads(n_threads: int, call: Callable[[], float]) -> Callable[[], float]:
    """The same call with a limit on NumPy's and SciPy's BLAS; setting the limit is outside of what it times."""

    def limited() -> float:
        with threadpool_limits(n_threads, user_api="blas"):
            return call()

    return limited


def blas_kernel() -> str:
    """Which kernel NumPy's BLAS chose, with a word of warning when the environment chose it."""
    info = next(pool for pool in threadpool_info() if pool["user_api"] == "blas" and "numpy" in pool["filepath"])
    forced = " FORCED by OPENBLAS_CORETYPE: unset it for a fair run" if "OPENBLAS_CORETYPE" in os.environ else ""
    return f"{info['internal_api']} {info['version']} {info.get('architecture', '?')}{forced}"


class OtherLoad:
    """How much of the machine others used while this process measured (Linux; nan elsewhere).

    with OtherLoad() as other: ...
    other.cores  # mean number of cores busy with somebody else's work
    """

    cores = float("nan")

    def __enter__(self) -> "OtherLoad":
        self._before = _busy_and_own_seconds()
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        after = _busy_and_own_seconds()
        if self._before is not None and after is not None:
            busy, own = np.subtract(after, self._before)
            self.cores = max(0.0, (busy - own) / (time.perf_counter() - self._started))


def _busy_and_own_seconds() -> tuple[float, float] | None:
    try:
        with open("/proc/stat") as file:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    except (OSError, ValueError):
        return None
    own = os.times()
    busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return busy, own.user + own.system + own.children_user + own.children_system
