"""What a report is made of: a study from its storage and its facts from the outbox, as one tidy table."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from experiments.errors import InputError
from experiments.facts import SweepFinished, SweepStarted, TrialFinished
from experiments.outbox import Outbox
from experiments.report.figures import state_of
from sweeps.optuna_figures import importances
from sweeps.result import LeaderboardRow
from sweeps.status import find_study, state_now, trials_of
from sweeps.study import StoredStudy
from sweeps.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """All that is known of a study.

    Attributes:
        state: FINISHED, FAILED, RUNNING or INTERRUPTED.
        trials: As Optuna has them, by number.
        rows: The leaderboard, best first.
        table: One row a trial, by number. `outcome` is `state` in a reader's word, "interrupted" included;
            `training_seconds` is missing where there is no outbox.
        outbox: The study's facts; None where it was run in another folder.
        started, finished: Its first and last fact, if there are any.
        importances: PED-ANOVA of its complete trials; empty where they are too few.
    """

    name: str
    state: str
    trials: list[FrozenTrial]
    rows: list[LeaderboardRow]
    table: "pd.DataFrame"
    outbox: Outbox | None
    started: SweepStarted | None
    finished: SweepFinished | None
    importances: dict[str, float]

    @property
    def ranked(self) -> "pd.DataFrame":
        """The table, best first."""
        return self.table.set_index("number", drop=False).loc[[row.number for row in self.rows]]


def read_study(workspace: Workspace, name: str | None) -> StudyRecord:
    """The record of a study: of this name, the newest of the sweep of this name, or the newest of all.

    Raises:
        InputError: There is none, or none of its trials is complete.
    """
    stored = find_study(workspace, name)
    return record_of(stored, workspace, state_now(workspace, stored))


def hidden_units_of(row: dict[str, Any]) -> str:
    """Widths of a row's hidden layers as "20-7-5"; "none" for logistic or linear regression."""
    widths = [row[f"hidden_units_{layer}"] for layer in range(1, int(row["depth"]) + 1)]
    return "-".join(f"{width:.0f}" for width in widths) or "none"


def record_of(stored: StoredStudy, workspace: Workspace, state: str, finished: SweepFinished | None = None) -> StudyRecord:
    """The record of a study that is open already; `finished` where its last fact is not written yet.

    Raises:
        InputError: None of its trials is complete.
    """
    trials = stored.trials
    if not any(trial.state == TrialState.COMPLETE for trial in trials):
        raise InputError(
            f"{stored.name}: none of its {len(trials)} trials is complete.",
            "A report needs one that came to its end.",
            f"Wait for it (python -m sweeps status {stored.name}), or run the sweep again with more time.",
        )
    path = workspace.study_folder(stored.name) / "outbox.jsonl"
    outbox = Outbox(path) if path.exists() else None
    first = outbox.first() if outbox is not None and outbox.n_facts else None
    rows = trials_of(stored)
    return StudyRecord(
        name=stored.name,
        state=state,
        trials=trials,
        rows=rows,
        table=_table(trials, rows, outbox),
        outbox=outbox,
        started=first if isinstance(first, SweepStarted) else None,
        finished=finished or (outbox.last_finish() if outbox is not None else None),
        importances=importances(trials),
    )


def _table(trials: list[FrozenTrial], rows: list[LeaderboardRow], outbox: Outbox | None) -> "pd.DataFrame":
    """One row a trial, by number; widths of absent layers, and what is not known, are missing values."""
    import pandas as pd

    facts: dict[int, TrialFinished] = {}
    if outbox is not None:
        facts = {fact.number: fact for fact in outbox.trials_without_curves()}
    by_number = {row.number: row for row in rows}
    n_layers = max(int(row.params["depth"]) for row in rows)
    documents = []
    for trial in trials:
        row, fact = by_number[trial.number], facts.get(trial.number)
        params = dict(row.params)
        is_interrupted = bool(trial.user_attrs.get("is_interrupted", False))
        activation = params.pop("activation")
        documents.append(
            {
                "number": trial.number,
                "state": row.state,
                "interrupted": is_interrupted,
                "outcome": state_of(row.state, is_interrupted),
                "value": row.value,
                "best_iteration": row.best_iteration,
                **params,
                **{f"hidden_units_{layer}": params.get(f"hidden_units_{layer}") for layer in range(1, n_layers + 1)},
                "activation": activation,
                "training_seconds": None if fact is None else fact.metrics.get("training_seconds"),
                "started_at": _utc(trial.datetime_start),
                "ended_at": _utc(trial.datetime_complete),
                "reason": row.reason,
            }
        )
    table = pd.DataFrame(documents)
    whole = ["best_iteration", *(name for name in table.columns if name.startswith("hidden_units_"))]
    return table.astype(dict.fromkeys(whole, "Int64") | {"value": "float64", "training_seconds": "float64"})


def _utc(moment: datetime | None) -> str | None:
    """Optuna's times are local and do not say so."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds")
