"""Delivery of an outbox's facts to MLflow, in the background or on request.

Training never waits for it: the coordinator appends to the outbox, and in another process `Delivery.notify` wakes a
daemon thread that does the rest. After an error the thread starts over with a fresh connection, after longer and longer
pauses (1, 2, 4, ... 60 seconds). What could not be delivered stays in the outbox for the next run or `sweeps sync`.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from experiments.delivery_session import DeliverySession
from experiments.error_text import mask_password
from experiments.mlflow_connection import prepare_environment, quiet_logging
from experiments.outbox import Outbox

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_STOP_SECONDS = 2.0
"""How often MLflow is asked whether somebody has stopped the run there."""
_LOOK_SECONDS = 0.2
"""How often whoever waits for a delivery looks how far it is."""


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How far a delivery got.

    Attributes:
        n_pending: Facts that MLflow does not have yet.
        error: One line without secrets: why facts are pending. None when all is well.
        experiment_id, run_id: MLflow's ids of the experiment and the parent run; None if not known.
        damage: What is damaged of the outbox and so can never be delivered; None when all is well.
    """

    n_pending: int
    error: str | None
    experiment_id: str | None
    run_id: str | None
    damage: str | None = None


def deliver(outbox: Outbox, tracking_uri: str) -> DeliveryResult:
    """Deliver all pending facts now, in this thread: one attempt, no retries. MLflow's errors are in the result."""
    prepare_environment()
    session = DeliverySession(outbox, tracking_uri)
    try:
        with quiet_logging():
            error = session.deliver_pending(lambda: False, waits_for_others=lambda: False)
    finally:
        session.close()
    return DeliveryResult(outbox.n_pending, error, session.experiment_id, session.run_id, _damage_of(outbox))


class Delivery:
    """A background thread that delivers an outbox's facts as they come.

    Attributes:
        was_stopped: Whether somebody has set the study's run to KILLED meanwhile: the sweep is to end.
    """

    __slots__ = (
        "_closes_at", "_condition", "_error", "_has_news", "_looks_at", "_outbox", "_session", "_thread",
        "_tracking_uri", "was_stopped",
    )  # fmt: skip

    def __init__(self, outbox: Outbox, tracking_uri: str) -> None:
        self._outbox = outbox
        self._tracking_uri = tracking_uri
        self._session = DeliverySession(outbox, tracking_uri)
        self._error: str | None = None
        self.was_stopped = False
        self._looks_at = 0.0  # time.monotonic()
        self._condition = threading.Condition()
        self._has_news = True
        self._closes_at: float | None = None  # time.monotonic()
        self._thread = threading.Thread(target=self._run, name="mlflow-delivery", daemon=True)

    def start(self) -> None:
        """Start the thread. MLflow is imported there."""
        prepare_environment()
        self._thread.start()

    @property
    def error(self) -> str | None:
        """Why the latest attempt failed, in one line; None when it did not."""
        return self._error

    def notify(self) -> None:
        """Say that a fact was appended. Returns at once, whatever MLflow does."""
        with self._condition:
            self._has_news = True
            self._condition.notify()

    def close(self, timeout_seconds: float, watch: Callable[[int], None] = lambda n_pending: None) -> DeliveryResult:
        """Deliver what is left and stop, within the given time. What just failed is tried only once more.

        Whatever `watch` raises ends the waiting, and with the process the delivery, as a kill would.

        Args:
            timeout_seconds: inf is no limit.
            watch: Told again and again how many facts are pending.
        """
        with self._condition:
            closes_at = self._closes_at = time.monotonic() + timeout_seconds
            self._condition.notify()
        while self._thread.is_alive() and not self._is_out_of_time():
            self._thread.join(max(0.0, min(_LOOK_SECONDS, closes_at - time.monotonic())))
            watch(self._outbox.n_pending)
        n_pending, error = self._outbox.n_pending, self._error
        if n_pending and error is None:
            error = f"{mask_password(self._tracking_uri)}: did not take everything within {timeout_seconds:g} s."
            if self._session.waits_for_another:
                error = self._session.held_by_another
        return DeliveryResult(
            n_pending,
            error if n_pending else None,
            self._session.experiment_id,
            self._session.run_id,
            _damage_of(self._outbox),
        )

    def run_once(
        self, timeout_seconds: float = math.inf, watch: Callable[[int], None] = lambda n_pending: None
    ) -> DeliveryResult:
        """Start and close: one attempt, which can be watched and given up; see `close`."""
        self._closes_at = time.monotonic() + timeout_seconds
        self.start()
        return self.close(timeout_seconds, watch)

    def _run(self) -> None:
        pause_seconds: float | None = None
        is_last = False
        with quiet_logging():
            while not is_last:
                is_last = self._wait(pause_seconds)
                self._error = self._session.deliver_pending(self._look_up_from_work, self._is_closing)
                if self._error is None:
                    pause_seconds = None
                else:
                    pause_seconds = min(2 * (pause_seconds or _FIRST_PAUSE_SECONDS / 2), _LONGEST_PAUSE_SECONDS)
                self._look_up_from_work()
            self._session.close()

    def _look_up_from_work(self) -> bool:
        """Between two facts: ask now and then whether the run was stopped; whether the time is over."""
        if not self._is_closing() and time.monotonic() >= self._looks_at:
            self.was_stopped = self._session.was_stopped()
            self._looks_at = time.monotonic() + _STOP_SECONDS
        return self._is_out_of_time()

    def _wait(self, pause_seconds: float | None) -> bool:
        """Wait for news, or until it is time to ask whether the run was stopped; after an error for the end of the
        pause (news must not hammer a server that is down).

        Returns:
            True when closing: no more waiting.
        """
        with self._condition:
            if pause_seconds is None:
                self._condition.wait_for(
                    lambda: self._has_news or self._closes_at is not None,
                    timeout=None if self.was_stopped else _STOP_SECONDS,
                )
            else:
                self._condition.wait_for(lambda: self._closes_at is not None, timeout=pause_seconds)
            self._has_news = False
            return self._closes_at is not None

    def _is_closing(self) -> bool:
        return self._closes_at is not None

    def _is_out_of_time(self) -> bool:
        return self._closes_at is not None and time.monotonic() > self._closes_at


def _damage_of(outbox: Outbox) -> str | None:
    damage = outbox.damage
    return None if damage is None else str(damage)
