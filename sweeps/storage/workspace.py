"""The folder a sweep works in: what it writes there, the lease that keeps two runs apart, the default storage.

.sweeps/<name>/journal.log     Optuna's storage of a sweep's studies (`optuna-dashboard .sweeps/<name>/journal.log`)
.sweeps/<name>/verdicts.jsonl  decisions on the champion; champion.json, champion.h5: who that was when last asked
.sweeps/<name>/lease           locked while a run of this sweep is alive
.sweeps/<name>/<UTC time>/     one study, see `study_folder.py`
mlflow.db, mlruns/             MLflow's database and files, where a bare `mlflow ui` looks for it
"""

import calendar
import glob
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage

from engine.durable_file import leftovers
from experiments.errors import InputError
from experiments.mlflow_connection import sqlite_uri
from experiments.promotion.outcome import KNOWN_FILE
from sweeps.configuration.config_file import expand_uri
from sweeps.storage.database import open_database
from sweeps.storage.journal import Journal, read_journal
from sweeps.storage.study_folder import REMOVED, StudyFolder

_UTC = "%Y%m%d-%H%M%S"

PATIENCE_SECONDS = 0.5
"""How long a lease is tried for: `is_leased` may hold it for a moment."""


class LeaseHeldError(RuntimeError):
    """Another run of the same sweep is alive in this folder."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths below one working directory."""

    directory: Path

    @property
    def root(self) -> Path:
        """The folder of everything that is ours alone."""
        return self.directory / ".sweeps"

    def journal(self, sweep_name: str) -> Path:
        """Optuna's journal of one sweep: the default storage."""
        return self.root / sweep_name / "journal.log"

    def lease_file(self, sweep_name: str) -> Path:
        """What a run of a sweep keeps locked."""
        return self.root / sweep_name / "lease"

    def ledger(self, sweep_name: str) -> Path:
        """What the decisions of a sweep's name have spent, see `experiments.promotion.ledger`."""
        return self.root / sweep_name / "verdicts.jsonl"

    def known_champion(self, sweep_name: str) -> Path:
        """Who was champion when MLflow was last asked."""
        return self.root / sweep_name / KNOWN_FILE

    def study_folder(self, study_name: str) -> StudyFolder:
        """Folder of one study, `<name>/<UTC time>`."""
        return StudyFolder(self.root / study_name)

    def create(self) -> None:
        """Make the folder, private to its user.

        Raises:
            InputError: The working directory cannot be written.
        """
        try:
            self.root.mkdir(mode=0o700, exist_ok=True)
            probe = self.root / ".probe"
            probe.touch()
            probe.unlink(missing_ok=True)  # another run may have been faster
        except OSError as error:
            raise InputError(
                f"{self.root}: cannot be written ({error.strerror}).",
                "A sweep keeps its record in the folder it is run in.",
                "Change to a folder you may write, then run it again.",
            ) from error

    @contextmanager
    def lease(self, sweep_name: str, patience_seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
        """Be the only run of this sweep here; the operating system releases it however the process ends.

        Args:
            sweep_name: Of the sweep.
            patience_seconds: How long to wait for it, inf for ever.
        Raises:
            LeaseHeldError: Another run holds it.
        """
        file = self.lease_file(sweep_name)
        file.parent.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(file, timeout=-1 if patience_seconds == math.inf else patience_seconds)
        try:
            lock.acquire()
        except Timeout:
            raise LeaseHeldError(
                f"{sweep_name}: another run of this sweep is alive in {self.directory}. One run at a time keeps the "
                "record true; wait for it (python -m sweeps status), or give this one another sweep.name."
            ) from None
        try:
            self._remove_leftovers(sweep_name)
            yield
        finally:
            lock.release()

    def _remove_leftovers(self, sweep_name: str) -> None:
        for folder in self.study_folders(sweep_name):
            folder.remove_leftovers()
        for file in leftovers(self.root / sweep_name):  # of the ledger, of the champion that is known
            file.unlink(missing_ok=True)
        for path in self.half_removed(sweep_name):
            shutil.rmtree(path, ignore_errors=True)
        for link in self.journal(sweep_name).parent.glob("journal.log.lock*.rename"):
            link.unlink(missing_ok=True)  # Optuna's lock, between its two steps of letting go

    def half_removed(self, sweep_name: str) -> list[Path]:
        """Folders of studies that were being removed; the next run of the sweep goes on with that."""
        return sorted((self.root / sweep_name).glob(f".*{REMOVED}"))

    def is_leased(self, sweep_name: str) -> bool:
        """Whether a run of this sweep is alive here."""
        file = self.lease_file(sweep_name)
        if not file.exists():  # whoever only looks makes no file
            return False
        try:
            with FileLock(file, timeout=0):
                return False
        except Timeout:
            return True

    def study_folders(self, sweep_name: str | None = None) -> list[StudyFolder]:
        """Folders of the studies (of one sweep) that were run here, by the time they began."""
        paths = [path for path in self.root.glob(f"{_pattern(sweep_name)}/[!.]*") if path.is_dir()]
        return [StudyFolder(path) for path in sorted(paths, key=lambda path: (path.name, path.parent.name))]

    def sweep_names(self) -> list[str]:
        """Names of the sweeps that were run here, sorted."""
        return sorted({path.parent.name for path in [*self.root.glob("*/journal.log"), *self.root.glob("*/[!.]*/")]})

    def tracking_uri(self, folder: StudyFolder | None = None) -> str:
        """Where a study's facts go: what was configured, expanded, or the database that a bare `mlflow ui` shows."""
        kept = None if folder is None else folder.kept_tracking_uri()
        if kept is not None:
            return expand_uri(kept, "[tracking] uri")
        return sqlite_uri(self.directory.resolve() / "mlflow.db")

    def tracking_uri_of(self, sweep_name: str) -> str:
        """Where a sweep's name is recorded: where its newest study here is, or any; else this folder's mlflow.db, if
        there is one; else what MLFLOW_TRACKING_URI names."""
        folders = self.study_folders(sweep_name or None) or self.study_folders()
        if folders:
            return self.tracking_uri(folders[-1])
        own = self.tracking_uri()
        if (self.directory / "mlflow.db").exists():
            return own
        return os.environ.get("MLFLOW_TRACKING_URI") or own

    def new_study_name(self, sweep_name: str) -> str:
        """`<name>/<UTC time>`, later than all that are here: their order outlasts a clock that is set back."""
        now = time.time()
        last = max((folder.path.name for folder in self.study_folders(sweep_name)), default="")
        with suppress(ValueError):  # a folder of somebody else's
            now = max(now, calendar.timegm(time.strptime(last, _UTC)) + 1)
        return f"{sweep_name}/{time.strftime(_UTC, time.gmtime(now))}"

    def seconds_ahead(self, study_name: str) -> float:
        """By how much the time in a study's name is ahead of the clock; 0 where there is none in it."""
        with suppress(ValueError):
            return calendar.timegm(time.strptime(study_name.rpartition("/")[2], _UTC)) - time.time()
        return 0.0

    def open_storage(
        self, sweep_name: str, url: str | None, say: Callable[[str], None] = lambda text: None
    ) -> BaseStorage:
        """The storage at `url`, or the journal of the sweep, whose lease must be held.

        Raises:
            InputError: The storage cannot be opened.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # its lines would repeat ours
        if url is None:
            return Journal(self.journal(sweep_name), say)
        return open_database(url)

    def storages(self, sweep_name: str | None = None) -> list[BaseStorage]:
        """The storages of the studies of this folder (of one sweep), for reading: no lease is needed.

        Raises:
            InputError: A database cannot be opened, or a journal is damaged.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        kept = {folder.kept_storage_url() for folder in self.study_folders(sweep_name)} - {None}
        urls = {expand_uri(url, "[study] storage") for url in kept if url is not None}
        return [*self.journals(sweep_name), *(open_database(url) for url in sorted(urls))]

    def journals(self, sweep_name: str | None = None) -> list[BaseStorage]:
        """The journals among `storages`.

        Raises:
            InputError: One is damaged.
        """
        paths = sorted(self.root.glob(f"{_pattern(sweep_name)}/journal.log"))
        return [read_journal(path) for path in paths]


def _pattern(sweep_name: str | None) -> str:
    return "*" if sweep_name is None else glob.escape(sweep_name)
