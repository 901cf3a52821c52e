"""What a sweep comes to: for a program (attributes, JSON) and for a person (the summary)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState

from experiments.delivery import DeliveryResult
from experiments.model import Model
from experiments.outbox import Outbox
from experiments.registry import ALIAS
from sweeps.configuration.config import SearchSection
from sweeps.results.exit_codes import ExitCode
from sweeps.results.trial_table import trial_table
from sweeps.search.winner import Winner
from sweeps.storage.study_folder import StudyFolder
from sweeps.trials.space import Candidate, recall

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One trial; `params` holds all hyperparameters, searched or fixed."""

    number: int
    state: str
    value: float | None
    params: dict[str, float | int | str]
    best_iteration: int | None
    reason: str

    @classmethod
    def of(cls, trial: FrozenTrial, candidate: Candidate) -> LeaderboardRow:
        """A row from Optuna's record."""
        return cls(
            number=trial.number,
            state=trial.state.name,
            value=trial.value,
            params=candidate.params,
            best_iteration=trial.user_attrs.get("best_iteration"),
            reason=trial.user_attrs.get("reason", ""),
        )

    def to_dict(self) -> dict[str, Any]:
        """For `leaderboard --json`."""
        return asdict(self)


def leaderboard(trials: list[FrozenTrial], search: SearchSection) -> list[LeaderboardRow]:
    """All trials, best first: complete ones by value, then pruned ones by value, then the others."""
    order = {TrialState.COMPLETE: 0, TrialState.PRUNED: 1}

    def rank(trial: FrozenTrial) -> tuple[int, float, int]:
        value = trial.value if trial.value is not None else float("inf")
        return order.get(trial.state, len(order)), value, trial.number

    return [LeaderboardRow.of(trial, recall(trial, search)) for trial in sorted(trials, key=rank)]


@dataclass(frozen=True, slots=True)
class Best:
    """The best trial.

    Attributes:
        number: Of the trial.
        value: Its validation cost, mean over the folds.
        params: All its hyperparameters, searched or fixed.
        best_iteration: Where the cost was lowest; the winner is refitted for as many iterations.
    """

    number: int
    value: float
    params: dict[str, float | int | str]
    best_iteration: int

    @property
    def estimator_params(self) -> dict[str, Any]:
        """What `experiments.DeepNetworkClassifier` or `DeepNetworkRegressor` takes to train such a network."""
        widths = range(1, int(self.params["depth"]) + 1)
        return {
            "hidden_units": tuple(self.params[f"hidden_units_{layer}"] for layer in widths),
            "activation": self.params["activation"],
            "learning_rate": self.params["learning_rate"],
            "n_iterations": max(1, self.best_iteration),
        }


@dataclass(frozen=True)  # without slots, which would leave no room for what is worked out once
class SweepResult:
    """The outcome of `run_sweep`.

    Attributes:
        study: `<name>/<UTC time>`.
        state: FINISHED, FAILED (no trial succeeded).
        task, n_test: Kind of the task and size of the test set.
        rows: The leaderboard.
        winner: None when no trial succeeded.
        model_file: Where the winner's model is; None without a winner.
        report_file: Where the report is; None without one.
        folder: Of the study: its record, its model, its report.
        delivery: What MLflow has, and what it does not have yet.
        older_pending: Earlier studies of the folder that MLflow has not everything of either, and why. They are not
            this sweep's: the exit code does not speak of them.
    """

    sweep: str
    study: str
    state: str
    task: str
    n_test: int
    rows: list[LeaderboardRow]
    winner: Winner | None
    model_file: str | None
    report_file: str | None
    folder: Path
    tracking_uri: str
    delivery: DeliveryResult
    older_pending: dict[str, str]
    elapsed_seconds: float

    @property
    def model_name(self) -> str | None:
        """What `predict` calls the winner: its alias in MLflow, or its file where MLflow has not everything yet."""
        return self.model_file if self.model_file is None or self.delivery.n_pending else f"{self.sweep}@{ALIAS}"

    def count(self, state: str) -> int:
        """Number of trials in a state of Optuna's."""
        return sum(row.state == state for row in self.rows)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial, see `trial_table`; read from the record when first asked for."""
        return trial_table(
            (row.to_dict() for row in self.rows), (fact for _, fact in Outbox(StudyFolder(self.folder).outbox).facts())
        )

    @property
    def best(self) -> Best | None:
        """The best trial; None when no trial succeeded."""
        winner = self.winner
        if winner is None:
            return None
        return Best(winner.number, winner.value, winner.candidate.params, winner.best_iteration)

    @property
    def model(self) -> Model | None:
        """The winner, refitted, ready to predict on raw inputs; None when no trial succeeded."""
        return None if self.winner is None else self.winner.model

    @property
    def exit_code(self) -> ExitCode:
        """As the README lists them."""
        if self.winner is None:
            return ExitCode.NO_TRIAL_SUCCEEDED
        return ExitCode.RECORD_PENDING if self.delivery.n_pending else ExitCode.FINISHED

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of `run --json`; numbers in full precision."""
        winner = self.winner
        return {
            "sweep": self.sweep,
            "study": self.study,
            "state": self.state,
            "n_trials": len(self.rows),
            "n_complete": self.count("COMPLETE"),
            "n_pruned": self.count("PRUNED"),
            "n_failed": self.count("FAIL"),
            "best": self.best and asdict(self.best),
            "test": winner
            and {
                "metrics": winner.test_scores,
                "ci95": {score.name: [score.low, score.high] for score in winner.scores},
                "baselines": {
                    model: {score.name: score.baselines[model] for score in winner.scores}
                    for model in winner.scores[0].baselines
                },
            },
            "model": self.model_file,
            "report": self.report_file,
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
