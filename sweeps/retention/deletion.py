"""One study deleted because somebody says so: its trials, its folder and, when asked, what MLflow has of it.

A retention takes only what has ended and is wholly in MLflow; here a person knows what they delete, so an interrupted
or damaged record is no reason to keep it. What is in use stays all the same.
"""

import time

from experiments.errors import InputError, nearest
from experiments.mlflow_connection import sqlite_file
from experiments.outbox import Outbox
from experiments.registry import registered_name
from experiments.retention import InMlflow, kept_studies
from sweeps.retention.pruned import Pruned, Removed
from sweeps.retention.pruning import forget_in_storage
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.workspace import LeaseHeldError, Workspace


def delete(workspace: Workspace, name: str, *, with_runs: bool, is_dry: bool) -> Pruned:
    """Delete a study of this folder, also one whose folder is gone already and whose trials are still stored.

    Args:
        name: `<name>/<UTC time>`.
        with_runs: Its runs, curves and models in MLflow, too.
        is_dry: Only say what would go.
    Raises:
        InputError: There is no such study; a run of its sweep is alive; its model is named by an alias or is what
            `rollback` goes back to, or MLflow does not say; its journal is damaged.
    """
    sweep_name = name.partition("/")[0]
    if sweep_name not in workspace.sweep_names():  # a lease would make a folder of this name
        raise _no_such(workspace, name, [])
    try:
        with workspace.lease(sweep_name):
            return _delete(workspace, name, with_runs=with_runs, is_dry=is_dry)
    except LeaseHeldError:
        raise InputError(
            f"{name}: a run of {sweep_name} is alive.",
            "A study is deleted while no run of its sweep is at work.",
            f"Wait for it, or stop it: python -m sweeps status {sweep_name}",
        ) from None


def _delete(workspace: Workspace, name: str, *, with_runs: bool, is_dry: bool) -> Pruned:
    sweep_name = name.partition("/")[0]
    folders = {folder.study_name: folder for folder in workspace.study_folders(sweep_name)}
    storages = workspace.storages(sweep_name)
    stored = {study.name: study for storage in storages for study in StoredStudy.all_of(storage, sweep_name)}
    folder, study = folders.get(name), stored.get(name)
    if folder is None and study is None:
        raise _no_such(workspace, name, sorted({*folders, *stored}))
    if study is not None and study.attributes.lease:
        raise InputError(
            f"{name}: a run has it in its database.",
            "A study is deleted while no run is at work on it.",
            "Wait for that run; what a dead one of this folder left: python -m sweeps doctor --fix",
        )
    n_bytes = 0 if folder is None else sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file())
    there = _in_mlflow(workspace, name, with_runs=with_runs, is_dry=is_dry)
    n_trials = 0 if study is None else len(study.trials)
    removed = Removed(name, time.time(), n_trials, there.n_versions, there.n_runs, n_bytes + there.n_bytes)
    pruned = Pruned(is_dry, [removed])
    if not is_dry:
        if study is not None:
            pruned.n_bytes_of_journal = forget_in_storage(workspace, sweep_name, [study])
        if folder is not None:
            folder.remove()
    return pruned


def _in_mlflow(workspace: Workspace, name: str, *, with_runs: bool, is_dry: bool) -> InMlflow:
    """What goes of the study in MLflow, or would go; nothing unless asked.

    Raises:
        InputError: It is in use, or MLflow does not say.
    """
    folder = workspace.study_folder(name)
    uri = workspace.tracking_uri(folder)
    database = sqlite_file(uri)
    if database is not None and not database.exists():
        return InMlflow()
    with kept_studies(uri, registered_name(folder.sweep_name)) as mlflow:
        if (why := mlflow.in_use(time.time()).get(name)) is not None:
            raise InputError(
                f"{name}: stays, {why}.",
                "A study whose model is named by an alias, or is what `rollback` goes back to, is never deleted.",
                f"Make another version champion first: python -m sweeps history {folder.sweep_name}",
            )
        run_id = _run_id(Outbox(folder.outbox)) or mlflow.run_of(folder.sweep_name, name)
        if not with_runs or run_id is None:
            return InMlflow()
        return mlflow.look(run_id) if is_dry else mlflow.forget(run_id)


def _run_id(outbox: Outbox) -> str | None:
    try:
        return outbox.run_id
    except InputError:  # a damaged record does not say
        return None


def _no_such(workspace: Workspace, name: str, names: list[str]) -> InputError:
    here = (
        f"Here are {', '.join(names[-5:])}." if names else f"Here are the sweeps {', '.join(workspace.sweep_names())}."
    )
    return InputError(
        f"{name}: no such study in {workspace.root}.{nearest(name, names)}",
        here if names or workspace.sweep_names() else "There is none here.",
        "Name one study, <sweep>/<time> (python -m sweeps status); several at once go by: python -m sweeps prune",
    )
