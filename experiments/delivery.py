"""Delivery of an outbox's facts to MLflow, in the background or on request.

Training never waits for it: the coordinator appends to the outbox, and in another process `Delivery.notify` wakes a
daemon thread that does the rest. After an error the thread starts over with a fresh connection, after longer and longer
pauses (1, 2, 4, ... 60 seconds). What could not be delivered stays in the outbox for the next run or `sweeps sync`.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from filelock import FileLock, Timeout

from experiments.error_text import in_one_line, mask_password, root_cause
from experiments.facts import Fact, SweepStarted, TrialFinished, VerdictReached
from experiments.mlflow_connection import prepare_environment, quiet_logging
from experiments.mlflow_record import ArtifactsPending, MlflowRecord
from experiments.outbox import Outbox

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_CREDENTIALS = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, and run again."


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """How far a delivery got.

    Attributes:
        n_pending: Facts that MLflow does not have yet.
        error: One line without secrets: why facts are pending. None when all is well.
        experiment_id, run_id: MLflow's ids of the experiment and the parent run; None if not known.
    """

    n_pending: int
    error: str | None
    experiment_id: str | None
    run_id: str | None


def deliver(outbox: Outbox, tracking_uri: str) -> DeliveryResult:
    """Deliver all pending facts now, in this thread: one attempt, no retries. MLflow's errors are in the result."""
    prepare_environment()
    session = _Session(outbox, tracking_uri)
    try:
        with quiet_logging():
            error = session.deliver_pending(is_out_of_time=lambda: False)
    finally:
        session.close()
    return DeliveryResult(outbox.n_pending, error, session.experiment_id, session.run_id)


class Delivery:
    """A background thread that delivers an outbox's facts as they come."""

    __slots__ = ("_closes_at", "_condition", "_error", "_has_news", "_outbox", "_session", "_thread", "_tracking_uri")

    def __init__(self, outbox: Outbox, tracking_uri: str) -> None:
        self._outbox = outbox
        self._tracking_uri = tracking_uri
        self._session = _Session(outbox, tracking_uri)
        self._error: str | None = None
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

    def close(self, timeout_seconds: float) -> DeliveryResult:
        """Deliver what is left and stop, within the given time. What just failed is tried only once more."""
        with self._condition:
            self._closes_at = time.monotonic() + timeout_seconds
            self._condition.notify()
        self._thread.join(timeout_seconds)
        n_pending, error = self._outbox.n_pending, self._error
        if n_pending and error is None:
            error = f"{mask_password(self._tracking_uri)}: did not take everything within {timeout_seconds:g} s."
        return DeliveryResult(
            n_pending, error if n_pending else None, self._session.experiment_id, self._session.run_id
        )

    def _run(self) -> None:
        pause_seconds: float | None = None
        is_last = False
        with quiet_logging():
            while not is_last:
                is_last = self._wait(pause_seconds)
                self._error = self._session.deliver_pending(self._is_out_of_time)
                if self._error is None:
                    pause_seconds = None
                else:
                    pause_seconds = min(2 * (pause_seconds or _FIRST_PAUSE_SECONDS / 2), _LONGEST_PAUSE_SECONDS)
            self._session.close()

    def _wait(self, pause_seconds: float | None) -> bool:
        """Wait for news, or after an error for the end of the pause (news must not hammer a server that is down).

        Returns:
            True when closing: no more waiting.
        """
        with self._condition:
            if pause_seconds is None:
                self._condition.wait_for(lambda: self._has_news or self._closes_at is not None)
            else:
                self._condition.wait_for(lambda: self._closes_at is not None, timeout=pause_seconds)
            self._has_news = False
            return self._closes_at is not None

    def _is_out_of_time(self) -> bool:
        return self._closes_at is not None and time.monotonic() > self._closes_at


