"""Delivery to MLflow in a process of its own: what MLflow computes takes no time from the coordinator's interpreter.

The outbox is what the two share: the coordinator appends to it, the other process reads it, delivers, and notes how far
it is. Of the pipe only its end matters to the record: when the coordinator is gone, so is the other process, and
wherever that happens the next run or `sweeps sync` goes on from the outbox.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from experiments.delivery import Delivery, DeliveryResult
from experiments.error_text import mask_password
from experiments.outbox import Outbox
from sweeps.spawning import start_of_ours

_ITS_END_IS_GONE = (EOFError, OSError)
_GRACE_SECONDS = 5.0
_LATEST_START_SECONDS = 3.0
"""Importing MLflow takes two seconds of a core: workers, which start at the same time, need it more."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class DeliveryProcess:
    """Delivers the outbox of a study while a sweep runs."""

    def __init__(self, outbox: Outbox, tracking_uri: str) -> None:
        self._outbox = outbox
        self._tracking_uri = tracking_uri
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, outbox.path, tracking_uri), name="mlflow-delivery", daemon=True
        )
        with start_of_ours(), _signals_kept_back():  # it inherits the latter: Ctrl-C is the coordinator's to answer
            self._process.start()
        theirs.close()

    def notify(self) -> None:
        """Say that a fact was appended. Returns at once, whatever MLflow does."""
        with suppress(*_ITS_END_IS_GONE):  # then `close` says so; the fact is in the outbox
            self._pipe.send(None)

    def close(self, timeout_seconds: float) -> DeliveryResult:
        """Deliver what is left and stop, within the given time."""
        result: DeliveryResult | None = None
        with suppress(*_ITS_END_IS_GONE):
            self._pipe.send(timeout_seconds)
            if self._pipe.poll(timeout_seconds + _GRACE_SECONDS):
                result = self._pipe.recv()
        self._pipe.close()
        if result is None:
            self._process.kill()
        self._process.join()
        return result or self._unanswered()

    def _unanswered(self) -> DeliveryResult:
        self._outbox.reload_delivered()
        reason = f"{mask_password(self._tracking_uri)}: the process that delivers to it ended without an answer."
        n_pending = self._outbox.n_pending
        return DeliveryResult(n_pending, reason if n_pending else None, None, None)


def _serve(pipe: "Connection[Any, Any]", path: Path, tracking_uri: str) -> None:
    """Life of the process: a message is None (there are new facts) or how many seconds are left to finish."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    outbox = Outbox(path)
    delivery = Delivery(outbox, tracking_uri)
    pipe.poll(_LATEST_START_SECONDS)  # the first trial has ended, or it takes longer
    delivery.start()
    with suppress(*_ITS_END_IS_GONE):
        while (timeout_seconds := pipe.recv()) is None:
            outbox.refresh()
            delivery.notify()
        outbox.refresh()
        pipe.send(delivery.close(timeout_seconds))
    os._exit(0)  # perhaps in the middle of a call to MLflow, as a kill would; an orderly exit takes it a second


@contextmanager
def _signals_kept_back() -> Iterator[None]:
    resource_tracker.ensure_running()  # which lets signals through when it starts, and the first process starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
