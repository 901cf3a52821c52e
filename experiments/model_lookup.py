"""A model that MLflow keeps, found by what people call it: an alias, a version or a run.

Only our own file, model.h5, is fetched and read; nothing that lies beside it is executed.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from experiments.error_text import in_one_line, mask_password, root_cause
from experiments.errors import InputError, listed, nearest
from experiments.mlflow_connection import connect, prepare_environment, quiet_logging, sqlite_file
from experiments.model import Model
from experiments.pyfunc import MODEL_FILE
from experiments.registry import DIGEST, registered_name

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion, RegisteredModel

T = TypeVar("T")
_ALIAS = re.compile(r"(?P<name>[^@]+)@(?P<alias>[\w-]+)")
_VERSION = re.compile(r"(?P<name>.+)/(?P<version>\d+)")
_RUN_ID = re.compile(r"[0-9a-f]{32}")
_URI = re.compile(r"models:/+(?P<model>.+)|runs:/+(?P<run>[0-9a-f]{32})(/+(?P<logged>[^/]*)/*)?")


@dataclass(frozen=True, slots=True)
class ModelName:
    """How a person named a model: by the alias or version of a registered model, or by the run that made it.

    Fields that were not named are "".

    Attributes:
        logged: Which of the run's models, by the name that it is logged under; "" for the recommended one.
    """

    registered: str = ""
    alias: str = ""
    version: str = ""
    run_id: str = ""
    logged: str = ""

    @classmethod
    def parse(cls, text: str) -> ModelName | None:
        """Parse `cats@candidate`, `cats/3`, a run's id (32 digits) or MLflow's URI of one of them; None for others."""
        uri = _URI.fullmatch(text)
        text = (uri["model"] or uri["run"]) if uri else text
        if _RUN_ID.fullmatch(text):
            return cls(run_id=text, logged=(uri["logged"] or "") if uri else "")
        if match := _ALIAS.fullmatch(text):
            return cls(registered_name(match["name"]), alias=match["alias"])
        if match := _VERSION.fullmatch(text):
            return cls(registered_name(match["name"]), version=match["version"])
        return None


def fetch_model(name: ModelName, tracking_uri: str) -> Model:
    """Load a model from MLflow.

    Raises:
        InputError: MLflow cannot be reached, has no such model, alias, version or run, or the model is not one of ours.
        WeightsFileError: The file that MLflow keeps is damaged.
    """
    prepare_environment()
    with quiet_logging(), tempfile.TemporaryDirectory() as folder:
        return Model.load(_download(name, tracking_uri, Path(folder)))


@contextmanager
def asked(tracking_uri: str, otherwise: str = "Try again when it does.") -> Iterator[MlflowClient]:
    """A client of a store that is there; what goes wrong in the block, without being an input error, is its failure.

    Args:
        otherwise: What to do when it does not answer.
    Raises:
        InputError: There is no such store, or it cannot be reached.
    """
    place = mask_password(tracking_uri)
    database = sqlite_file(tracking_uri)
    if database is not None and not database.is_file():
        raise InputError(
            f"{place}: there is no such database.",
            "MLflow's record is in mlflow.db, in the folder where the sweep was run.",
            "Change to that folder, or name it: --tracking-uri sqlite:////path/to/mlflow.db",
        )
    try:
        yield connect(tracking_uri)
    except InputError:
        raise
    except Exception as error:  # from MLflow, SQLAlchemy, requests or the operating system
        raise InputError(
            f"{place}: cannot be reached ({in_one_line(root_cause(error))}).",
            "The tracking server must answer, with credentials in MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD or in MLFLOW_TRACKING_TOKEN if it wants any.",
            otherwise,
        ) from error


def _download(name: ModelName, tracking_uri: str, folder: Path) -> Path:
    place = mask_password(tracking_uri)
    with asked(tracking_uri, "Try again when it does, or name the file: .sweeps/<sweep>/<time>/model.h5") as client:
        find = _location_of_run if name.run_id else _location_of_version
        location = find(client, name, place)
    try:
        return _downloaded(location, tracking_uri, folder)
    except Exception as error:  # the artifact store is a system of its own, with errors of its own
        raise InputError(
            f"{location}: {MODEL_FILE} cannot be fetched ({in_one_line(root_cause(error))}).",
            "A model that a sweep logged has this file.",
            "Name a model of a sweep, or check whether its files are still there.",
        ) from error


def registered_model(client: MlflowClient, name: str, place: str) -> RegisteredModel:
    """A registered model.

    Raises:
        InputError: There is none of this name.
    """
    registered = _found(lambda: client.get_registered_model(name))
    if registered is None:
        names = [model.name for model in client.search_registered_models(max_results=1000)]
        raise InputError(
            f"{name}: no registered model of this name in {place}.{nearest(name, names)}",
            f"Registered models: {listed(names, 10) or 'none'}.",
            "Name one of them, or another store with --tracking-uri.",
        )
    return registered


def model_version(client: MlflowClient, name: str, version: str) -> ModelVersion:
    """A version of a registered model.

    Raises:
        InputError: There is none of this number.
    """
    found = _found(lambda: client.get_model_version(name, version))
    if found is None:
        raise _no_such_version(client, name, version)
    return found


def _location_of_version(client: MlflowClient, name: ModelName, place: str) -> str:
    """Where the files of a version of a registered model are."""
    registered = registered_model(client, name.registered, place)
    version = name.version
    if name.alias:
        aliases = registered.aliases
        if name.alias not in aliases:
            raise InputError(
                f"{name.registered}@{name.alias}: no such alias.{nearest(name.alias, aliases)}",
                f"{name.registered} has the aliases {listed(sorted(aliases)) or '(none)'}.",
                "Name one of them, or a version: "
                f"{name.registered}/{max((v.version for v in registered.latest_versions), default=1)}",
            )
        version = str(aliases[name.alias])
    location = _found(lambda: client.get_model_version_download_uri(name.registered, version))
    if location is None:
        raise _no_such_version(client, name.registered, version)
    return location


def _no_such_version(client: MlflowClient, name: str, version: str) -> InputError:
    versions = sorted(int(v.version) for v in client.search_model_versions(f"name = '{name}'"))
    return InputError(
        f"{name}/{version}: no such version.",
        f"{name} has the versions {listed(versions[-10:], 10) or '(none)'}.",
        "Name one of them.",
    )


def _location_of_run(client: MlflowClient, name: ModelName, place: str) -> str:
    """Where the files of a model that a study's run logged are: the one that was named, else the recommended one."""
    run_id = name.run_id
    run = _found(lambda: client.get_run(run_id))
    if run is None:
        raise InputError(
            f"{run_id}: no run of this id in {place}.",
            "A model is named by the run of its study, as MLflow shows it.",
            "Check the id, or name another store with --tracking-uri.",
        )
    logged = client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'")
    if not logged:
        parent = run.data.tags.get("mlflow.parentRunId")
        raise InputError(
            f"{run_id}: the run {run.info.run_name} has no model.",
            "The winner of a finished study has one; a trial has none.",
            f"Name the study's run: {parent}" if parent else "Finish the sweep: python -m sweeps run",
        )
    meant = [model for model in logged if name.logged in ("", model.name)]
    if not meant:
        names = sorted({model.name for model in logged})
        raise InputError(
            f"{name.logged}: the run {run.info.run_name} has no model of this name.{nearest(name.logged, names)}",
            f"It has {listed(names)}.",
            f"Name one of them: runs:/{run_id}/{names[0]}",
        )
    recommended = run.data.tags.get(DIGEST, "").partition(" ")[0]  # none before the delivery is complete
    best = max(meant, key=lambda model: (model.tags.get(DIGEST) == recommended, model.creation_timestamp))
    location: str = best.artifact_location
    return location


def _found(call: Callable[[], T]) -> T | None:
    from mlflow.exceptions import MlflowException

    try:
        return call()
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _downloaded(location: str, tracking_uri: str, folder: Path) -> Path:
    from mlflow.artifacts import download_artifacts

    return Path(
        download_artifacts(
            f"{location}/{MODEL_FILE}", dst_path=str(folder), tracking_uri=tracking_uri, registry_uri=tracking_uri
        )
    )
