"""The journal of a sweep's studies: Optuna's journal file, made durable once per decision instead of once per line.

Optuna's own back end waits for the disk after every line, and a trial has about seven. A line that was written survives
a kill of this process in any case; waiting for the disk is for power cuts, and there it is enough that lines reach it
in order and that whoever relies on them says `sync` first.

Each line ends in a checksum, an item that Optuna reads over. Lines without one, of earlier releases or a dashboard,
count as long as they are operations of Optuna's. What is done about damage is in `journal_damage.py`.
"""

import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend, JournalFileSymlinkLock

from engine.checksum import Checksum, checksum_of_line, line_with_checksum
from engine.durable_file import sync, write_durably
from sweeps.storage.journal_damage import JournalDamagedError, mended

_NO_OPERATION = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What Optuna raises for a line of JSON that is none of its operations, and what our own check raises."""


class Journal(JournalStorage):
    """A journal file, opened for writing by the only run of its sweep: the lease must be held.

    Args:
        path: The file. What a kill left behind its last whole line is cut off.
        say: Told what became of a newest study that is damaged; see `journal_damage.mended`.
    Raises:
        JournalDamagedError: Other studies than the newest would be lost.
    """

    def __init__(self, path: Path, say: Callable[[str], None] = lambda text: None) -> None:
        _cut_torn_line(path)
        _remove_stale_lock(path)
        try:
            self._open(path)
        except JournalDamagedError as damage:
            if damage.lost:
                raise
            say(mended(damage))
            self._open(path)

    def _open(self, path: Path) -> None:
        self._file = JournalFile(path)
        with self._file.damage_told():
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
    old, lines = read_journal(path), _Lines()
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


def read_journal(path: Path) -> JournalStorage:
    """A journal for reading: no lease is needed.

    Raises:
        JournalDamagedError: A line is damaged.
    """
    file = JournalFile(path)
    with file.damage_told():
        return JournalStorage(file)


class JournalFile(JournalFileBackend):
    """Optuna's back end, which checks each line, writes at once and waits for the disk in `sync` only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._other_writers = JournalFileSymlinkLock(str(path))  # a dashboard's notes
        super().__init__(str(path), self._other_writers)
        self._n_read = 0
        self._line_start = self._end = 0  # byte offsets of the last line that was read
        self._is_synced = False
        self._has_durable_name = False  # it may be new

    @contextmanager
    def damage_told(self) -> Iterator[None]:
        """The whole file is read inside; what is wrong with a line becomes a JournalDamagedError."""
        try:
            yield
        except _NO_OPERATION as error:
            raise JournalDamagedError(self._path, self._n_read, self._line_start) from error

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any]]:
        """As the interface says: the lines from this number on, each an operation; they are asked for in order.

        Raises:
            ValueError: A line is damaged.
        """
        if log_number_from != self._n_read:
            self._n_read = self._end = 0
        with self._path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # as of now; a dashboard may go on
            file.seek(self._end)
            while self._end < size and (line := file.readline()).endswith(b"\n"):
                self._n_read, self._line_start, self._end = self._n_read + 1, self._end, self._end + len(line)
                if self._n_read > log_number_from:
                    yield _operation(line)

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
            sync(self._path.parent)
            self._has_durable_name = True
        sync(self._path)
        self._is_synced = True


def _operation(line: bytes) -> dict[str, Any]:
    if checksum_of_line(line) is Checksum.DIFFERS:
        raise ValueError("its checksum does not fit")
    operation = json.loads(line)
    if not isinstance(operation, dict):
        raise ValueError("no operation")
    return operation


def _as_line(log: dict[str, Any]) -> str:
    return line_with_checksum(json.dumps(log, separators=(",", ":"))) + "\n"


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
