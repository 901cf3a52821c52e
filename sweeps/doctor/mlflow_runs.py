"""The folder's own MLflow database: whether the installed MLflow can use it, and runs that nobody is at work on."""

from collections.abc import Iterator

from experiments.artifact_places import follow, moved_from
from experiments.delivery import deliver
from experiments.errors import InputError
from experiments.mlflow_connection import sqlite_file
from experiments.outbox import Outbox
from experiments.running_runs import studies_shown_as_running
from experiments.schema import schema_of
from sweeps.doctor.finding import Finding, Verdict, for_a_person, mendable
from sweeps.storage.workspace import Workspace


def about_mlflow(workspace: Workspace, *, has_to_mend: bool) -> Iterator[Finding]:
    """Findings in `mlflow.db` of the folder; a server is its operator's, and may hold other people's runs."""
    uri = workspace.tracking_uri()
    file = sqlite_file(uri)
    if file is None or not file.is_file():
        return
    try:
        schema = schema_of(uri)
    except InputError as error:
        yield for_a_person(str(file), error)
        return
    if schema.is_behind:
        what = f"was made by an older MLflow (schema {schema.found}, MLflow {schema.mlflow} wants {schema.wanted})."
        fix = f"Copy the file, then type: mlflow db upgrade {uri}"
        yield Finding(str(file), what, Verdict.PERSON, fix)
        return
    if schema.is_ahead:
        what = f"was made by a newer MLflow (schema {schema.found}, which MLflow {schema.mlflow} does not know)."
        yield Finding(str(file), what, Verdict.PERSON, "Type: pip install --upgrade mlflow")
        return
    if folders := moved_from(file):
        what = f"says that files beside it are still in {', '.join(folders)}, from where they were moved or copied."
        yield mendable(str(file), what, is_mended=has_to_mend and bool(follow(file)))
        if not has_to_mend:
            return  # whoever asks MLflow lets them follow
    for study, n_runs in sorted(studies_shown_as_running(uri).items()):
        yield from _about_running(workspace, study, n_runs, has_to_mend=has_to_mend)


def _about_running(workspace: Workspace, study: str, n_runs: int, *, has_to_mend: bool) -> Iterator[Finding]:
    folder = workspace.study_folder(study)
    if not folder.outbox.exists():
        what = f"MLflow shows {n_runs} of its runs as running; its folder is not here, so it may be alive elsewhere."
        yield Finding(study, what, Verdict.NOTE)
        return
    if workspace.is_leased(folder.sweep_name):
        return
    try:
        outbox = Outbox(folder.outbox)
        if outbox.n_pending or outbox.is_open:
            return  # found among the studies; a machine that shares its database may have taken it over
        if has_to_mend:
            outbox.forget_delivered()  # MLflow has forgotten too; saying everything again makes nothing twice
            deliver(outbox, workspace.tracking_uri(folder))
    except InputError:
        return  # found among the studies
    what = f"has ended, and MLflow shows {n_runs} of its runs as running."
    yield mendable(study, what, is_mended=has_to_mend and not outbox.n_pending)
