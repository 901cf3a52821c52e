"""Delivery to MLflow in a process of its own: what MLflow computes takes no time from the coordinator's interpreter.

The outbox is what the two share: the coordinator appends to it, the other process reads it, delivers, and notes how far
it is. The pipe wakes it up and tells the coordinator how things are; to the record only its end matters: when the
coordinator is gone, so is the other process, and wherever that happens the next run or `sweeps sync` goes on from the
outbox.

When a sweep ends and its own facts are delivered, what is left of the time is for the other studies of its folder that
have something pending: each goes where its own facts go.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from experiments.delivery import Delivery, DeliveryResult
from experiments.error_text import in_one_line, mask_password, root_cause
from experiments.mlflow_connection import quiet_logging
from experiments.outbox import Outbox
from experiments.promotion.champion import Champion, find_champion
from sweeps.execution.garbage import collect_rarely
from sweeps.execution.spawning import start_of_ours

_ITS_END_IS_GONE = (EOFError, OSError)
_GRACE_SECONDS = 5.0
_LATEST_START_SECONDS = 3.0
"""Importing MLflow takes two seconds of a core: workers, which start at the same time, need it more."""
_NICENESS = 5
"""A third of a worker's claim to a core: with one core, or two busy ones, trials end while MLflow is imported."""
_LOOK_SECONDS = 0.5
"""How often to look whether there is an error to tell of."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CONTEXT = multiprocessing.get_context("spawn")
"""How the process starts; the tests fork it from one that has imported MLflow already."""


@dataclass(frozen=True, slots=True)
class OtherOutbox:
    """The outbox of another study of the folder, which may have facts pending.

    Attributes:
        study: Its name.
        path: Where the outbox is.
        tracking_uri: Where its facts go; None when that is not known.
        error: Why it is not known.
    """

    study: str
    path: Path
    tracking_uri: str | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _End:
    timeout_seconds: float
    others: Sequence[OtherOutbox]


@dataclass(frozen=True, slots=True)
class _WhoIsChampion:
    sweep: str
    root: Path
    with_past: bool


@dataclass(frozen=True, slots=True)
class _ChampionIs:
    champion: Champion | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class RunStopped:
    """Somebody has set the study's run to KILLED in MLflow."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How far a delivery got by the end of a run.

    Attributes:
        own: What became of the facts of the run's own study.
        others: Other studies that still have facts pending, and why.
    """

    own: DeliveryResult
    others: dict[str, str] = field(default_factory=dict)


class DeliveryProcess:
    """Delivers the outbox of a study while a sweep runs."""

    def __init__(self, outbox: Outbox, tracking_uri: str) -> None:
        self._outbox = outbox
        self._tracking_uri = tracking_uri
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(
            target=_serve, args=(theirs, outbox.path, tracking_uri), name="mlflow-delivery", daemon=True
        )
        with start_of_ours(), _signals_kept_back():  # it inherits the latter: Ctrl-C is the coordinator's to answer
            self._process.start()
        theirs.close()

    def notify(self) -> None:
        """Say that a fact was appended. Returns at once, whatever MLflow does."""
        with suppress(*_ITS_END_IS_GONE):  # then `close` says so; the fact is in the outbox
            self._pipe.send(None)

    def news(self) -> Iterator[str | RunStopped]:
        """What is to be told, each once: why the first attempt that failed did so, and that the run was stopped."""
        with suppress(*_ITS_END_IS_GONE):
            while self._pipe.poll():
                message = self._pipe.recv()  # or who is champion, too late
                if isinstance(message, str | RunStopped):
                    yield message

    def champion(
        self, sweep: str, root: Path, timeout_seconds: float, *, with_past: bool
    ) -> tuple[Champion | None, str]:
        """Who MLflow says is champion, and "", or None and why it does not say; see `find_champion`."""
        ends_at = time.monotonic() + timeout_seconds
        with suppress(*_ITS_END_IS_GONE):
            self._pipe.send(_WhoIsChampion(sweep, root, with_past))
            while self._pipe.poll(max(0.0, ends_at - time.monotonic())):
                message = self._pipe.recv()  # or a first error, which the end of the run tells again
                if isinstance(message, _ChampionIs):
                    return message.champion, message.error
        return None, f"{mask_password(self._tracking_uri)}: no answer within {timeout_seconds:g} s"

    def close(
        self,
        timeout_seconds: float,
        others: Iterable[OtherOutbox] = (),
        goes_on: Callable[[int], bool] = lambda n_pending: True,
    ) -> Delivered:
        """Deliver what is left, then what is left of others, and stop, all of it within the given time.

        Args:
            timeout_seconds: For all of it.
            others: What else the folder has.
            goes_on: Told again and again how many facts of the own study are pending; False ends the wait at once.
        """
        ends_at = time.monotonic() + timeout_seconds + _GRACE_SECONDS
        own: DeliveryResult | None = None
        errors: dict[str, str] | None = None
        is_given_up = False
        try:
            with suppress(*_ITS_END_IS_GONE):
                self._pipe.send(_End(timeout_seconds, tuple(others)))
                while errors is None and (seconds_left := ends_at - time.monotonic()) > 0:
                    if not self._pipe.poll(min(_LOOK_SECONDS, seconds_left)):
                        self._outbox.reload_delivered()
                        is_given_up = not goes_on(self._outbox.n_pending)
                        if is_given_up:
                            break
                        continue
                    message = self._pipe.recv()  # or a first error, which the result knows too
                    if isinstance(message, DeliveryResult):
                        own = message
                    elif isinstance(message, dict):
                        errors = message
        finally:
            self._pipe.close()
            if errors is None:
                self._process.kill()
            self._process.join()
        return Delivered(own or self._unanswered(is_given_up), errors or {})

    def _unanswered(self, is_given_up: bool) -> DeliveryResult:
        self._outbox.reload_delivered()
        why = "nobody waited any longer" if is_given_up else "the process that delivers to it ended without an answer"
        reason = f"{mask_password(self._tracking_uri)}: {why}."
        n_pending = self._outbox.n_pending
        return DeliveryResult(n_pending, reason if n_pending else None, None, self._outbox.run_id)


def _serve(pipe: "Connection[Any, Any]", path: Path, tracking_uri: str) -> None:
    """Life of the process: a message is None (there are new facts), who is champion, or how it is to end."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICENESS)
    collect_rarely()
    outbox = Outbox(path)
    delivery = Delivery(outbox, tracking_uri)
    pipe.poll(_LATEST_START_SECONDS)  # the first trial has ended, or it takes longer
    delivery.start()
    with suppress(*_ITS_END_IS_GONE):
        has_said_error = has_said_stop = False
        while True:
            if delivery.error is not None and not has_said_error:
                pipe.send(delivery.error)
                has_said_error = True
            if delivery.was_stopped and not has_said_stop:
                pipe.send(RunStopped())
                has_said_stop = True
            if not pipe.poll(_LOOK_SECONDS):
                continue
            message = pipe.recv()
            if isinstance(message, _End):
                break
            if isinstance(message, _WhoIsChampion):
                pipe.send(_look_up(tracking_uri, message))
                continue
            outbox.refresh()
            delivery.notify()
        ends_at = time.monotonic() + message.timeout_seconds
        threading.Thread(target=_end_with_coordinator, args=(pipe,), daemon=True).start()
        outbox.refresh()
        pipe.send(delivery.close(message.timeout_seconds))
        pipe.send(dict(_deliver_others(message.others, ends_at)))
    os._exit(0)  # perhaps in the middle of a call to MLflow, as a kill would; an orderly exit takes it a second


