"""A model by any of its names: a file, a study of this folder, or what MLflow calls it."""

from pathlib import Path

from experiments.errors import InputError, listed, nearest
from experiments.model import Model
from experiments.model_lookup import ModelName, fetch_model
from experiments.outbox import Outbox
from experiments.pyfunc import MODEL_FILE
from sweeps.storage.study_folder import StudyFolder
from sweeps.storage.workspace import Workspace


def find_model(name: str, workspace: Workspace, tracking_uri: str | None = None) -> Model:
    """The model that somebody means.

    Args:
        name: A model.h5 or the folder of one; an alias (`cats@candidate`), a version (`cats/3`) or a run's id in
            MLflow; a study of this folder, or a sweep for its newest study that has a model. Of a study's two models
            the recommended one is meant.
        workspace: Where the studies are.
        tracking_uri: Which MLflow to ask; None is the one that this folder's studies of the sweep are recorded in,
            else this folder's mlflow.db, else the one that MLFLOW_TRACKING_URI names.
    Raises:
        InputError: There is no such model, or it is of another format version.
        WeightsFileError: The file is missing, damaged or no model.
    """
    path = Path(name).expanduser()
    for file in (path, _recommended(StudyFolder(path)), path / MODEL_FILE):
        if file.is_file():
            return Model.load(file)
    if path.suffix == ".h5":
        return Model.load(path)  # which says that there is none
    in_mlflow = ModelName.parse(name)
    if in_mlflow is not None:
        return fetch_model(in_mlflow, tracking_uri or workspace.tracking_uri_of(in_mlflow.registered))
    return Model.load(_file_of_study(workspace, name))


def _recommended(folder: StudyFolder) -> Path:
    """Where the model is that the study's last success recommends; the winner if there is no record of one."""
    end = Outbox(folder.outbox).last_success() if folder.outbox.is_file() else None
    if end is None or end.ensemble_file is None or end.recommended == "winner":
        return folder.model
    return folder.path / end.ensemble_file


def _file_of_study(workspace: Workspace, name: str) -> Path:
    folders = workspace.study_folders()
    meant = [folder for folder in folders if name in (folder.study_name, folder.sweep_name)]
    with_model = [folder for folder in meant if folder.model.is_file()]
    if with_model:
        return _recommended(with_model[-1])
    if meant:
        raise InputError(
            f"{name}: has no model yet.",
            "The winner of a finished study is kept; this one was interrupted, or no trial succeeded.",
            "Type: python -m sweeps status",
        )
    known = [folder.study_name for folder in folders]
    known += [f"{sweep}@candidate" for sweep in {folder.sweep_name for folder in folders}]
    raise InputError(
        f"{name}: no such file, and no such study in {workspace.root}.{nearest(name, known)}",
        "A model is a model.h5, a study, or in MLflow an alias (cats@candidate), a version (cats/3) or a run's id.",
        f"Here are: {listed(known[-10:], 10)}." if known else "Change to the folder the sweep was run in.",
    )
