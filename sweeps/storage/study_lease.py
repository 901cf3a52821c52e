"""The lease of a study in a database, which other machines reach too.

The lease of a working directory (`sweeps.storage.workspace`) keeps two runs in one folder apart; this one does it for
all that share the database. No clocks are compared: it is a text that its holder changes every few seconds.
"""

import platform
import threading
import uuid
from types import TracebackType
from typing import Self

from optuna.exceptions import StorageInternalError

from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.workspace import LeaseHeldError, Workspace

BEAT_SECONDS = 5.0
"""A lease is renewed so often; one that has not changed for three times as long was left by a process that died."""


class StudyLease:
    """Be the only writer of a study in a database, as long as entered.

    A study whose lease does not change for a while is taken over; whoever notices that another has it, stops.

    Args:
        study: The study.
        place: Machine and folder; a lease of this same place was left by a process that died, since the folder's own
            lease is ours.

    Raises:
        LeaseHeldError: On entering: another run is alive.
    """

    def __init__(self, study: StoredStudy, place: str) -> None:
        self._study = study
        self._place = place
        self._token = uuid.uuid4().hex
        self._n_beats = 0
        self._is_lost = False
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="study-lease", daemon=True)

    def __enter__(self) -> Self:
        found = self._read()
        if found and not found.endswith(f" {self._place}"):
            self._ends.wait(3 * BEAT_SECONDS)
            if self._read() != found:
                raise self._held()
        self._beat()
        if found:
            self._ends.wait(BEAT_SECONDS / 5)  # another that takes it over at this moment has written by then
            if not self._is_ours():
                raise self._held()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.join()
        try:
            if self._is_ours():
                self._study.set_attribute("lease", "")
        except StorageInternalError:
            if error is None:
                raise

    def check(self) -> None:
        """Raise LeaseHeldError if another run has taken the study over, while this one was not running."""
        if self._is_lost:
            raise self._held()

    def _run(self) -> None:
        while not self._ends.wait(BEAT_SECONDS):
            try:
                if not self._is_ours():
                    self._is_lost = True
                    return
                self._beat()
            except StorageInternalError:
                continue  # the coordinator notices it when it has something to write

    def _beat(self) -> None:
        self._n_beats += 1
        self._study.set_attribute("lease", f"{self._token} {self._n_beats} {self._place}")

    def _read(self) -> str:
        return self._study.attributes.lease

    def _is_ours(self) -> bool:
        return self._read().startswith(self._token)

    def _held(self) -> LeaseHeldError:
        place = self._read().partition(" ")[2].partition(" ")[2]
        return LeaseHeldError(
            f"{self._study.name}: another run of this sweep is alive ({place}). One run at a time keeps the record "
            "true; wait for it, or give this one another sweep.name, or start afresh with --new."
        )


def place_of(workspace: Workspace) -> str:
    """Machine and folder.

    A machine is its name and the address of its network hardware: clones have one name and one `/etc/machine-id`.
    """
    address = uuid.getnode()
    is_made_up = bool(address >> 40 & 1)  # where there is no hardware; then it is another one in each process
    machine = platform.node() if is_made_up else f"{platform.node()}-{address:012x}"
    return f"{machine}:{workspace.directory.resolve()}"
