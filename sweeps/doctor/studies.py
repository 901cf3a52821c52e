"""The studies of one sweep on this disk: trials nobody trains, what a kill left behind, files that are damaged."""

from collections.abc import Iterator

from optuna.trial import TrialState

from engine.errors import WeightsFileError
from experiments.delivery import deliver
from experiments.errors import InputError, how_many
from experiments.model import Model
from experiments.outbox import Outbox
from sweeps.doctor.finding import Finding, Verdict, for_a_person, mendable
from sweeps.recording.record import close_record
from sweeps.results.status import all_studies
from sweeps.storage.journal_damage import JournalDamagedError, mended
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_folder import StudyFolder
from sweeps.storage.study_lease import place_of
from sweeps.storage.workspace import Workspace
from sweeps.trials.stored_trial import TrialNotes


def about_sweep(workspace: Workspace, sweep_name: str, *, has_to_mend: bool) -> Iterator[Finding]:
    """Findings of one sweep that no run is at work on; to mend, its lease must be held."""
    journal = workspace.journal(sweep_name)
    try:
        if journal.exists():
            workspace.journals(sweep_name)
    except JournalDamagedError as damage:
        if not has_to_mend:
            yield Finding(str(journal), f"{damage.what} {damage.allowed}", Verdict.MENDABLE, damage.fix)
            return
        yield Finding(str(journal), mended(damage), Verdict.MENDED)
    if workspace.half_removed(sweep_name):  # whoever takes the lease goes on with it
        yield mendable(sweep_name, "studies were being removed when that was killed.", is_mended=False)
    if has_to_mend and journal.exists():
        workspace.open_storage(sweep_name, None)  # cuts a torn last line, as a run does
    try:
        studies = {study.name: study for study in all_studies(workspace, sweep_name)}
    except InputError as error:  # of a database
        yield for_a_person(sweep_name, error)
        return
    yield from _about_trials_without_folder(workspace, sweep_name)
    folders = workspace.study_folders(sweep_name)
    for folder in folders:
        study = studies.get(folder.study_name)
        if study is not None and (elsewhere := _held_elsewhere(workspace, study)):
            what = f"the database says that a run at {elsewhere} has it, so it is left alone."
            yield Finding(study.name, what, Verdict.NOTE)
            continue
        if study is not None:
            yield from _about_study(folder, study, is_newest=folder == folders[-1], has_to_mend=has_to_mend)
        yield from _about_record(workspace, folder, has_to_mend=has_to_mend)
        yield from _about_models(folder)


def _about_trials_without_folder(workspace: Workspace, sweep_name: str) -> Iterator[Finding]:
    for journal in workspace.journals(sweep_name):
        for study in StoredStudy.all_of(journal, sweep_name):
            if not workspace.study_folder(study.name).path.exists():
                what = (
                    "its folder was removed, and its "
                    f"{how_many(len(study.trials), 'trial is', 'trials are')} still in the journal."
                )
                yield Finding(study.name, f"{what} To remove them: python -m sweeps delete {study.name}", Verdict.NOTE)


def _about_study(folder: StudyFolder, study: StoredStudy, *, is_newest: bool, has_to_mend: bool) -> Iterator[Finding]:
    running = [trial for trial in study.trials if not trial.state.is_finished()]
    if not study.has_ended:
        what = (
            f"interrupted, {how_many(len(running), 'trial was', 'trials were')} running. "
            "The command that began it continues it."
        )
        yield Finding(study.name, what, Verdict.NOTE)
    elif running:
        if has_to_mend:
            notes = TrialNotes(reason="The sweep ended without it.", is_interrupted=True)
            for trial in running:
                trial_id = study.storage.get_trial_id_from_study_id_trial_number(study.study_id, trial.number)
                for key, value in notes.to_attributes().items():
                    study.storage.set_trial_user_attr(trial_id, key, value)
                study.storage.set_trial_state_values(trial_id, TrialState.FAIL)
            study.sync()
        numbers = ", ".join(str(trial.number) for trial in running)
        what = f"has ended, and trials {numbers} are still said to run; they have failed."
        yield mendable(study.name, what, is_mended=has_to_mend)
    leftovers = [folder.checkpoint] if is_newest else [folder.checkpoint, folder.kept_trials]  # the newest may go on
    if study.has_ended and any(path.exists() for path in leftovers):
        if has_to_mend:
            folder.checkpoint.unlink(missing_ok=True)
            if not is_newest:
                folder.remove_kept_trials()
        yield mendable(study.name, "has ended, and its checkpoints are still there.", is_mended=has_to_mend)
    if study.attributes.lease:
        if has_to_mend:
            study.set_attribute("lease", "")
        what = "its lease in the database was left by a run of this folder that died."
        yield mendable(study.name, what, is_mended=has_to_mend)


def _held_elsewhere(workspace: Workspace, study: StoredStudy) -> str:
    """Machine and folder of another run that has the study in a database, alive or not; "" where there is none."""
    place = study.attributes.lease.partition(" ")[2].partition(" ")[2]
    return "" if place == place_of(workspace) else place


def _about_record(workspace: Workspace, folder: StudyFolder, *, has_to_mend: bool) -> Iterator[Finding]:
    if not folder.outbox.exists():
        return
    outbox = Outbox(folder.outbox)
    if (damage := outbox.damage) is not None:
        if has_to_mend:
            yield Finding(folder.study_name, outbox.mend() or "", Verdict.MENDED)
        else:
            yield Finding(folder.study_name, f"{damage.what} {damage.allowed}", Verdict.MENDABLE, damage.fix)
    try:
        if outbox.is_open:
            if has_to_mend:
                close_record(workspace, folder.study_name)
                outbox.refresh()
            yield mendable(folder.study_name, "was killed, and MLflow shows it as running.", is_mended=has_to_mend)
        n_pending = outbox.n_pending
        if not n_pending:
            return
        error = deliver(outbox, workspace.tracking_uri(folder)).error if has_to_mend else None
    except InputError as error_of_user:
        yield for_a_person(folder.study_name, error_of_user)
        return
    what = f"{how_many(n_pending, 'fact is', 'facts are')} not in MLflow yet."
    if error is None:
        yield mendable(folder.study_name, what, is_mended=has_to_mend)
    else:
        fix = "When MLflow answers again, type: python -m sweeps sync"
        yield Finding(folder.study_name, f"{what} {error}", Verdict.PERSON, fix)


def _about_models(folder: StudyFolder) -> Iterator[Finding]:
    for file in (folder.model, folder.ensemble):
        try:
            if file.exists():
                Model.load(file)
        except (WeightsFileError, OSError) as error:
            yield Finding(
                str(file),
                f"cannot be read ({error}).",
                Verdict.PERSON,
                f"MLflow may have it: python -m sweeps predict {folder.sweep_name}@candidate INPUT; else restore it.",
            )
