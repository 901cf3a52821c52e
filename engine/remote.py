"""What a worker on another machine runs: the data are sent to it once, over the network, and rungs refer to their name.

The counterpart of `engine.worker` for a cluster. A cluster's worker is shared: it may run several sweeps, and its
software versions may differ from the coordinator's. So data have names, and each worker compares versions before it
trains.
"""

import hashlib
import platform
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from engine.data import TrainingData
from engine.errors import EngineError
from engine.threads import machine_kind, one_blas_thread
from engine.worker import Rung, RungResult, run_rung

DECISIVE = ("numpy", "engine")
"""Keys of `software()` that must be equal on all machines of a sweep. Where only "machine" or "python" differ, results
differ in the last bits at most."""


class UnfitWorkerError(EngineError):
    """This worker must not train: its versions differ from the coordinator's, or it does not have the data."""


@dataclass(frozen=True, slots=True)
class RemoteResult:
    """A rung's result, and the kind of machine that computed it."""

    result: RungResult
    machine: str


@cache
def software() -> dict[str, str]:
    """What determines the numbers that this process computes; `engine` is a digest of the engine's source code."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return {
        "numpy": np.__version__,
        "engine": digest.hexdigest()[:12],
        "python": platform.python_version(),
        "machine": machine_kind(),
    }


def differences(found: Mapping[str, str], wanted: Mapping[str, str], names: tuple[str, ...] = DECISIVE) -> str:
    """`numpy 2.3.1 instead of 2.4.6, engine ...`; empty if all of `names` are equal."""
    return ", ".join(f"{name} {found[name]} instead of {wanted[name]}" for name in names if found[name] != wanted[name])


_received: dict[str, tuple[TrainingData, Mapping[str, str]]] = {}  # name -> data, software of the coordinator
_this_thread = threading.local()


def receive(name: str, data: TrainingData, wanted: Mapping[str, str], worker: object = None) -> None:
    """Keep data under a name, for `run_received`.

    Args:
        name: What rungs will call the data.
        data: Kept as given, one copy per process.
        wanted: The coordinator's `software()`.
        worker: Dask's worker object, which Dask passes to every plugin; not used.
    """
    _received[name] = (data, wanted)


def forget(name: str, worker: object = None) -> None:
    """Drop the data of that name, if there are any."""
    _received.pop(name, None)


def run_received(name: str, rung: Rung) -> RemoteResult:
    """`run_rung` on the data of that name.

    Raises:
        UnfitWorkerError: The data are not here or versions differ; nothing has been trained.
    """
    if name not in _received:
        raise UnfitWorkerError("it has not received the data")
    data, wanted = _received[name]
    difference = differences(software(), wanted)
    if difference:
        raise UnfitWorkerError(f"it has {difference}")
    if not hasattr(_this_thread, "has_one_blas_thread"):  # with OpenMP the limit holds for this thread only
        one_blas_thread()
        _this_thread.has_one_blas_thread = True
    return RemoteResult(run_rung(rung, data), software()["machine"])
