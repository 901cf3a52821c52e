"""What a report is made of: a study from its storage and its facts from the outbox, as one tidy table."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from optuna.trial import FrozenTrial, TrialState

from engine.objectives import Objective
from experiments.errors import InputError, how_many
from experiments.facts import SweepFinished, SweepStarted
from experiments.outbox import Outbox
from experiments.report.figures import state_of
from sweeps.results.status import find_study, state_now
from sweeps.results.trial_table import trial_table
from sweeps.search.importances import importances, without_importance
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.workspace import Workspace
from sweeps.trials.stored_trial import StoredTrial

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ReportedStudy:
    """All that is known of a study.

    Attributes:
        state: FINISHED, FAILED, RUNNING or INTERRUPTED.
        objective: What its trials are judged by.
        trials: As Optuna has them, by number.
        leaderboard: The same, best first.
        table: `trial_table`'s, with `interrupted` and with `outcome`: `state` in a reader's word, or "interrupted".
        outbox: The study's facts; None where it was run in another folder.
        started, finished: Its first and last fact, if there are any.
        importances: PED-ANOVA of its complete trials; empty where they are too few.
        without_importance: Hyperparameters that no trial of the best tenth has.
    """

    name: str
    state: str
    objective: Objective
    trials: list[FrozenTrial]
    leaderboard: list[StoredTrial]
    table: "pd.DataFrame"
    outbox: Outbox | None
    started: SweepStarted | None
    finished: SweepFinished | None
    importances: dict[str, float]
    without_importance: list[str]

    @property
    def ranked(self) -> "pd.DataFrame":
        """The table, best first."""
        return self.table.set_index("number", drop=False).loc[[trial.number for trial in self.leaderboard]]


def read_study(workspace: Workspace, name: str | None) -> ReportedStudy:
    """A study: of this name, the newest of the sweep of this name, or the newest of all.

    Raises:
        InputError: There is none, or none of its trials is complete.
    """
    stored = find_study(workspace, name)
    return reported_study(stored, workspace, state_now(workspace, stored))


def reported_study(
    stored: StoredStudy, workspace: Workspace, state: str, finished: SweepFinished | None = None
) -> ReportedStudy:
    """A study that is open already; `finished` where its last fact is not written yet.

    Raises:
        InputError: None of its trials is complete.
    """
    trials = stored.trials
    if not any(trial.state == TrialState.COMPLETE for trial in trials):
        raise InputError(
            f"{stored.name}: none of its {how_many(len(trials), 'trial')} is complete.",
            "A report needs at least one.",
            f"Wait for it (python -m sweeps status {stored.name}), or run the sweep again with more time.",
        )
    path = workspace.study_folder(stored.name).outbox
    try:
        outbox = Outbox(path).checked() if path.exists() else None
    except InputError as damage:
        raise InputError(
            str(damage), "A report reads all of it.", f"Or move {path} away: the report is then made without it."
        ) from damage
    leaderboard, objective = stored.leaderboard(), Objective(stored.attributes.objective)
    return ReportedStudy(
        name=stored.name,
        state=state,
        objective=objective,
        trials=trials,
        leaderboard=leaderboard,
        table=_table(leaderboard, outbox),
        outbox=outbox,
        started=None if outbox is None else outbox.started(),
        finished=finished or (outbox.last_finish() if outbox is not None else None),
        importances=importances(trials, objective),
        without_importance=without_importance(trials, objective),
    )


def _table(leaderboard: list[StoredTrial], outbox: Outbox | None) -> "pd.DataFrame":
    """One row a trial, by number."""
    table = trial_table(leaderboard, [] if outbox is None else outbox.trials_without_curves()).reset_index()
    is_interrupted = [trial.notes.is_interrupted for trial in sorted(leaderboard, key=lambda trial: trial.number)]
    table.insert(2, "interrupted", is_interrupted)
    return table.assign(outcome=list(map(state_of, table["state"], is_interrupted)))
