"""The record of one study while it runs: facts into the outbox at once, from there to MLflow in the background."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from experiments.error_text import mask_password
from experiments.errors import InputError, how_many
from experiments.fact_json import to_json
from experiments.facts import VerdictReached
from experiments.outbox import Outbox
from experiments.preparation import PreparedData
from experiments.promotion.champion import Champion
from sweeps.configuration.config import Config
from sweeps.recording.delivery_process import Delivered, DeliveryProcess, OtherOutbox, RunStopped
from sweeps.recording.facts import sweep_finished, sweep_started, trial_finished
from sweeps.search.winner import Winner
from sweeps.storage.workspace import Workspace
from sweeps.trials.trial import TrialResult

SECONDS_TO_DELIVER = 30.0
"""How long the end of a sweep waits for MLflow; the rest is delivered by the folder's next run or by `sync`."""

SECONDS_TO_DELIVER_INTERRUPTED = 5.0

SECONDS_BETWEEN_LINES = 5.0
"""How often the end of a sweep that waits for MLflow says how far it is."""

LEAST_SECONDS_TO_ANSWER = 1.0
"""How long MLflow is waited for even where a limit of time is over."""

SECONDS_TO_FIND_CHAMPION = 30.0
"""How long the end of a sweep waits to be told who is champion; a server that does not answer is given up after ten."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a record talks to, and how long they wait for MLflow at the end.

    Attributes:
        say: Told what a person should know.
        tell: Told what may be missed.
        is_interrupted: Whether they do not want to wait any more; asked while the finished record is delivered.
        waits_until: Unix time from which on they wait no longer; inf without a limit of time.
    """

    say: Callable[[str], None]
    tell: Callable[[str], None]
    is_interrupted: Callable[[], bool] = lambda: False
    waits_until: float = math.inf


