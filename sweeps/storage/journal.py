"""The journal of a sweep's studies: Optuna's journal file, made durable once per decision instead of once per line.

Optuna's own back end waits for the disk after every line, and a trial has about seven. A line that was written survives
a kill of this process in any case; waiting for the disk is for power cuts, and there it is enough that lines reach it
in order and that whoever relies on them says `sync` first.
"""

import json
import os
import time
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileSymlinkLock

from engine.durable_file import sync, write_durably


class Journal(JournalStorage):
    """A journal file, opened for writing by the only run of its sweep: the lease must be held."""

    def __init__(self, path: Path) -> None:
        _cut_torn_line(path)
        _remove_stale_lock(path)
        self._file = JournalFile(str(path))
        super().__init__(self._file)

    def sync(self) -> None:
        """Return when everything written so far would survive a power cut.

        Raises:
            OSError: The disk does not take it.
        """
        self._file.sync()


def rewrite_without(path: Path, names: Set[str]) -> None:
    """Replace a journal as a whole by one that does not have these studies; a line for each trial of the others.

    Optuna only ever appends, a deleted study too. The lease must be held, and nobody may go on with a `Journal` of it.
    """
    old, lines = JournalStorage(JournalFileBackend(str(path))), _Lines()
    new = JournalStorage(lines)
    for study in old.get_all_studies():
        if study.study_name in names:
            continue
        old_id = old.get_study_id_from_name(study.study_name)
        new_id = new.create_new_study(study.directions, study.study_name)
        for trial in old.get_all_trials(old_id, deepcopy=False):
            new.create_new_trial(new_id, trial)
        for key, value in study.system_attrs.items():
            new.set_study_system_attr(new_id, key, value)
        for key, value in study.user_attrs.items():
            new.set_study_user_attr(new_id, key, value)
    write_durably(path, "".join(map(_as_line, lines.logs)).encode())


class _Lines(BaseJournalBackend):
    """Keeps the lines of a journal that is not a file yet."""

    def __init__(self) -> None:
        self.logs: list[dict[str, Any]] = []

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        return iter(self.logs[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.logs += logs


class JournalFile(JournalFileBackend):
    """Optuna's back end, which writes at once and waits for the disk in `sync` only."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._other_writers = JournalFileSymlinkLock(path)  # a dashboard's notes
        super().__init__(path, self._other_writers)
        self._is_synced = False
        self._has_durable_name = False  # it may be new

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """As the interface says; each log is a line."""
        lines = "".join(map(_as_line, logs))
        self._is_synced = False
        self._other_writers.acquire()
        try:
            with open(self._path, "ab") as file:
                file.write(lines.encode())
        finally:
            self._other_writers.release()

    def sync(self) -> None:
        """See `Journal.sync`."""
        if self._is_synced:
            return
        if not self._has_durable_name:
            sync(os.path.dirname(self._path))
            self._has_durable_name = True
        sync(self._path)
        self._is_synced = True


def _as_line(log: dict[str, Any]) -> str:
    return json.dumps(log, separators=(",", ":")) + "\n"


def _cut_torn_line(journal: Path) -> None:
    """Drop what a kill or a full disk left behind the last whole line; it was never reported as written."""
    if not journal.exists():
        return
    with journal.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        tail_start = max(0, size - 2**20)
        file.seek(tail_start)
        whole = tail_start + file.read().rfind(b"\n") + 1
        if whole < size:
            file.truncate(whole)
            os.fsync(file.fileno())


def _remove_stale_lock(journal: Path) -> None:
    """Remove the lock that a killed process left. Each write holds it for milliseconds; a second proves it stale."""
    lock = journal.with_name(journal.name + ".lock")
    for _ in range(10):
        if not lock.is_symlink():
            return
        time.sleep(0.1)
    lock.unlink(missing_ok=True)
