"""The finished studies of a name, read for what `experiments.drift` compares."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from optuna.trial import FrozenTrial

from engine.objectives import Objective
from experiments.drift.night import ChampionScore, Hyperparameter, Night, Tried
from experiments.errors import InputError, nearest
from experiments.facts import CorrectedCost, SweepFinished
from experiments.outbox import Outbox
from experiments.promotion.verdict import Verdict
from sweeps.configuration.search_space import EnqueuedConfiguration
from sweeps.results.status import all_studies, find_study
from sweeps.search.importances import complete, importances
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_folder import StudyFolder
from sweeps.storage.workspace import Workspace
from sweeps.trials.space import Candidate

LAST = 30
"""Studies that are compared, the newest; what was best long ago is nobody's question tonight."""


@dataclass(frozen=True, slots=True)
class Nights:
    """The studies that can be compared, the oldest first.

    Attributes:
        task: "binary", "multiclass" or "regression"; "" where no record says so.
        left_out: Studies that cannot, with the reason.
    """

    name: str
    objective: Objective
    task: str
    nights: Sequence[Night]
    left_out: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a study's outbox says; empty where it is not in this folder."""

    task: str = ""
    seconds: Mapping[int, float] | None = None
    finish: SweepFinished | None = None


def read_nights(
    workspace: Workspace, name: str, last: int = LAST, until: str = "", finish: SweepFinished | None = None
) -> Nights:
    """The studies of a name that are judged as the newest of them is.

    Args:
        workspace: Where they are.
        name: Of the sweep, or of one of its studies.
        last: How many, at most.
        until: The newest study that counts, whether it has ended or not; "" is the newest that has.
        finish: Its last fact, where that is not written yet.
    Raises:
        InputError: There is no such sweep.
    """
    sweep = _sweep_of(workspace, name)
    studies = [study for study in all_studies(workspace, sweep) if study.attributes.name == sweep]
    if until:
        began = {study.name: study.attributes.started_at for study in studies}
        studies = [study for study in studies if began[study.name] <= began[until]]
    nights: list[Night] = []
    left_out: list[str] = []
    objective, task = "", ""
    for study in reversed(studies):
        attributes = study.attributes
        if not complete(study.trials) or (attributes.state != "FINISHED" and study.name != until):
            left_out.append(f"{study.name} has not come to an end with a complete trial")
            continue
        if objective not in ("", attributes.objective):
            left_out.append(f"{study.name} was judged by {attributes.objective}, not {objective}")
            continue
        folder = workspace.study_folder(study.name)
        try:
            facts = _facts(folder)
            champion = _champion(folder)
        except InputError as damage:
            left_out.append(f"{study.name}: {damage.what}")
            continue
        if facts.task and task not in ("", facts.task):
            left_out.append(f"{study.name} is a task of another kind, {facts.task}, not {task}")
            continue
        objective, task = attributes.objective, task or facts.task
        stopped = finish if study.name == until and finish is not None else facts.finish
        nights.append(_night(study, facts, None if stopped is None else stopped.corrected, champion))
        if len(nights) == last:
            break
    return Nights(sweep, Objective(objective or "cost"), task, nights[::-1], left_out[::-1])


def _sweep_of(workspace: Workspace, name: str) -> str:
    sweep = name.partition("/")[0]
    if any(name in (sweep, study.name) for study in all_studies(workspace, sweep)):
        return sweep
    newest = find_study(workspace, None).attributes.name
    known = sorted({study.attributes.name for study in all_studies(workspace)})
    raise InputError(
        f"{name}: no such sweep.{nearest(name, known)}",
        f"Here are the sweeps {', '.join(known)}.",
        f"Name one of them, as in: python -m sweeps drift {newest}",
    )


def _night(study: StoredStudy, facts: _Facts, corrected: CorrectedCost | None, champion: ChampionScore | None) -> Night:
    attributes, trials = study.attributes, study.trials
    objective = Objective(attributes.objective)
    remembered = [EnqueuedConfiguration.model_validate(table) for table in attributes.remembered]
    tried = [
        Tried(
            cost=objective.ordered(trial.value),
            params=_params(trial.candidate),
            is_complete=trial.state.name == "COMPLETE",
            is_remembered=EnqueuedConfiguration.model_validate(asdict(trial.candidate)) in remembered,
        )
        for trial in study.leaderboard()
        if trial.value is not None
    ]
    return Night(
        study=study.name,
        started_at=attributes.started_at,
        machine=attributes.machine,
        tried=tried,
        corrected=None if corrected is None else corrected.with_sign(-1 if objective.is_higher_better else 1),
        importances=_by_hyperparameter(importances(trials, objective)),
        seconds_per_iteration=_seconds_per_iteration(trials, facts.seconds or {}),
        champion=champion,
    )


def _params(candidate: Candidate) -> dict[str, Hyperparameter]:
    """What is compared: of the widths their sum; the sizes of minibatches are choices, where 0 means all examples."""
    return {
        "learning_rate": candidate.learning_rate,
        "n_iterations": candidate.n_iterations,
        "depth": len(candidate.hidden_units),
        "hidden_units": sum(candidate.hidden_units),
        "activation": candidate.activation,
        "optimizer": candidate.optimizer,
        "minibatch_size": str(candidate.minibatch_size or "all"),
        "weight_decay": candidate.weight_decay,
        "label_smoothing": candidate.label_smoothing,
        "dropout": candidate.dropout,
        "learning_rate_schedule": candidate.learning_rate_schedule,
    }


def _by_hyperparameter(shares: Mapping[str, float]) -> dict[str, float]:
    """The importances of all widths as one."""
    summed: dict[str, float] = {}
    for name, share in shares.items():
        key = "hidden_units" if name.startswith("hidden_units_") else name
        summed[key] = summed.get(key, 0.0) + share
    return summed


def _seconds_per_iteration(trials: Sequence[FrozenTrial], seconds: Mapping[int, float]) -> float | None:
    """The median over the trials, by how far each was trained."""
    rates = [seconds[t.number] / t.last_step for t in trials if t.last_step and seconds.get(t.number, 0.0) > 0]
    return statistics.median(rates) if rates else None


def _facts(folder: StudyFolder) -> _Facts:
    if not folder.outbox.exists():
        return _Facts()
    outbox = Outbox(folder.outbox)
    if not outbox.n_facts:
        return _Facts()
    started = outbox.started()
    task = started.data.task if started is not None else ""
    seconds = {
        trial.number: trial.metrics["training_seconds"]
        for trial in outbox.trials_without_curves()
        if "training_seconds" in trial.metrics
    }
    return _Facts(task, seconds, outbox.last_success())


def _champion(folder: StudyFolder) -> ChampionScore | None:
    """What the champion came to in the verdict on the study's model."""
    if not folder.verdict.exists():
        return None
    verdict = Verdict.from_json(folder.verdict.read_text("utf-8"), str(folder.verdict))
    champion, evidence, rows = verdict.champion, verdict.evidence, verdict.rows
    if verdict.reference != "champion" or champion is None or evidence is None or rows is None:
        return None
    return ChampionScore(
        version=champion.version,
        digest=champion.digest,
        rows=rows.digest,
        accuracy=evidence.hits_of_champion,
        loss=None if evidence.mean != evidence.mean else (evidence.mean, evidence.deviation, evidence.n_rows),
        what=evidence.objective,
    )
