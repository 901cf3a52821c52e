"""One writer's session with MLflow: an outbox's pending facts, the record they go to and the lock on both."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from filelock import FileLock, Timeout

from experiments.error_text import in_one_line, mask_password, root_cause
from experiments.facts import Fact, SweepStarted, TrialFinished, VerdictReached
from experiments.mlflow_record import ArtifactsPending, MlflowRecord
from experiments.outbox import Outbox
from experiments.together import N_AT_ONCE, make_together

_LOOK_SECONDS = 0.2
"""How often a delivery looks whether another one has ended."""
_CREDENTIALS = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, and run again."


class DeliverySession:
    """An open record and the lock that makes us its only writer, kept as long as all goes well.

    After any error both are dropped, and the next attempt looks again at what MLflow has.

    Attributes:
        experiment_id, run_id: MLflow's ids of the experiment and the parent run; None until they are known.
        waits_for_another: Whether another process is delivering and this one waits.
    """

    __slots__ = (
        "_has_run", "_lock", "_outbox", "_record", "_tracking_uri", "_was_stopped", "experiment_id", "run_id",
        "waits_for_another",
    )  # fmt: skip

    def __init__(self, outbox: Outbox, tracking_uri: str) -> None:
        self._outbox = outbox
        self._tracking_uri = tracking_uri
        self._lock = FileLock(outbox.path.with_name(outbox.path.name + ".lock"), timeout=0, mode=0o600)
        self._record: MlflowRecord | None = None
        self._has_run = False  # our parent run, as far as we know
        self._was_stopped = False
        self.experiment_id: str | None = None
        self.run_id: str | None = None
        self.waits_for_another = False

    @property
    def held_by_another(self) -> str:
        """What to say of a record that another process is delivering."""
        return f"{self._outbox.path}: another process is delivering it. What it leaves, `sync` or a run delivers."

    def deliver_pending(self, is_out_of_time: Callable[[], bool], waits_for_others: Callable[[], bool]) -> str | None:
        """Deliver all pending facts. Returns the error as one line, None when there was none.

        Args:
            is_out_of_time: True ends the delivery where it is.
            waits_for_others: Whether to wait for another process that is delivering, as long as there is time.
        """
        if self._outbox.n_pending == 0:
            return None
        try:
            if self._record is None:
                self._acquire(lambda: waits_for_others() and not is_out_of_time())
            error = self._deliver(self._record or self._open(), is_out_of_time)
        except Timeout:
            return self.held_by_another
        except Exception as failure:  # MLflow, SQLAlchemy, requests, the disk: all of them mean "later"
            error = failure
        if error is None:
            return None
        self.close()
        return _one_line(error, self._tracking_uri)

    def was_stopped(self) -> bool:
        """Whether somebody has set the parent run to KILLED since we saw it RUNNING; asks MLflow, if it answers."""
        record = self._record
        if record is not None and not self._was_stopped:
            self._has_run = self._has_run or record.is_running
            try:
                self._was_stopped = record.was_stopped()
            except Exception:  # the next fact will say why
                return False
        return self._was_stopped

    def close(self) -> None:
        """Let another process deliver."""
        self._record = None
        self._lock.release()

    def _acquire(self, waits_for_others: Callable[[], bool]) -> None:
        """Be the only one that delivers.

        Raises:
            Timeout: Another process does, and is not waited for any more.
        """
        while True:
            try:
                self._lock.acquire()
                self.waits_for_another = False
                break
            except Timeout:
                self.waits_for_another = waits_for_others()
                if not self.waits_for_another:
                    raise
                time.sleep(_LOOK_SECONDS)
        self._outbox.reload_delivered()

    def _open(self) -> MlflowRecord:
        started = self._outbox.started()
        if started is None:
            raise ValueError(
                f"{self._outbox.path}: the fact that the study began is lost; what came of it cannot be delivered "
                "without. Run the sweep again, which writes it anew."
            )
        record = MlflowRecord(self._tracking_uri, started, self._outbox.run_id)
        self._outbox.keep_run_id(record.run_id)  # before anything is written into it
        self.experiment_id, self.run_id = record.experiment_id, record.run_id
        self._was_stopped = self._was_stopped or (self._has_run and record.is_killed)
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
        for facts in _together(self._outbox.pending(), N_AT_ONCE if record.is_at_server else 1):
            if is_out_of_time():
                break
            errors = self._write_together(record, facts)
            for position, _ in facts:  # first: what was taken need not be told again
                if position not in errors:
                    self._outbox.mark_delivered(position)
            for error in errors.values():
                if not _is_refusal(error):
                    raise error
                refusal = refusal or error
        return refusal

    def _write_together(self, record: MlflowRecord, facts: Sequence[tuple[int, Fact]]) -> dict[int, Exception]:
        """Write facts that do not depend on each other; position to error of those that were not taken."""
        if len(facts) == 1:
            ((position, fact),) = facts
            try:
                self._write(record, position, fact)
            except Exception as error:
                return {position: error}
            return {}
        if facts[-1][0] > self._outbox.position_of_last_finish():
            record.reopen()  # once for all of them
        errors = make_together([partial(self._write, record, *fact) for fact in facts])
        return {position: error for (position, _), error in zip(facts, errors, strict=True) if error is not None}

    def _write(self, record: MlflowRecord, position: int, fact: Fact) -> None:
        if isinstance(fact, SweepStarted):
            record.write_started(fact)
        elif isinstance(fact, TrialFinished):
            record.write_trial(fact, is_sweep_running=position > self._outbox.position_of_last_finish())
        elif isinstance(fact, VerdictReached):
            record.write_verdict(fact, self._outbox.path.parent)
        elif position == self._outbox.position_of_last_finish():  # an earlier end is history
            record.write_finished(fact, self._outbox.path.parent)


def _together(facts: Iterable[tuple[int, Fact]], n_at_once: int) -> Iterator[list[tuple[int, Fact]]]:
    """The facts in order, trials so many at a time: they do not depend on each other, and all else does."""
    trials: list[tuple[int, Fact]] = []
    for position, fact in facts:
        if isinstance(fact, TrialFinished):
            trials.append((position, fact))
        if trials and (len(trials) == n_at_once or not isinstance(fact, TrialFinished)):
            yield trials
            trials = []
        if not isinstance(fact, TrialFinished):
            yield [(position, fact)]
    if trials:
        yield trials


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
