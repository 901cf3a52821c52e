"""MLflow's SQLite database as it is when it is new, kept for the next time in a folder of this user alone.

    ~/.cache/sweeps/mlflow/KEY.db.gz    schema and revision, without the experiment "Default"

MLflow makes it in some thirty migrations, 1.5 s of a core; a copy takes 10 ms. KEY names the version of MLflow and its
migrations, gzip carries a checksum, and whoever opens the copy as MLflow's store has the revision checked: so the file
is right, or it is made again. A cache that cannot be written costs time and no more.
"""

import gzip
import os
import sqlite3
import zlib
from contextlib import closing, suppress
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from engine.durable_file import write_durably
from experiments.user_cache import user_cache


def kept_empty_database() -> bytes | None:
    """The file's content, for the installed MLflow; None where there is none, or it is damaged or somebody else's."""
    try:
        file = _file()
        is_ours = file.stat().st_uid == os.getuid()
        return (gzip.decompress(file.read_bytes()) or None) if is_ours else None
    except (OSError, EOFError, zlib.error, RuntimeError):  # gzip's own error is an OSError
        return None


def keep_empty_database(database: Path) -> None:
    """Keep what a database has that MLflow has just made."""
    with closing(sqlite3.connect(":memory:")) as copy:
        with closing(sqlite3.connect(database)) as source:
            source.backup(copy)
        copy.execute("DELETE FROM experiments")  # of "Default", whose place and time are the database's own
        copy.commit()
        copy.execute("VACUUM")
        content = copy.serialize()
    with suppress(OSError, RuntimeError):
        write_durably(_file(), gzip.compress(content, mtime=0))


def _file() -> Path:
    """Raises OSError or RuntimeError as `user_cache` does."""
    migrations = sorted(file.name for file in (files("mlflow.store.db_migrations") / "versions").iterdir())
    digest = sha256("\n".join(migrations).encode()).hexdigest()[:12]
    return user_cache("mlflow") / f"{version('mlflow')}-{digest}.db.gz"
