"""Studies of a working directory, seen from outside: which there are, how far they are."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from experiments.errors import InputError, nearest
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.workspace import Workspace
from sweeps.trials.stored_trial import best_trial


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """How far one study is; its state is RUNNING, INTERRUPTED (the same command continues it), FINISHED or FAILED."""

    name: str
    state: str
    started: str
    n_ended: int
    n_trials: int
    best_value: float | None

    def to_dict(self) -> dict[str, Any]:
        """For `status --json`."""
        return asdict(self)


def all_studies(workspace: Workspace, sweep_name: str | None = None) -> list[StoredStudy]:
    """All studies of the folder (of one sweep), in the order in which they began.

    A database may hold others too, and a journal those whose folder somebody deleted.
    """
    studies = [
        study
        for storage in workspace.storages(sweep_name)
        for study in StoredStudy.all_of(storage, sweep_name)
        if workspace.study_folder(study.name).path.exists()
    ]
    return sorted(studies, key=lambda study: (study.name.rpartition("/")[2], study.attributes.started_at))


def find_study(workspace: Workspace, name: str | None) -> StoredStudy:
    """The study of this name, or the newest of the sweep of this name, or the newest of all.

    Raises:
        InputError: There is none.
    """
    studies = (name and all_studies(workspace, name.partition("/")[0])) or all_studies(workspace)
    if not studies:
        raise InputError(
            f"{workspace.root}: no study here.", "Studies are kept where they were run.", "Type: python -m sweeps run"
        )
    if name is None:
        return studies[-1]
    for study in reversed(studies):
        if name in (study.name, study.attributes.name):
            return study
    names = [study.name for study in studies]
    raise InputError(
        f"{name}: no such study.{nearest(name, names)}", f"Here are: {', '.join(names[-5:])}.", "Name one of them."
    )


def study_statuses(workspace: Workspace, name: str | None) -> tuple[list[StudyStatus], list[InputError]]:
    """Status of one study, or of all of the folder by the time they began; and what keeps others from being read.

    Raises:
        InputError: There is no study of this name, or it cannot be read.
    """
    if name is not None:
        return [_status(workspace, find_study(workspace, name))], []
    studies: list[StoredStudy] = []
    unreadable: dict[str, InputError] = {}  # sweeps may share a database that does not answer
    for sweep_name in workspace.sweep_names():
        try:
            studies += all_studies(workspace, sweep_name)
        except InputError as error:
            unreadable[str(error)] = error
    studies.sort(key=lambda study: study.attributes.started_at)
    return [_status(workspace, study) for study in studies], list(unreadable.values())


def state_now(workspace: Workspace, study: StoredStudy) -> str:
    """FINISHED, FAILED (no trial succeeded), RUNNING, or INTERRUPTED: not ended, and nobody is at work on it here."""
    if study.has_ended:
        return study.attributes.state
    return "RUNNING" if workspace.is_leased(study.attributes.name) else "INTERRUPTED"


def _status(workspace: Workspace, study: StoredStudy) -> StudyStatus:
    attributes, trials = study.attributes, study.leaderboard()
    best = best_trial(trials)
    return StudyStatus(
        name=study.name,
        state=state_now(workspace, study),
        started=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(attributes.started_at)),
        n_ended=sum(trial.state.is_finished() for trial in trials),
        n_trials=attributes.n_trials,
        best_value=None if best is None else best.value,
    )
