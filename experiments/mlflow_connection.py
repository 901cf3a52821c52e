"""A quiet, impatient connection to an MLflow tracking store, and the experiment in it.

Importing this file is light; MLflow is imported by `connect`, which takes seconds.
"""

import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from filelock import FileLock

from experiments.artifact_places import follow, place_beside
from experiments.empty_database import keep_empty_database, kept_empty_database

if TYPE_CHECKING:
    from mlflow import MlflowClient

# What we prefer where the user's environment says nothing: fail fast, because `delivery.py` retries with patience,
# and leave the user's terminal and network alone.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_UV_AUTO_DETECT": "false",  # a uv.lock in the working directory is not our model's
}
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}  # otherwise MLflow's pages speak of GenAI
_NO_HOME = "/nonexistent"  # Debian's name for the home of those who have none; nobody finds or writes anything there
_SQLITE = "sqlite:///"
_CHATTY_LOGGERS = ("mlflow", "sqlalchemy.engine", "alembic", "urllib3.connectionpool")
_quiet = threading.local()


def prepare_environment() -> None:
    """Set MLflow's environment variables to what we prefer, where the user has set nothing."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        Path.home()
    except RuntimeError:  # no HOME and no passwd entry, as in a container: MLflow 3.17 would end at its import
        os.environ["HOME"] = _NO_HOME


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Keep what MLflow and the libraries under it log in this thread off the user's terminal.

    They log a traceback for every failed attempt; our caller reports the failure itself, in one line.
    """
    before = getattr(_quiet, "is_on", False)
    _quiet.is_on = True
    try:
        yield
    finally:
        _quiet.is_on = before


def connect(tracking_uri: str) -> "MlflowClient":
    """A new client for `tracking_uri`; MLflow's global state is not touched.

    Raises:
        Exception: The store cannot be reached; raised by MLflow, SQLAlchemy or the operating system.
    """
    prepare_environment()
    from mlflow import MlflowClient

    _install_quiet_filter()
    if not is_database(tracking_uri):
        return MlflowClient(tracking_uri, _registry_of(tracking_uri))
    _check_database(tracking_uri)
    # Two processes that create the schema of one empty database at the same time break each other's migration.
    with FileLock(lock_file(tracking_uri), mode=0o600):
        if tracking_uri.startswith(_SQLITE):
            _create_database(_database_path(tracking_uri))
            follow(_database_path(tracking_uri))
        return MlflowClient(tracking_uri, _registry_of(tracking_uri))


def _registry_of(tracking_uri: str) -> str | None:
    """Models are registered where their runs are, whatever MLFLOW_REGISTRY_URI says; Databricks has two registries."""
    return None if tracking_uri.startswith("databricks") else tracking_uri


def find_or_create_experiment(client: "MlflowClient", tracking_uri: str, name: str) -> str:
    """The id of the experiment of this name. If it was deleted in MLflow, it is restored and its record continues."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            experiment_id: str = client.create_experiment(name, artifact_location(tracking_uri, name), EXPERIMENT_TAGS)
            return experiment_id
        except MlflowException:
            experiment = client.get_experiment_by_name(name)  # somebody was faster
            if experiment is None:
                raise
    if experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
    found: str = experiment.experiment_id
    return found


def artifact_location(tracking_uri: str, experiment: str) -> str | None:
    """Where a new experiment keeps its artifacts: beside a SQLite database, else where the server says.

    MLflow's own default is ./mlruns of whichever process happens to create the experiment; an absolute path beside
    the database is found again by a bare `mlflow ui` and by ourselves from any directory. Runs have folders of their
    own below it, so two experiments may share one.
    """
    if not tracking_uri.startswith(_SQLITE):
        return None
    return place_beside(_database_path(tracking_uri), experiment)


def sqlite_uri(path: Path) -> str:
    """The URI of a SQLite store in the file `path`.

    Only what SQLAlchemy would misread is quoted, because MLflow makes the URI's folder before it is unquoted.
    """
    return _SQLITE + str(path).replace("%", "%25").replace("?", "%3F")


def sqlite_file(tracking_uri: str) -> Path | None:
    """The file of a SQLite store; None for other stores."""
    return _database_path(tracking_uri) if tracking_uri.startswith(_SQLITE) else None


def is_database(tracking_uri: str) -> bool:
    """Whether MLflow opens the store itself; others are servers, which are asked for everything."""
    return tracking_uri.partition(":")[0].partition("+")[0] in {"sqlite", "postgresql", "mysql", "mssql"}


def _database_path(uri: str) -> Path:
    return Path(unquote(uri.removeprefix(_SQLITE).partition("?")[0]))


def _create_database(path: Path) -> None:
    """Give a new database its schema before it has its name.

    MLflow migrates an empty database in some thirty steps over seconds. A kill between two of them leaves tables that
    every later attempt trips over ("table trace_info already exists"), so this happens in a file that may be lost. What
    the migrations made once is copied from then on.
    """
    if path.exists() and path.stat().st_size > 0:
        return
    copied = path.with_name(f".{path.name}.copy.new")
    content = kept_empty_database()
    if content is not None and _is_taken(content, copied, path):
        copied.replace(path)
        return
    migrated = path.with_name(f".{path.name}.new")  # another name: MLflow keeps what it has opened by its name
    _fill(migrated, path)
    keep_empty_database(migrated)
    migrated.replace(path)


def _is_taken(content: bytes, unfinished: Path, path: Path) -> bool:
    """Whether MLflow takes this content of a new database for its own; then it is in the file."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        _fill(unfinished, path, content)
    except (MlflowException, SQLAlchemyError):
        _remove(unfinished)
        return False
    return True


def _fill(unfinished: Path, path: Path, content: bytes = b"") -> None:
    """Let MLflow make what `content` lacks of a database that is to be at `path`."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    _remove(unfinished)
    unfinished.write_bytes(content)
    # MLflow's client would put the working directory into SQL as it is, which an apostrophe in it ends.
    SqlAlchemyStore(sqlite_uri(unfinished), (path.parent.resolve() / "mlruns").as_uri())  # type: ignore[no-untyped-call]


def _remove(unfinished: Path) -> None:
    for leftover in unfinished.parent.glob(f"{unfinished.name}*"):  # and SQLite's own journal of it
        leftover.unlink()


def lock_file(tracking_uri: str, purpose: str = "") -> Path:
    """Beside a SQLite database; for a server, where other processes of this user on this machine look for it too."""
    suffix = f".{purpose}.lock" if purpose else ".lock"
    if tracking_uri.startswith(_SQLITE):
        database = _database_path(tracking_uri)
        return database.with_name(f".{database.name}{suffix}")
    digest = sha256(tracking_uri.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"sweeps-{os.getuid()}-{digest}{suffix}")


def _check_database(tracking_uri: str) -> None:
    """Fail now if the database cannot be opened: MLflow 3.17 would retry for 100 seconds."""
    import sqlalchemy

    if tracking_uri.startswith(_SQLITE):
        _database_path(tracking_uri).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(tracking_uri, poolclass=sqlalchemy.NullPool)
    engine.connect().close()


class _QuietFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(_quiet, "is_on", False)


_QUIET_FILTER = _QuietFilter()


def _install_quiet_filter() -> None:
    """Install it on loggers and on handlers: a logger's filter does not see what its children log."""
    for name in _CHATTY_LOGGERS:
        logger = logging.getLogger(name)
        logger.addFilter(_QUIET_FILTER)
        for handler in logger.handlers:
            handler.addFilter(_QUIET_FILTER)
