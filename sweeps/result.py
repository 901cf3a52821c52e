"""What a sweep comes to: for a program (JSON) and for a person (the summary)."""

from dataclasses import asdict, dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from experiments.delivery import DeliveryResult
from sweeps.config import SearchSection
from sweeps.space import Candidate, recall
from sweeps.winner import Winner

EXIT_FINISHED = 0
EXIT_NO_TRIAL_SUCCEEDED = 3
EXIT_RECORD_PENDING = 4


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
    def of(cls, trial: FrozenTrial, candidate: Candidate) -> "LeaderboardRow":
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
class SweepResult:
    """The outcome of `run_sweep`.

    Attributes:
        study: `<name>/<UTC time>`.
        state: FINISHED, FAILED (no trial succeeded).
        task, n_test: Kind of the task and size of the test set.
        rows: The leaderboard.
        winner: None when no trial succeeded.
        model_file: Where the winner's weights are; None without a winner.
        report_file: Where the report is; None without one.
        delivery: What MLflow has, and what it does not have yet.
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
    tracking_uri: str
    delivery: DeliveryResult
    elapsed_seconds: float

    def count(self, state: str) -> int:
        """Number of trials in a state of Optuna's."""
        return sum(row.state == state for row in self.rows)

    @property
    def exit_code(self) -> int:
        """As the README lists them."""
        if self.winner is None:
            return EXIT_NO_TRIAL_SUCCEEDED
        return EXIT_RECORD_PENDING if self.delivery.n_pending else EXIT_FINISHED

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
            "best": winner
            and {
                "number": winner.number,
                "value": winner.value,
                "params": winner.candidate.params,
                "best_iteration": winner.best_iteration,
            },
            "test": winner
            and {
                "metrics": winner.test,
                "ci95": {name: list(interval) for name, interval in winner.interval.items()},
                "baselines": {baseline.name: baseline.scores for baseline in winner.baselines},
            },
            "model": self.model_file,
            "report": self.report_file,
            "mlflow": {
                "tracking_uri": self.tracking_uri,
                "experiment_id": self.delivery.experiment_id,
                "run_id": self.delivery.run_id,
                "n_pending": self.delivery.n_pending,
            },
            "elapsed_seconds": self.elapsed_seconds,
            "exit_code": self.exit_code,
        }
