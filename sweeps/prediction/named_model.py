"""A model by any of its names: a file, a study of this folder, or what MLflow calls it."""

import os
from pathlib import Path

from experiments.errors import InputError, listed, nearest
from experiments.model import Model
from experiments.model_lookup import ModelName, fetch_model
from experiments.pyfunc import MODEL_FILE
from sweeps.storage.workspace import Workspace


def find_model(name: str, workspace: Workspace, tracking_uri: str | None = None) -> Model:
    """The model that somebody means.

    Args:
        name: A model.h5 or the folder of one; an alias (`cats@candidate`), a version (`cats/3`) or a run's id in
            MLflow; a study of this folder, or a sweep for its newest study that has a model.
        workspace: Where the studies are.
        tracking_uri: Of MLflow; None is where the sweep's studies of this folder are recorded, else this folder's
            mlflow.db, else what MLFLOW_TRACKING_URI says.
    Raises:
        InputError: There is no such model, or it is of another format version.
        WeightsFileError: The file is missing, damaged or no model.
    """
    path = Path(name).expanduser()
    for file in (path, path / "model.h5", path / MODEL_FILE):
        if file.is_file():
            return Model.load(file)
    if path.suffix == ".h5":
        return Model.load(path)  # which says that there is none
    in_mlflow = ModelName.parse(name)
    if in_mlflow is not None:
        return fetch_model(in_mlflow, tracking_uri or _tracking_uri(workspace, in_mlflow.registered))
    return Model.load(_file_of_study(workspace, name))


def _tracking_uri(workspace: Workspace, sweep: str) -> str:
    studies = _studies(workspace, sweep) or _studies(workspace)
    if studies:
        return workspace.tracking_uri(studies[-1])
    own = workspace.tracking_uri("")
    if (workspace.directory / "mlflow.db").exists():
        return own
    return os.environ.get("MLFLOW_TRACKING_URI") or own


def _file_of_study(workspace: Workspace, name: str) -> Path:
    studies = _studies(workspace)
    meant = [study for study in studies if name in (study, study.partition("/")[0])]
    files = [workspace.study_folder(study) / "model.h5" for study in meant]
    with_model = [file for file in files if file.is_file()]
    if with_model:
        return with_model[-1]
    if meant:
        raise InputError(
            f"{name}: has no model yet.",
            "The winner of a finished study is kept; this one was interrupted, or no trial succeeded.",
            "Type: python -m sweeps status",
        )
    known = [*studies, *(f"{sweep}@candidate" for sweep in {study.partition("/")[0] for study in studies})]
    raise InputError(
        f"{name}: no such file, and no such study in {workspace.root}.{nearest(name, known)}",
        "A model is a model.h5, a study, or in MLflow an alias (cats@candidate), a version (cats/3) or a run's id.",
        f"Here are: {listed(known[-10:], 10)}." if known else "Change to the folder the sweep was run in.",
    )


def _studies(workspace: Workspace, sweep: str = "") -> list[str]:
    """Names of the studies of this folder (of one sweep), by the time they began."""
    folders = [path for path in workspace.root.glob("*/*") if path.is_dir()]
    names = [f"{folder.parent.name}/{folder.name}" for folder in sorted(folders, key=lambda folder: folder.name)]
    return [name for name in names if sweep in ("", name.partition("/")[0])]
