"""Where artifacts lie beside a SQLite database, and what is done when somebody moves or copies both.

MLflow 3.17 keeps the absolute address of the files of each experiment, run, logged model and version. After `mv` of a
folder it looks for all of them at the old place, and makes that anew to write there. Ours lie beside the database, so
where they are now is known, and the addresses follow.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

_ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_BUSY_SECONDS = 10.0


def place_beside(database: Path, experiment: str) -> str:
    """The URI of the folder of an experiment's artifacts: `mlruns/<experiment>`, of which two may share one."""
    folder = re.sub(r"[^\w.-]+", "_", experiment)[:100].strip(".") or "_"
    return (database.resolve().parent / "mlruns" / folder).as_uri()


def moved_from(database: Path) -> list[str]:
    """Folders (URIs) in which an MLflow database says that its artifacts are, though they have come here with it.

    Only addresses that `place_beside` may have given count. Files that are still there, and not here, are left there:
    only the database was moved.

    Raises:
        sqlite3.Error: The database cannot be read.
    """
    if not database.is_file():
        return []
    with closing(_opened(database)) as connection:
        if not _has(connection, "experiments", "artifact_location"):
            return []
        rows = connection.execute("SELECT name, artifact_location FROM experiments").fetchall()
    folders: set[str] = set()
    for name, address in rows:
        here = place_beside(database, name)
        before, _, experiment = (address or "").rpartition("/mlruns/")
        is_elsewhere = address != here and before.startswith("file:") and here.endswith(f"/mlruns/{experiment}")
        if is_elsewhere and (_path(here).exists() or not _path(address).exists()):
            folders.add(before)
    return sorted(folders)


def follow(database: Path) -> list[str]:
    """Let the addresses of artifacts that were moved with their database follow, all or none; see `moved_from`.

    Returns:
        The folders (URIs) that they spoke of; none where nothing was to be done.
    Raises:
        sqlite3.Error: The database cannot be read or written.
    """
    folders = moved_from(database)
    if not folders:
        return []
    now = f"{database.resolve().parent.as_uri()}/mlruns/"
    with closing(_opened(database)) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        for table, column in _ADDRESSES:
            if not _has(connection, table, column):  # of an older MLflow
                continue
            change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"  # noqa: S608
            for then in (f"{folder}/mlruns/" for folder in folders):
                connection.execute(change, (now, len(then) + 1, len(then), then))
    return folders


def _opened(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(database, timeout=_BUSY_SECONDS)


def _has(connection: sqlite3.Connection, table: str, column: str) -> bool:
    return any(row[1] == column for row in connection.execute(f"PRAGMA table_info({table})"))


def _path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))
