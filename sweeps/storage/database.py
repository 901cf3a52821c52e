"""A storage in a database, by its URL: how it is opened, and how its loss is told."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, get_storage

from experiments.error_text import in_one_line, mask_password, root_cause
from experiments.errors import InputError

SECONDS_TO_CONNECT = 10
_DRIVERS = {"postgresql": "psycopg[binary]", "mysql": "pymysql", "mariadb": "pymysql"}
_FIXES = {
    r"password|authentication|Access denied|role .* does not exist": (
        "Correct the user, or the variable that holds the password: export NAME=..."
    ),
    r"database .* does not exist|Unknown database": "Create it (createdb NAME), or correct its name.",
    r"refused|resolve|not known|time ?d? ?out|No such file|unreachable": "Start the server, or correct host and port.",
}
"""What to do about a driver's words; elsewhere, the URL is to be corrected."""


class StorageLostError(InputError):
    """The database stopped answering; the sweep ends here, and continues from here."""


def open_database(url: str) -> BaseStorage:
    """The storage at a URL whose variables are expanded.

    Raises:
        InputError: No such driver, no such database, wrong password, no answer.
    """
    with _explained(url):
        return get_storage(RDBStorage(url, engine_kwargs={"pool_pre_ping": True, "connect_args": _options(url)}))


def check_database(url: str) -> None:
    """Connect to it and write nothing.

    Raises:
        InputError: As `open_database`.
    """
    import sqlalchemy  # which a sweep without a database has no use for

    with _explained(url):
        engine = sqlalchemy.create_engine(url, connect_args=_options(url), poolclass=sqlalchemy.NullPool)
        file = Path(engine.url.database or "") if engine.dialect.name == "sqlite" else None
        if file is None or file.is_file() or not file.parent.is_dir():  # else SQLite would make the file
            engine.connect().close()


def _options(url: str) -> dict[str, int]:
    return {"connect_timeout": SECONDS_TO_CONNECT} if url.partition(":")[0].partition("+")[0] in _DRIVERS else {}


@contextmanager
def _explained(url: str) -> Iterator[None]:
    dialect, _, driver = url.partition(":")[0].partition("+")
    try:
        yield
    except ImportError as error:
        package = driver if driver not in ("", "psycopg") else _DRIVERS.get(dialect, f"a driver of {dialect}")
        missing = in_one_line(error.__cause__ or error)
        is_mysql = dialect in ("mysql", "mariadb") and not driver
        raise InputError(
            f"[study] storage {mask_password(url)}: its driver is not installed ({missing}).",
            "A database is reached through a Python package; 'sweeps[postgres]' brings PostgreSQL's.",
            f"Type: pip install '{package}'" + (f", and write {dialect}+pymysql:// in the URL." if is_mysql else ""),
        ) from error
    except Exception as error:  # any driver's own: all of them mean that this URL does not work
        reason = in_one_line(root_cause(error))
        raise InputError(
            f"[study] storage {mask_password(url)}: cannot be opened ({reason}).",
            "It must be the URL of a database that answers, such as postgresql+psycopg://user:${PASSWORD}@host/name.",
            next((fix for pattern, fix in _FIXES.items() if re.search(pattern, reason)), "Correct the URL."),
        ) from error


@contextmanager
def answering(url: str | None) -> Iterator[None]:
    """What is done inside needs the database at `url`, if it is one.

    Raises:
        StorageLostError: It stopped answering.
    """
    try:
        yield
    except StorageInternalError as error:
        if url is None:
            raise
        raise StorageLostError(
            f"[study] storage {mask_password(url)}: stopped answering ({in_one_line(root_cause(error))}).",
            "Everything stored so far is safe in it; training cannot continue without it.",
            "When it answers again, type the same command to continue.",
        ) from error
