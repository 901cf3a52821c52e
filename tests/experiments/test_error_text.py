import sqlite3
from itertools import pairwise

import pytest
import sqlalchemy

from experiments.error_text import in_one_line, mask_password, root_cause


@pytest.mark.parametrize(
    ("uri", "masked"),
    [
        ("postgresql://ada:hunter2@db/mlflow", "postgresql://ada:***@db/mlflow"),
        ("https://ada:p@ss:w@host:5000/x", "https://ada:***@host:5000/x"),
        ("https://:token@host", "https://:***@host"),
        ("postgresql://db/mlflow?user=ada&password=hunter2&x=1", "postgresql://db/mlflow?user=ada&password=***&x=1"),
        ("http://host/?access_token=abc", "http://host/?access_token=***"),
        ("sqlite:////home/a:b/mlflow.db", "sqlite:////home/a:b/mlflow.db"),
        ("https://ada:pa/s?s#w@rd@host:5000/x", "https://ada:***@host:5000/x"),
        ("https://ada:1/2#3@host", "https://ada:***@host"),
        ("postgresql+psycopg://ada:1/2@db/mlflow", "postgresql+psycopg://ada:***@db/mlflow"),
        ("postgresql://ada:x://y@db", "postgresql://ada:***@db"),
        ("://ada:hunter2@db", "://ada:***@db"),
        ("no answer from http://host:5000/a?b, ask ada@example.com", None),
        ("http://host/x:y@z", None),
        ("models:/cats@candidate of http://host:5000", None),
        ("('http://a:b/@c','https://d:e@f','ada@x.org')", "('http://a:***@c','https://d:***@x.org')"),
        ("http://a:b@c,postgresql://d:e/f@g", "http://a:***@c,postgresql://d:***@g"),
        ("could not reach http://a:b@c and http://d:e@f", "could not reach http://a:***@c and http://d:***@f"),
    ],
)
def test_passwords_and_tokens_are_masked(uri: str, masked: str | None):
    assert mask_password(uri) == (uri if masked is None else masked)


def raised(*chain: Exception) -> Exception:
    """The first error, raised from the second, which was raised from the third, and so on."""
    for error, cause in pairwise(chain):
        error.__cause__ = cause
    return chain[0]


def test_the_root_is_what_the_system_said_and_not_what_was_made_of_it():
    refused = ConnectionRefusedError(111, "Connection refused")
    assert root_cause(raised(RuntimeError("API request failed"), OSError("no number"), refused)) is refused
    assert root_cause(raised(refused, ValueError("deeper, and nobody's words"))) is refused
    alone = RuntimeError("alone")
    assert root_cause(alone) is alone


def test_the_root_of_a_database_s_error_is_its_driver_s_own():
    locked = sqlite3.OperationalError("database is locked")
    assert root_cause(raised(RuntimeError("store"), sqlalchemy.exc.OperationalError("SELECT 1", {}, locked))) is locked
    other = Exception("of a driver that nobody here has heard of")
    assert root_cause(raised(RuntimeError("store"), sqlalchemy.exc.DBAPIError("SELECT 1", {}, other))) is other


def test_an_error_is_told_in_one_short_line_without_its_password():
    told = in_one_line(OSError("http://ada:hunter2@host:\n  refused " + "x" * 1000))
    assert told.startswith("OSError: http://ada:***@host: refused xxx")
    assert "\n" not in told
    assert len(told) < 300
