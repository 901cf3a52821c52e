"""A delivery that is killed, and what of it is in MLflow."""

from tests.support.sql import query


class Killed(BaseException):
    """Stops the delivery where a kill would: no handler of ours or MLflow's catches it."""


def tags_of(uri: str, run_name: str) -> dict[str, str]:
    """The tags of a run."""
    return dict(query(uri, f"SELECT t.key, t.value FROM tags t JOIN runs USING (run_uuid) WHERE name = '{run_name}'"))  # noqa: S608
