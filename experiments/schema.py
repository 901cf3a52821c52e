"""Which version of its schema an MLflow database has, and which one the installed MLflow wants."""

from dataclasses import dataclass
from importlib.resources import files

from experiments.error_text import in_one_line, mask_password, root_cause
from experiments.errors import InputError
from experiments.mlflow_connection import prepare_environment, quiet_logging


@dataclass(frozen=True, slots=True)
class Schema:
    """Attributes: revision found, the one that is wanted, all that the installed MLflow knows, and its version."""

    found: str | None
    wanted: str
    known: frozenset[str]
    mlflow: str

    @property
    def is_ahead(self) -> bool:
        """Whether the installed MLflow does not know the revision."""
        return self.found is not None and self.found not in self.known

    @property
    def is_behind(self) -> bool:
        """Whether it is one of an older MLflow; an empty database is not."""
        return self.found is not None and self.found in self.known and self.found != self.wanted


def schema_of(tracking_uri: str) -> Schema:
    """Of a database; it is read, and nothing is written.

    Raises:
        InputError: It cannot be read.
    """
    prepare_environment()
    with quiet_logging():
        import mlflow
        import sqlalchemy
        from alembic.migration import MigrationContext
        from alembic.script import ScriptDirectory

        try:
            engine = sqlalchemy.create_engine(tracking_uri, poolclass=sqlalchemy.NullPool)
            with engine.connect() as connection:
                found = MigrationContext.configure(connection).get_current_revision()
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise InputError(
                f"{mask_password(tracking_uri)}: cannot be read ({in_one_line(root_cause(error))}).",
                "It must be the database of an MLflow.",
                "Restore the file from a backup, or move it away: the studies and their outboxes are in .sweeps, and "
                "`python -m sweeps sync --tracking-uri URI` delivers what is pending to another.",
            ) from error
        scripts = ScriptDirectory(str(files("mlflow.store.db_migrations")))
        head = scripts.get_current_head()
        assert head is not None, "MLflow has migrations"
        known = frozenset(script.revision for script in scripts.walk_revisions())
        return Schema(found, head, known, mlflow.__version__)