class Record:
    """Facts of one study, in order. Leaving it without `finish` records that the study was interrupted.

    Args:
        config: The configuration becomes part of the record; it says where that goes.
        study_name: `<name>/<UTC time>`.
        prepared: The data that the study trains on.
        workspace: Where the study's folder is; the sweep's lease must be held.
        audience: Whoever runs the sweep.

    Attributes:
        state: RUNNING, until `finish` says FINISHED or FAILED.
        delivered: How much of the record is in MLflow; None until the block is left.
    """

    def __init__(
        self,
        config: Config,
        study_name: str,
        prepared: PreparedData,
        workspace: Workspace,
        audience: Audience,
    ) -> None:
        self._study_name = study_name
        self._prepared = prepared
        self._objective = config.study.objective
        self._workspace = workspace
        self._audience = audience
        self._folder = workspace.study_folder(study_name)
        self._folder.create()
        self._outbox = Outbox(self._folder.outbox)
        if (mended := self._outbox.mend()) is not None:
            audience.say(mended)
        self._keep_tracking_uri(config.tracking.uri)  # before there is anything to deliver
        self._started = sweep_started(config, study_name, prepared)
        self._outbox.append(self._started)
        self._tracking_uri = workspace.tracking_uri(self._folder)
        if (note := not_asked(config.tracking.uri, self._tracking_uri)) is not None:
            audience.say(note)
        self.state = "RUNNING"
        self.delivered: Delivered | None = None

    def __enter__(self) -> Self:
        self._delivery = DeliveryProcess(self._outbox, self._tracking_uri)
        return self

    def look(self) -> str | None:
        """Say why MLflow has nothing yet, the first time that it is so: the end of the run may be hours away.

        Returns:
            Why the sweep is to stop: somebody has stopped its run in MLflow. None where it is not.
        """
        for news in self._delivery.news():
            if isinstance(news, RunStopped):
                return f"Stopped in MLflow, where the run of {self._study_name} was set to KILLED."
            self._audience.say(
                f"MLflow does not accept the record now: {news} The sweep continues and keeps what is pending."
            )
        return None

    def trial_ended(self, result: TrialResult) -> None:
        """Write a trial down."""
        self._outbox.append(trial_finished(self._study_name, result, self._prepared, self._objective))
        self._delivery.notify()

    def finish(self, winner: Winner | None, outcome: str = "", artifacts: Mapping[str, str] | None = None) -> None:
        """Write down that the study is over, in words too (Markdown); without a winner it has failed."""
        description = f"{outcome}\n{self._started.description}" if outcome else ""
        state = "FAILED" if winner is None else "FINISHED"
        self._stop(state, winner, description, artifacts)
        self.state = state

    def champion(self, *, with_past: bool) -> tuple[Champion | None, str]:
        """Who is champion of the sweep's name, and ""; or None, and why MLflow does not say."""
        root, sweep = self._workspace.root, self._folder.sweep_name
        seconds = seconds_to_wait(SECONDS_TO_FIND_CHAMPION, self._audience.waits_until - time.time())
        return self._delivery.champion(sweep, root, seconds, with_past=with_past)

    def verdict(self, challenger: str) -> VerdictReached | None:
        """The verdict on a model of this study that was reached before, by the digest of its file."""
        return self._outbox.verdict(challenger)

    def reached(self, verdict: VerdictReached) -> None:
        """Write down whether the study's model becomes champion; delivery makes it so."""
        self._outbox.append(verdict)
        self._delivery.notify()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self.state == "RUNNING":
                self._audience.tell(
                    f"Stopping: MLflow gets {SECONDS_TO_DELIVER_INTERRUPTED:.0f} s. Nothing is lost without them."
                )
                self._stop("KILLED", None)
        finally:  # on a full disk too: a process that is left behind would keep the program from ending
            if self.state == "RUNNING":
                self.delivered = self._delivery.close(SECONDS_TO_DELIVER_INTERRUPTED, self._others())
                if n_left := self.delivered.own.n_pending:
                    left = how_many(n_left, "fact is", "facts are")
                    self._audience.tell(f"{left} not in MLflow yet. To deliver them: python -m sweeps sync")
            else:
                seconds = seconds_to_wait(SECONDS_TO_DELIVER, self._audience.waits_until - time.time())
                self.delivered = self._delivery.close(seconds, self._others(), self._waiting())

    def _waiting(self) -> Callable[[int], bool]:
        """What is said while MLflow is slow, and whether anybody still waits for it."""
        says_at = time.monotonic() + SECONDS_BETWEEN_LINES
        n_facts = self._outbox.n_facts

        def goes_on(n_pending: int) -> bool:
            nonlocal says_at
            if self._audience.is_interrupted():
                return False
            if time.monotonic() >= says_at:
                self._audience.tell(
                    f"MLflow has {n_facts - n_pending} of {n_facts} facts; Ctrl-C leaves the rest for later."
                )
                says_at = time.monotonic() + SECONDS_BETWEEN_LINES
            return True

        return goes_on

    def _keep_tracking_uri(self, uri: str | None) -> None:
        """Where facts go from now on. Another server than before is told everything, not only what comes."""
        kept = self._folder.kept_tracking_uri()
        if kept != uri and self._outbox.n_facts:
            self._outbox.forget_delivered()  # first: after a kill in between, the old one is told again what it knows
        self._folder.keep_tracking_uri(uri)
        if kept != uri and self._outbox.n_facts:
            was, now = (mask_password(text or "the default mlflow.db") for text in (kept, uri))
            self._audience.say(
                f"{self._study_name}: its record went to {was} before; all of it is delivered again, to {now}."
            )

    def _others(self) -> Iterator[OtherOutbox]:
        """The outboxes of the folder that nobody else is at work on, the newest first."""
        is_alive = {self._folder.sweep_name: False}  # the lease is ours
        for folder in reversed(self._workspace.study_folders()):
            name = folder.study_name
            other = folder.sweep_name
            if other not in is_alive:
                is_alive[other] = self._workspace.is_leased(other)
            if name == self._study_name or is_alive[other] or not folder.outbox.exists():
                continue
            try:
                yield OtherOutbox(name, folder.outbox, self._workspace.tracking_uri(folder))
            except InputError as error:  # a variable of its URI is not set
                yield OtherOutbox(name, folder.outbox, None, str(error))

    def _stop(
        self, state: str, winner: Winner | None, description: str = "", artifacts: Mapping[str, str] | None = None
    ) -> None:
        sequence = self._outbox.n_finished + 1
        after = self._end_before()
        end = sweep_finished(
            self._study_name, state, winner, sequence, after=after, description=description, artifacts=artifacts
        )
        before = None if self._outbox.is_open else self._outbox.last_finish()
        if before is not None:
            before = replace(before, ended_at=end.ended_at, order=end.order, sequence=sequence)
        # The same end again is that of a run that was killed later, or of one that had nothing new to do.
        if before is None or to_json(before) != to_json(end):
            self._outbox.append(end)
        self._delivery.notify()

    def _end_before(self) -> float:
        """When the study before this one ended, by its order; 0 where there is none."""
        folders = self._workspace.study_folders(self._folder.sweep_name)
        earlier = [folder for folder in folders if folder.study_name < self._study_name and folder.outbox.exists()]
        end = Outbox(earlier[-1].outbox).last_finish() if earlier else None
        return 0.0 if end is None else end.order or end.ended_at


def seconds_to_wait(most: float, left: float) -> float:
    """How long to wait for MLflow where so many seconds are left of a limit of time; inf is no limit."""
    return max(LEAST_SECONDS_TO_ANSWER, min(most, left))


def not_asked(configured_uri: str | None, tracking_uri: str) -> str | None:
    """What to tell of MLflow's own variables where they name another store than the record's; None where they do not.

    They decide nothing: the next night, `predict` and `sync` in another shell must find the same record.
    """
    uris = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    others = {name: uri for name, uri in uris.items() if uri and uri != tracking_uri}
    if not others:
        return None
    named = " and ".join(f"{name} = {mask_password(uri)}" for name, uri in others.items())
    why = "which is this folder's own" if configured_uri is None else "as [tracking] uri says"
    return (
        f"Record and models go to {mask_password(tracking_uri)}, {why}; {named} in the environment "
        f'{"is" if len(others) == 1 else "are"} not asked. To go there: [tracking] uri = "${{{next(iter(others))}}}".'
    )


def close_record(workspace: Workspace, study_name: str) -> None:
    """Write down that a study was interrupted, where a killed run had no time to. The sweep's lease must be held.

    MLflow would show it as RUNNING until it is continued, perhaps for ever.
    """
    outbox = Outbox(workspace.study_folder(study_name).outbox)
    if outbox.is_open:
        outbox.append(sweep_finished(study_name, "KILLED", None, outbox.n_finished + 1))