class _Session:
    """An open record and the lock that makes us its only writer, kept as long as all goes well.

    After any error both are dropped, and the next attempt looks again at what MLflow has.
    """

    __slots__ = ("_lock", "_outbox", "_record", "_tracking_uri", "experiment_id", "run_id")

    def __init__(self, outbox: Outbox, tracking_uri: str) -> None:
        self._outbox = outbox
        self._tracking_uri = tracking_uri
        self._lock = FileLock(outbox.path.with_name(outbox.path.name + ".lock"), timeout=0, mode=0o600)
        self._record: MlflowRecord | None = None
        self.experiment_id: str | None = None
        self.run_id: str | None = None

    def deliver_pending(self, is_out_of_time: Callable[[], bool]) -> str | None:
        """Deliver all pending facts. Returns the error as one line, None when there was none."""
        if self._outbox.n_pending == 0:
            return None
        try:
            error = self._deliver(self._record or self._open(), is_out_of_time)
        except Timeout:
            return f"{self._outbox.path}: another process is delivering it. Nothing to do; it will say how it went."
        except Exception as failure:  # MLflow, SQLAlchemy, requests, the disk: all of them mean "later"
            error = failure
        if error is None:
            return None
        self.close()
        return _one_line(error, self._tracking_uri)

    def close(self) -> None:
        """Let another process deliver."""
        self._record = None
        self._lock.release()

    def _open(self) -> MlflowRecord:
        self._lock.acquire()
        self._outbox.reload_delivered()
        started = self._outbox.first()
        if not isinstance(started, SweepStarted):
            raise ValueError(f"{self._outbox.path}: begins with {started.key!r}; it must begin with 'started'.")
        record = MlflowRecord(self._tracking_uri, started, self._outbox.run_id)
        self._outbox.keep_run_id(record.run_id)  # before anything is written into it
        self.experiment_id, self.run_id = record.experiment_id, record.run_id
        if not record.is_new:
            pending = (fact for _, fact in self._outbox.pending())
            record.find_trials(since=min((f.started_at for f in pending if isinstance(f, TrialFinished)), default=None))
        self._record = record
        return record

    def _deliver(self, record: MlflowRecord, is_out_of_time: Callable[[], bool]) -> Exception | None:
        """Write all pending facts. Returns the first refusal of a single fact, which does not hold back the others.

        Raises errors that concern all facts.
        """
        refusal: Exception | None = None
        for position, fact in self._outbox.pending():
            if is_out_of_time():
                break
            try:
                self._write(record, position, fact)
            except Exception as error:
                if not _is_refusal(error):
                    raise
                refusal = refusal or error
            else:
                self._outbox.mark_delivered(position)
        return refusal

    def _write(self, record: MlflowRecord, position: int, fact: Fact) -> None:
        if isinstance(fact, SweepStarted):
            record.write_started(fact)
        elif isinstance(fact, TrialFinished):
            record.write_trial(fact, is_sweep_running=position > self._outbox.position_of_last_finish())
        elif isinstance(fact, VerdictReached):
            record.write_verdict(fact, self._outbox.path.parent)
        elif position == self._outbox.position_of_last_finish():  # an earlier end is history
            record.write_finished(fact, self._outbox.path.parent)


def _is_refusal(error: Exception) -> bool:
    """Whether MLflow works but refuses this one fact (or its files)."""
    if isinstance(error, ArtifactsPending):
        return True
    status = _http_status(error)
    return status is not None and 400 <= status < 500 and status not in {401, 403, 408, 429}


def _http_status(error: Exception) -> int | None:
    """The HTTP status of an MlflowException, whichever store raised it; None for other errors."""
    get_status = getattr(error, "get_http_status_code", None)
    return get_status() if get_status else None


def _one_line(error: Exception, tracking_uri: str) -> str:
    uri = mask_password(tracking_uri)
    if _http_status(error) in {401, 403}:
        return f"{uri}: refused the credentials ({_http_status(error)}). {_CREDENTIALS}"
    told = error if isinstance(error, ArtifactsPending) else root_cause(error)
    return f"{uri}: {in_one_line(told)}"