def _end_with_coordinator(pipe: "Connection[Any, Any]") -> None:
    """End when the coordinator does, who has nothing more to say: the next run must not find us delivering still."""
    with suppress(*_ITS_END_IS_GONE):
        pipe.poll(None)
    os._exit(0)


def _look_up(tracking_uri: str, asked: _WhoIsChampion) -> _ChampionIs:
    try:
        with quiet_logging():
            return _ChampionIs(find_champion(tracking_uri, asked.sweep, asked.root, with_past=asked.with_past))
    except Exception as error:  # from MLflow, SQLAlchemy, requests or the operating system
        return _ChampionIs(None, f"{mask_password(tracking_uri)}: {in_one_line(root_cause(error))}")


def _deliver_others(others: Sequence[OtherOutbox], ends_at: float) -> Iterator[tuple[str, str]]:
    """Deliver what others have pending, one after the other; (study, why not) of those where something is left."""
    for other in others:
        outbox = Outbox(other.path)
        if outbox.damage is not None:
            yield other.study, str(outbox.damage)  # where there is more to say, it is said instead
        if outbox.n_pending == 0:
            continue
        if other.tracking_uri is None:
            yield other.study, other.error
            continue
        seconds_left = ends_at - time.monotonic()
        if seconds_left <= 0:
            yield other.study, "there was no time left for it."
            continue
        error_or_none = Delivery(outbox, other.tracking_uri).run_once(seconds_left).error
        if error_or_none is not None:
            yield other.study, error_or_none


@contextmanager
def _signals_kept_back() -> Iterator[None]:
    resource_tracker.ensure_running()  # which lets signals through when it starts, and the first process starts it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
