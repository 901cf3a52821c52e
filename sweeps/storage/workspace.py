"""The folder a sweep works in: what it writes there, the lease that keeps two runs apart, the default storage.

.sweeps/<name>/journal.log     Optuna's record of a sweep's studies (`optuna-dashboard .sweeps/<name>/journal.log`)
.sweeps/<name>/lease           locked while a run of this sweep is alive
.sweeps/<name>/<UTC time>/     one study: outbox.jsonl, model.h5, report.html; tracking_uri, storage where configured
mlflow.db, mlruns/             MLflow's record, where a bare `mlflow ui` looks for it
"""

import glob
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from experiments.errors import InputError
from experiments.mlflow_connection import sqlite_uri
from experiments.whole_file import write_durably
from sweeps.configuration.config_file import expand_uri
from sweeps.execution.contract import WORKER_DATA_PREFIX
from sweeps.storage.database import open_database
from sweeps.storage.journal import Journal


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

    def study_folder(self, study_name: str) -> Path:
        """Folder of one study, `<name>/<UTC time>`."""
        return self.root / study_name

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
    def lease(self, sweep_name: str) -> Iterator[None]:
        """Be the only run of this sweep here; the operating system releases it however the process ends.

        Raises:
            LeaseHeldError: Another run holds it.
        """
        folder = self.root / sweep_name
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = FileLock(folder / "lease", timeout=0.5)  # `is_leased` may hold it for a moment
        try:
            lock.acquire()
        except Timeout:
            raise LeaseHeldError(
                f"{sweep_name}: another run of this sweep is alive in {self.directory}. One run at a time keeps the "
                "record true; wait for it (python -m sweeps status), or give this one another sweep.name."
            ) from None
        try:
            _remove_leftovers(folder)
            yield
        finally:
            lock.release()

    def is_leased(self, sweep_name: str) -> bool:
        """Whether a run of this sweep is alive here."""
        try:
            with FileLock(self.root / sweep_name / "lease", timeout=0):
                return False
        except Timeout:
            return True

    def keep_tracking_uri(self, study_name: str, uri: str | None) -> None:
        """Remember where a study's facts go, for `sync`: as configured, variables not expanded."""
        file = self._tracking_uri_file(study_name)
        if uri is not None:
            write_durably(file, uri.encode())
        else:
            file.unlink(missing_ok=True)

    def kept_tracking_uri(self, study_name: str) -> str | None:
        """What was kept; None is the default."""
        try:
            return self._tracking_uri_file(study_name).read_text("utf-8")
        except FileNotFoundError:
            return None

    def tracking_uri(self, study_name: str) -> str:
        """Where a study's facts go: what was kept, expanded, or the database that a bare `mlflow ui` shows."""
        kept = self.kept_tracking_uri(study_name)
        if kept is not None:
            return expand_uri(kept, "[tracking] uri")
        return sqlite_uri(self.directory.resolve() / "mlflow.db")

    def _tracking_uri_file(self, study_name: str) -> Path:
        return self.study_folder(study_name) / "tracking_uri"

    def outboxes(self) -> list[tuple[str, Path]]:
        """(study, its outbox) of every study that was recorded here."""
        paths = sorted(self.root.glob("*/*/outbox.jsonl"))
        return [(f"{path.parent.parent.name}/{path.parent.name}", path) for path in paths]

    def new_study_name(self, sweep_name: str) -> str:
        """`<name>/<UTC time>`, not used here before."""
        while True:
            name = f"{sweep_name}/{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
            if not self.study_folder(name).exists():
                return name
            time.sleep(0.1)  # two studies within one second

    def open_storage(self, sweep_name: str, url: str | None) -> BaseStorage:
        """The storage at `url`, or the journal of the sweep, whose lease must be held.

        Raises:
            InputError: The storage cannot be opened.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)  # its lines would repeat ours
        if url is None:
            return Journal(self.journal(sweep_name))
        return open_database(url)

    def keep_storage(self, study_name: str, url: str | None) -> None:
        """Remember where a study is, for `status` and the like: as configured, variables not expanded."""
        if url is not None:
            folder = self.study_folder(study_name)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(folder / "storage", url.encode())  # half of it would be another address

    def storages(self, sweep_name: str | None = None) -> list[BaseStorage]:
        """The storages of the studies of this folder (of one sweep), for reading: no lease is needed.

        Raises:
            InputError: A database cannot be opened.
        """
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        kept = self.root.glob(f"{_pattern(sweep_name)}/*/storage")
        urls = {expand_uri(path.read_text("utf-8"), "[study] storage") for path in kept}
        return [*self.journals(sweep_name), *(open_database(url) for url in sorted(urls))]

    def journals(self, sweep_name: str | None = None) -> list[BaseStorage]:
        """The journals among `storages`."""
        paths = sorted(self.root.glob(f"{_pattern(sweep_name)}/journal.log"))
        return [JournalStorage(JournalFileBackend(str(path))) for path in paths]


def _pattern(sweep_name: str | None) -> str:
    return "*" if sweep_name is None else glob.escape(sweep_name)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed run of this sweep left behind and no other run will ever look at."""
    for page in folder.glob("*/.report.html.*.new"):
        page.unlink(missing_ok=True)
    for pattern in (f"*/{WORKER_DATA_PREFIX}*", "*/.model.h5.*"):
        for directory in folder.glob(pattern):
            shutil.rmtree(directory, ignore_errors=True)
    for link in folder.glob("journal.log.lock*.rename"):  # Optuna's lock, between its two steps of letting go
        link.unlink(missing_ok=True)
