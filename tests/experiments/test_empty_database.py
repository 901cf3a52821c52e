"""A new database is a copy of what MLflow's migrations made once, and never anything else."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from experiments.empty_database import keep_empty_database, kept_empty_database
from experiments.mlflow_connection import connect, sqlite_uri


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sweeps" / "mlflow"


def _schema(database: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master").fetchall()
    return sorted(rows)


def _rows(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows but the times of the experiment "Default"."""
    with closing(sqlite3.connect(database)) as connection:
        tables = [name for kind, name, *_ in _schema(database) if kind == "table"]
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}  # noqa: S608
        found["experiments"] = connection.execute(
            "SELECT experiment_id, name, artifact_location, lifecycle_stage, workspace FROM experiments"
        ).fetchall()
    return found


def test_a_copy_is_what_mlflow_makes_to_the_last_row(empty_store: Path, cache: Path, tmp_path: Path) -> None:
    keep_empty_database(empty_store)
    database = tmp_path / "it's new" / "mlflow.db"
    connect(sqlite_uri(database))
    assert _schema(database) == _schema(empty_store)
    rows, expected = _rows(database), _rows(empty_store)
    assert rows["experiments"] == [(0, "Default", (tmp_path / "it's new/mlruns/0").as_uri(), "active", "default")]
    assert {**rows, "experiments": []} == {**expected, "experiments": []}
    assert len(rows["alembic_version"]) == 1


def test_what_is_kept_is_private_and_holds_no_experiment(empty_store: Path, cache: Path) -> None:
    keep_empty_database(empty_store)
    (file,) = cache.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert cache.stat().st_mode & 0o777 == 0o700
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(gzip.decompress(file.read_bytes()))
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM experiments").fetchone() == (0,)


def test_damage_is_found(empty_store: Path, cache: Path) -> None:
    keep_empty_database(empty_store)
    (file,) = cache.iterdir()
    sound = file.read_bytes()
    whole = kept_empty_database()
    for position in range(10, len(sound), 501):  # before it are gzip's flags and a time that nobody asks for
        file.write_bytes(sound[:position] + bytes([sound[position] ^ 16]) + sound[position + 1 :])
        assert kept_empty_database() in (None, whole)
        file.write_bytes(sound[:position])
        assert kept_empty_database() is None
    file.write_bytes(b"")
    assert kept_empty_database() is None


def test_what_mlflow_does_not_take_is_made_again(empty_store: Path, cache: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    old.write_bytes(empty_store.read_bytes())
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    keep_empty_database(old)
    database = tmp_path / "new" / "mlflow.db"
    connect(sqlite_uri(database))
    names = [(kind, name) for kind, name, *_ in _schema(database)]  # migrations put constraints in any order
    assert names == [(kind, name) for kind, name, *_ in _schema(empty_store)]
    assert _rows(database)["alembic_version"] == _rows(empty_store)["alembic_version"]
    again = tmp_path / "again" / "mlflow.db"
    again.parent.mkdir()
    again.write_bytes(kept_empty_database() or b"")
    assert _rows(again)["alembic_version"] == _rows(empty_store)["alembic_version"]
    assert [file.name for file in database.parent.iterdir() if file.suffix == ".new"] == []


def test_a_cache_that_cannot_be_had_is_done_without(
    empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    keep_empty_database(empty_store)
    assert kept_empty_database() is None
