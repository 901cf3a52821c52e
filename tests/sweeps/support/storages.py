"""The kinds of storage that a study may be in, each in a place where it can be opened again."""

from pathlib import Path

from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage

from sweeps.storage.journal import Journal
from sweeps.storage.stored_study import StoredStudy


class Memory:
    """Not durable: 'opened again' is the same object."""

    def __init__(self, directory: Path) -> None:
        self.storage = InMemoryStorage()

    def open(self) -> BaseStorage:
        return self.storage


class InJournal:
    """A file in the folder."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "journal.log"

    def open(self) -> BaseStorage:
        return Journal(self.path)


class Sqlite:
    """A database in the folder."""

    def __init__(self, directory: Path) -> None:
        self.url = f"sqlite:///{directory / 'optuna.db'}"

    def open(self) -> BaseStorage:
        return RDBStorage(self.url)


STORAGES = (Memory, InJournal, Sqlite)
Place = Memory | InJournal | Sqlite


def reopened(place: Place) -> StoredStudy:
    """The one study of the sweep `small`, as another process would see it."""
    (stored,) = StoredStudy.all_of(place.open(), "small")
    return stored
