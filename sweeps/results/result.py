"""What a sweep comes to: for a program (attributes, JSON) and for a person (the summary)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from experiments.class_shares import ShareShift
from experiments.delivery import DeliveryResult
from experiments.facts import Score
from experiments.model import Model
from experiments.outbox import Outbox
from experiments.promotion.words import Promotion
from experiments.registry import ALIAS
from sweeps.results.exit_codes import ExitCode
from sweeps.results.trial_table import trial_table
from sweeps.search.ensemble import Ensemble
from sweeps.search.winner import Winner
from sweeps.storage.study_folder import StudyFolder
from sweeps.trials.stored_trial import StoredTrial

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)  # without slots, which would leave no room for what is worked out once
class SweepResult:
    """The outcome of `run_sweep`.

    Attributes:
        study: `<name>/<UTC time>`.
        state: FINISHED, FAILED (no trial succeeded).
        task, n_test: Kind of the task and size of the test set.
        share_shift: Where the classes' shares of the test set are not those of the training set.
        rows: The leaderboard.
        n_configurations: How many the search space has; None where they are more than the trials that were asked for.
        winner: None when no trial succeeded.
        model_file: Where the winner's model is; None without a winner.
        ensemble_file: Where the ensemble's is; None without one.
        report_file: Where the report is; None without one.
        folder: Where the study's record, model and report are.
        delivery: What MLflow has, and what it does not have yet.
        older_pending: Earlier studies of the folder that MLflow has not everything of either, and why. They are not
            this sweep's: the exit code does not speak of them.
        promotion: Whether the recommended model is champion now; None without a winner.
    """

    sweep: str
    study: str
    state: str
    task: str
    n_test: int
    share_shift: ShareShift | None
    rows: list[StoredTrial]
    n_configurations: int | None
    winner: Winner | None
    model_file: str | None
    ensemble_file: str | None
    report_file: str | None
    folder: Path
    tracking_uri: str
    delivery: DeliveryResult
    older_pending: dict[str, str]
    elapsed_seconds: float
    promotion: Promotion | None = None

    @property
    def model_name(self) -> str | None:
        """What `predict` calls the recommended model: by its alias, or its file where MLflow has not everything yet."""
        file = self.ensemble_file if self.is_ensemble_recommended else self.model_file
        return file if file is None or self.delivery.n_pending else f"{self.sweep}@{ALIAS}"

    @property
    def is_ensemble_recommended(self) -> bool:
        """Whether there is an ensemble and it is the one to use, rather than the winner."""
        return self.ensemble is not None and self.ensemble.is_recommended

    @property
    def has_tried_all(self) -> bool:
        """Whether every configuration of the search space has a trial."""
        return len({trial.candidate for trial in self.rows}) == self.n_configurations

    def count(self, state: TrialState) -> int:
        """Number of trials in a state."""
        return sum(row.state == state for row in self.rows)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial, see `trial_table`; read from the record when first asked for."""
        return trial_table(self.rows, Outbox(StudyFolder(self.folder).outbox).trials_without_curves())

    @property
    def best(self) -> StoredTrial | None:
        """The best trial; None when no trial succeeded."""
        return None if self.winner is None else self.winner.trial

    @property
    def model(self) -> Model | None:
        """The winner, refitted, ready to predict on raw inputs; None when no trial succeeded."""
        return None if self.winner is None else self.winner.model

    @property
    def ensemble(self) -> Ensemble | None:
        """The ensemble beside the winner, with its model; None where there is none."""
        return None if self.winner is None else self.winner.ensemble

    @property
    def exit_code(self) -> ExitCode:
        """As the README lists them."""
        if self.winner is None:
            return ExitCode.NO_TRIAL_SUCCEEDED
        return ExitCode.RECORD_PENDING if self.delivery.n_pending else ExitCode.FINISHED

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `run --json`; numbers in full precision."""
        winner, best, ensemble = self.winner, self.best, self.ensemble
        estimate = None if winner is None else winner.estimate
        return {
            "sweep": self.sweep,
            "study": self.study,
            "state": self.state,
            "n_trials": len(self.rows),
            "n_complete": self.count(TrialState.COMPLETE),
            "n_pruned": self.count(TrialState.PRUNED),
            "n_failed": self.count(TrialState.FAIL),
            "n_configurations": self.n_configurations,
            "objective": winner and winner.objective.name,
            "best": best
            and {
                "number": best.number,
                "value": best.value,
                "params": best.params,
                "best_iteration": best.best_iteration,
            },
            "out_of_fold": best
            and estimate
            and {"value": best.value, "corrected": estimate.value, "ci95": list(estimate.interval)},
            "test": winner
            and {
                **_measured(winner.scores),
                "baselines": {
                    model: {score.name: score.baselines[model] for score in winner.scores}
                    for model in winner.scores[0].baselines
                },
            },
            "baselines_out_of_fold": winner and winner.baselines_out_of_fold,
            "model": self.model_file,
            "ensemble": ensemble
            and {
                "trials": [{"number": share.number, "weight": share.weight} for share in ensemble.shares],
                "out_of_fold": ensemble.out_of_fold,
                **_measured(ensemble.scores),
                "model": self.ensemble_file,
            },
            "report": self.report_file,
            "promotion": self.promotion and self.promotion.to_dict(),
            "mlflow": {
                "tracking_uri": self.tracking_uri,
                "experiment_id": self.delivery.experiment_id,
                "run_id": self.delivery.run_id,
                "n_pending": self.delivery.n_pending,
                "error": self.delivery.error,
                "older_pending": self.older_pending,
            },
            "elapsed_seconds": self.elapsed_seconds,
            "exit_code": self.exit_code,
        }


def _measured(scores: Sequence[Score]) -> dict[str, dict[str, Any]]:
    return {
        "metrics": {score.name: score.value for score in scores},
        "ci95": {score.name: [_number(score.low), _number(score.high)] for score in scores},
    }


def _number(value: float) -> float | None:
    """For JSON, which has no nan."""
    return None if math.isnan(value) else value
