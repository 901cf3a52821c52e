"""Studies taken away everywhere: first from MLflow, then from their storage, then their folders.

Each step can be repeated. What a kill leaves is a study that MLflow has forgotten, or a folder that no storage knows;
the next time goes on with it. The holder of the sweep's lease does it, so that no run is at work on one.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from optuna.storages import JournalStorage

from experiments.errors import InputError, how_many
from experiments.facts import SweepFinished
from experiments.outbox import Outbox
from experiments.registry import registered_name
from experiments.retention import InMlflow, kept_studies
from sweeps.results.status import all_studies
from sweeps.retention.pruned import Pruned, Removed
from sweeps.retention.rule import Retention
from sweeps.storage.journal import rewrite_without
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_folder import StudyFolder
from sweeps.storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class _Ended:
    """A study that may go: it has ended, and MLflow has everything.

    Attributes:
        run_id: Of its run in MLflow.
        ended_at: Unix time, seconds.
    """

    folder: StudyFolder
    stored: StoredStudy | None
    run_id: str
    ended_at: float


@dataclass(frozen=True, slots=True)
class _Found:
    """The studies of a sweep: those that have ended, and why others stay whatever the retention says."""

    ended: list[_Ended] = field(default_factory=list)
    stays: dict[str, str] = field(default_factory=dict)


def prune(
    workspace: Workspace, name: str | None, retention: Retention | None, *, is_dry: bool, now: float | None = None
) -> Pruned:
    """Remove what the retention does not reach, of one sweep or of all; or one study.

    Args:
        name: Of a sweep, or of a study, which needs no retention; None is all sweeps.
        is_dry: Only say what would go.
        now: Unix time, seconds; None is the clock's.
    Raises:
        InputError: There is no such sweep or study; the study must stay; MLflow does not answer.
        LeaseHeldError: A run of the sweep is alive.
    """
    sweep_name = None if name is None else name.partition("/")[0]
    names = sorted({folder.sweep_name for folder in workspace.study_folders(sweep_name)})
    is_study = name is not None and "/" in name
    if name is not None and (not names or (is_study and not workspace.study_folder(name).path.is_dir())):
        here = sorted({folder.sweep_name for folder in workspace.study_folders()})
        raise InputError(
            f"{name}: no such {'study' if is_study else 'sweep'} in {workspace.root}.",
            f"Here are the sweeps {', '.join(here) or '(none)'}.",
            "Name one of them, or none for all. See their studies: python -m sweeps status",
        )
    pruned = Pruned(is_dry=is_dry)
    for each in names:
        if sweep_name is None and workspace.is_leased(each):
            pruned.stays[each] = "a run of it is alive"
            continue
        with workspace.lease(each):
            if is_study:
                assert name is not None
                pruned += prune_study(workspace, name, is_dry=is_dry)
            else:
                assert retention is not None
                pruned += prune_sweep(workspace, each, retention, is_dry=is_dry, now=now)
    return pruned


def prune_sweep(
    workspace: Workspace, sweep_name: str, retention: Retention, *, is_dry: bool = False, now: float | None = None
) -> Pruned:
    """Remove the studies of a sweep that the retention does not reach; its lease must be held. See `prune`."""
    found = _studies(workspace, sweep_name)
    ends = [study.ended_at for study in found.ended]
    since = retention.reaches_back_to(ends, time.time() if now is None else now)
    outside = [study for study in found.ended if study.ended_at < since]
    return _remove(workspace, sweep_name, outside, since, is_dry=is_dry)


def prune_at_the_end(workspace: Workspace, sweep_name: str, retention: Retention, say: Callable[[str], None]) -> None:
    """`prune_sweep` at the end of a run, which it must not fail: what keeps it from being done is said."""
    if retention.keeps_everything:
        return
    try:
        pruned = prune_sweep(workspace, sweep_name, retention)
    except (InputError, OSError) as error:
        say(f"[retention]: nothing is removed tonight. {error}")
        return
    if pruned.removed:
        say(f"[retention]: {pruned.in_short()}")


def prune_study(workspace: Workspace, study_name: str, *, is_dry: bool = False) -> Pruned:
    """Remove one study; its sweep's lease must be held.

    Raises:
        InputError: It must stay. See `prune`.
    """
    sweep_name = study_name.partition("/")[0]
    found = _studies(workspace, sweep_name)
    chosen = [study for study in found.ended if study.folder.study_name == study_name]
    pruned = _remove(workspace, sweep_name, chosen, time.time(), is_dry=is_dry)
    for why in (found.stays.get(study_name), pruned.stays.get(study_name)):
        if why is not None:
            raise InputError(
                f"{study_name}: stays, {why}.",
                "What is champion, is named by an alias, has not ended or is not wholly in MLflow is never removed.",
                f"Name another study, or make another version champion first: python -m sweeps history {sweep_name}",
            )
    return pruned


def _studies(workspace: Workspace, sweep_name: str) -> _Found:
    stored = {study.name: study for study in all_studies(workspace, sweep_name)}
    found = _Found()
    for folder in workspace.study_folders(sweep_name):
        study = stored.get(folder.study_name)
        try:
            outbox = Outbox(folder.outbox)
            finish = outbox.last_finish()
        except InputError as error:
            found.stays[folder.study_name] = f"its record is damaged ({error.what})"
            continue
        if why := _why_unfinished(study, finish, outbox):
            found.stays[folder.study_name] = why
            continue
        assert finish is not None
        assert outbox.run_id is not None
        found.ended.append(_Ended(folder, study, outbox.run_id, finish.ended_at))
    return found


def _why_unfinished(study: StoredStudy | None, finish: SweepFinished | None, outbox: Outbox) -> str:
    """Why a study stays, whatever its age; "" where it may go."""
    if study is not None and study.attributes.lease:
        return "a run has it in its database"
    if finish is None or outbox.is_open or finish.state == "KILLED" or not (study is None or study.has_ended):
        return "it was interrupted, and the same command continues it"
    if outbox.n_pending or outbox.run_id is None:
        return f"{how_many(outbox.n_pending, 'fact of it is', 'facts of it are')} not in MLflow yet"
    return ""


def _remove(workspace: Workspace, sweep_name: str, studies: Iterable[_Ended], since: float, *, is_dry: bool) -> Pruned:
    pruned = Pruned(is_dry=is_dry)
    by_uri: dict[str, list[_Ended]] = {}
    for study in studies:
        by_uri.setdefault(workspace.tracking_uri(study.folder), []).append(study)
    going: list[_Ended] = []
    for uri, those in by_uri.items():
        with kept_studies(uri, registered_name(sweep_name)) as mlflow:
            in_use = mlflow.in_use(since)
            for study in those:
                name = study.folder.study_name
                if name in in_use:
                    pruned.stays[name] = in_use[name]
                    continue
                there = mlflow.look(study.run_id) if is_dry else mlflow.forget(study.run_id)
                pruned.removed.append(_removed(study, there))
                going.append(study)
    if going and not is_dry:
        pruned.n_bytes_of_journal += forget_in_storage(
            workspace, sweep_name, [s.stored for s in going if s.stored is not None]
        )
        for study in going:
            study.folder.remove()
    return pruned


def _removed(study: _Ended, there: InMlflow) -> Removed:
    here = sum(file.stat().st_size for file in study.folder.path.rglob("*") if file.is_file())
    n_trials = 0 if study.stored is None else len(study.stored.trials)
    return Removed(
        study.folder.study_name, study.ended_at, n_trials, there.n_versions, there.n_runs, here + there.n_bytes
    )


def forget_in_storage(workspace: Workspace, sweep_name: str, studies: Iterable[StoredStudy]) -> int:
    """Take studies out of the journal and out of databases; by how many bytes the journal became shorter.

    The sweep's lease must be held.
    """
    in_journal = set()
    for study in studies:
        if isinstance(study.storage, JournalStorage):
            in_journal.add(study.name)
        else:
            study.storage.delete_study(study.study_id)
    journal = workspace.journal(sweep_name)
    if not in_journal:
        return 0
    before = journal.stat().st_size
    rewrite_without(journal, in_journal)
    return before - journal.stat().st_size
