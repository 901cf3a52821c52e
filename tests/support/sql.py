"""SQLite databases, asked without the libraries that write them."""

import sqlite3
from typing import Any


def query(uri: str, sql: str) -> list[tuple[Any, ...]]:
    """Straight from the database: no layer of MLflow's or Optuna's between the assertion and the rows."""
    connection = sqlite3.connect(uri.removeprefix("sqlite:///"))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()
