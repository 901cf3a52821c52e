"""What MLflow keeps of a study, taken away for good; and which studies must stay because their models are in use.

Versions go first, then the logged models that they name, then the trials' runs, the study's own run last: a kill in
between leaves nothing that points to what is gone, and whoever repeats it finds what is left by the study's run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from experiments.mlflow_connection import quiet_logging, sqlite_file
from experiments.model_lookup import asked
from experiments.promotion.champion import VERDICT, champion_in, only_mover, registered_or_none
from experiments.promotion.history import CHAMPION, moves_in, reigns, version_before
from experiments.registry import STUDY

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Run
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

_N_PER_PAGE = 1000


@dataclass(frozen=True, slots=True)
class InMlflow:
    """How much of a study MLflow keeps.

    Attributes:
        n_bytes: Of its files, as far as they are on this machine; what a database holds is not counted.
    """

    n_versions: int = 0
    n_runs: int = 0
    n_bytes: int = 0


class KeptStudies:
    """The studies of a sweep's name in one MLflow, while nobody moves the alias `champion`; from `kept_studies`."""

    def __init__(self, client: MlflowClient, tracking_uri: str, name: str) -> None:
        self._client = client
        self._name = name
        self._store = _store_of_file(tracking_uri)

    def in_use(self, since: float) -> dict[str, str]:
        """Studies that must stay, and why: an alias names their model, or it was champion after `since`.

        Args:
            since: Unix time, seconds.
        """
        registered = registered_or_none(self._client, self._name)
        if registered is None:
            return {}
        reasons: dict[str, str] = {}
        for version, why in _versions_in_use(registered, since).items():
            study = self._study_of(version)
            if study:
                reasons.setdefault(study, f"its model, version {version}, {why}")
        return reasons

    def run_of(self, experiment: str, study: str) -> str | None:
        """The id of a study's run, where its outbox cannot say it any more; None where there is none."""
        found = self._client.get_experiment_by_name(experiment)
        if found is None:
            return None
        condition = f"tags.`sweeps.kind` = 'study' and tags.`{STUDY}` = '{study}'"
        runs = self._client.search_runs([found.experiment_id], condition, max_results=1)
        return runs[0].info.run_id if runs else None

    def look(self, run_id: str) -> InMlflow:
        """What there is of a study, by its run."""
        return self._counted(*self._parts(run_id))

    def forget(self, run_id: str) -> InMlflow:
        """Take a study's models, files and runs away; a server keeps them, deleted, until its operator types
        `mlflow gc`."""
        versions, models, runs = self._parts(run_id)
        counted = self._counted(versions, models, runs)
        for version in versions:
            if VERDICT in version.tags:  # MLflow 3.17 keeps the row of a deleted version, and its tags
                self._client.delete_model_version_tag(version.name, version.version, VERDICT)
            self._client.delete_model_version(version.name, version.version)
        for model in models:
            if self._store is None:
                self._client.delete_logged_model(model.model_id)
            else:
                _remove_files(model.artifact_location)
                self._store._hard_delete_logged_model(model.model_id)
        for run in runs:
            if self._store is not None:
                _remove_files(run.info.artifact_uri)
                self._store._hard_delete_run(run.info.run_id)
            elif run.info.lifecycle_stage == "active":
                self._client.delete_run(run.info.run_id)
        return counted

    def _study_of(self, version: str) -> str:
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client.get_model_version(self._name, version).tags.get(STUDY, ""))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # a person deleted it
                raise
            return ""

    def _parts(self, run_id: str) -> tuple[list[ModelVersion], list[LoggedModel], list[Run]]:
        """Versions, logged models and runs, in the order in which they are to go; all empty where all are gone."""
        from mlflow.entities import ViewType
        from mlflow.exceptions import MlflowException

        try:
            parent = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return [], [], []
        experiments = [parent.info.experiment_id]
        versions = list(self._client.search_model_versions(f"run_id = '{run_id}'"))
        models = list(self._client.search_logged_models(experiments, f"source_run_id = '{run_id}'"))
        condition, trials, token = f"tags.`mlflow.parentRunId` = '{run_id}'", [], None
        while True:
            page: Any = self._client.search_runs(
                experiments, condition, ViewType.ALL, max_results=_N_PER_PAGE, page_token=token
            )
            trials += page
            token = page.token
            if not token:
                return versions, models, [*trials, parent]

    def _counted(self, versions: list[ModelVersion], models: list[LoggedModel], runs: list[Run]) -> InMlflow:
        places = [model.artifact_location for model in models] + [run.info.artifact_uri for run in runs]
        return InMlflow(len(versions), len(runs), sum(map(_size, places)))


@contextmanager
def kept_studies(tracking_uri: str, name: str) -> Iterator[KeptStudies]:
    """What MLflow has of a registered model's name; meanwhile nobody on this machine moves the alias `champion`.

    Raises:
        InputError: MLflow does not answer.
    """
    with quiet_logging(), asked(tracking_uri) as client, only_mover(tracking_uri):
        yield KeptStudies(client, tracking_uri, name)


def _versions_in_use(registered: RegisteredModel, since: float) -> dict[str, str]:
    """Versions that must stay, and why, the strongest reason first."""
    champion, moves = champion_in(registered), moves_in(registered.tags)
    named = {} if not champion else {champion: f"is {CHAMPION}"}
    for alias, version in sorted(registered.aliases.items()):
        named.setdefault(str(version), f"is {alias}")
    for reign in reigns(moves, champion):
        if reign.until is None or reign.until >= since:
            named.setdefault(reign.version, "was champion within the retention")
    before = version_before(moves)
    return named if before is None else {**{before: "is what `rollback` goes back to"}, **named}


def _store_of_file(tracking_uri: str) -> Any:  # noqa: ANN401  # MLflow's are untyped
    """What takes things out of a SQLite database for good, as `mlflow gc` does; None for other stores."""
    if sqlite_file(tracking_uri) is None:
        return None
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(tracking_uri, "mlruns")  # type: ignore[no-untyped-call]  # the root is for new experiments


def _remove_files(uri: str) -> None:
    """Remove the artifacts at a place, and on this machine the folder that is empty then."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    get_artifact_repository(uri).delete_artifacts()  # type: ignore[no-untyped-call]
    if (folder := _local(uri)) is not None:
        with suppress(OSError):
            folder.parent.rmdir()


def _size(uri: str) -> int:
    """Bytes of the files at a place, where it is a folder of this machine."""
    folder = _local(uri)
    return 0 if folder is None else sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _local(uri: str) -> Path | None:
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None
