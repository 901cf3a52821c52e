"""The facts of a study's record: what the coordinator writes down before anything is delivered.

A fact is a plain frozen value with a `key` that identifies it within its study for ever, and an exact JSON form
(`fact_json.py`). Facts know nothing of files (`outbox.py`) and nothing of MLflow (`mlflow_record.py`).
"""

import math
from dataclasses import dataclass, field
from typing import Literal

Scalar = str | int | float
CurvePoints = list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class DataFact:
    """The data set a study was trained on.

    Attributes:
        name: What people call it, such as "breast_cancer".
        digest: Content fingerprint, at most 36 characters (MLflow's limit for a data set's digest).
        source: Where it came from: a path or "sklearn:breast_cancer".
        task: "binary", "multiclass" or "regression".
        class_balance: Class name to number of training examples; empty for regression.
    """

    name: str
    digest: str
    source: str
    n_train: int
    n_test: int
    n_features: int
    task: str
    class_balance: dict[str, int]


@dataclass(frozen=True, slots=True)
class SweepStarted:
    """A study began. The first fact of every outbox.

    Attributes:
        started_at: Unix time, seconds.
        params: The resolved configuration, flattened: "search.learning_rate.low".
        description: Markdown, shown on the parent run's page.
        config_toml: The configuration as the user wrote it.
    """

    study: str
    experiment: str
    started_at: float
    params: dict[str, Scalar]
    tags: dict[str, str]
    description: str
    config_toml: str
    data: DataFact

    @property
    def key(self) -> str:
        """Identity within the study."""
        return "started"


@dataclass(frozen=True, slots=True)
class TrialFinished:
    """A trial is over, one way or another.

    Attributes:
        state: The state that Optuna was told.
        interrupted: Whether the sweep stopped the trial; MLflow then shows it as KILLED.
        metrics: Metric name to final value.
        curves: Metric name to points (iteration, value) in order of iteration, at most 100 each.
        started_at, ended_at: Unix time, seconds.
        reason: Why it failed, was pruned or was trained no further; "" if it was trained to its end.
    """

    study: str
    number: int
    state: Literal["COMPLETE", "PRUNED", "FAIL"]
    interrupted: bool
    params: dict[str, Scalar]
    metrics: dict[str, float]
    curves: dict[str, CurvePoints]
    started_at: float
    ended_at: float
    reason: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Identity within the study, and the name of the trial's run: "trial-0012"."""
        return f"trial-{self.number:04d}"


def metric_of_baseline(name: str) -> str:
    """How its metrics begin: "baseline_logistic_regression", converged or not."""
    return f"baseline_{name.split(' (')[0].replace(' ', '_')}"


@dataclass(frozen=True, slots=True)
class Score:
    """A model's score on the sealed test set in one metric, and the scores of simple models there.

    Attributes:
        name: As `experiments.scores.scores` has it: "accuracy", "log_loss", "roc_auc", "rmse", "r2".
        low, high: The 95 % interval of `value`; nan where nothing is known of it, as of a single example.
        baselines: Name of a model to its score, the constant first.
    """

    name: str
    value: float
    low: float
    high: float
    baselines: dict[str, float]

    @property
    def interval_in_words(self) -> str:
        """ "0.93 to 0.99"."""
        return "not known" if math.isnan(self.low) else f"{self.low:.4g} to {self.high:.4g}"

    @property
    def metrics(self) -> dict[str, float]:
        """Each number under its name: test_accuracy, test_accuracy_ci95_low, baseline_ridge_regression_test_rmse.

        What is nan does not exist and is left out.
        """
        name = f"test_{self.name}"
        named = {name: self.value, f"{name}_ci95_low": self.low, f"{name}_ci95_high": self.high}
        named |= {f"{metric_of_baseline(model)}_{name}": value for model, value in self.baselines.items()}
        return {key: value for key, value in named.items() if not math.isnan(value)}


@dataclass(frozen=True, slots=True)
class CorrectedCost:
    """What the winner's out-of-fold cost is on new examples: corrected for its having decided the choice.

    Attributes:
        low, high: The 95 % interval of `value`.
    """

    value: float
    low: float
    high: float

    def with_sign(self, sign: int) -> "CorrectedCost":
        """As a cost where it is a score, and the other way round: all of it by 1 or -1."""
        low, high = sorted((sign * self.low, sign * self.high))
        return CorrectedCost(sign * self.value, low, high)

    @property
    def metrics(self) -> dict[str, float]:
        """Each number under its name, beside the winner's `value`."""
        name = "value_corrected"
        return {name: self.value, f"{name}_ci95_low": self.low, f"{name}_ci95_high": self.high}


@dataclass(frozen=True, slots=True)
class SweepFinished:
    """A study stopped. An interrupted study that is continued stops again; its last stop counts.

    Attributes:
        ended_at: Unix time, seconds.
        metrics: The winning trial's value and best_iteration.
        description: Markdown that replaces the one of `SweepStarted`; "" keeps it.
        artifacts: Path inside the run to path of the local file, relative to the outbox's directory.
        model_file: The winner's model, relative to the outbox's directory; None unless the state is FINISHED.
        sequence: 1 for the first time the study stopped, then 2, ... (`Outbox.n_finished` + 1).
        scores: The winner's scores on the sealed test set.
        ensemble_file: The ensemble that came of the same trials, as `model_file`; None where there is none.
        ensemble_scores: Its scores on the sealed test set.
        recommended: Which of the two is to be used.
        ensemble_shares: Its trials and what each weighs, heaviest first.
        ensemble_steps: The trial that each step of its selection added, and the out-of-fold cost after it.
        corrected: The winner's out-of-fold cost on new examples; None where it is not known.
        baselines_out_of_fold: Name of a simple model to its cost as a trial's value is; those that are known.
        order: As `ended_at`, but later than the end of each study before it in the folder, though the clock was set
            back; 0 in facts from before 2026-11-29.
    """

    study: str
    state: Literal["FINISHED", "FAILED", "KILLED"]
    ended_at: float
    metrics: dict[str, float]
    tags: dict[str, str]
    description: str
    artifacts: dict[str, str]
    model_file: str | None
    sequence: int = 1
    scores: list[Score] = field(default_factory=list)
    ensemble_file: str | None = None
    ensemble_scores: list[Score] = field(default_factory=list)
    recommended: Literal["ensemble", "winner"] = "winner"
    ensemble_shares: list[tuple[int, float]] = field(default_factory=list)
    ensemble_steps: list[tuple[int, float]] = field(default_factory=list)
    corrected: CorrectedCost | None = None
    baselines_out_of_fold: dict[str, float] = field(default_factory=dict)
    order: float = 0.0

    @property
    def ensemble_out_of_fold(self) -> float | None:
        """The ensemble's out-of-fold cost; None where there is no ensemble."""
        return self.ensemble_steps[-1][1] if self.ensemble_steps else None

    @property
    def key(self) -> str:
        """Identity within the study: "finished-1"."""
        return f"finished-{self.sequence}"


@dataclass(frozen=True, slots=True)
class VerdictReached:
    """It was decided whether the study's model takes the champion's place; delivery moves the alias.

    Attributes:
        challenger: Digest of the model's file: of one model there is one verdict.
        document: See `experiments.promotion.verdict`.
    """

    study: str
    challenger: str
    document: str

    @property
    def key(self) -> str:
        """Identity within the study."""
        return f"verdict-{self.challenger}"


Fact = SweepStarted | TrialFinished | SweepFinished | VerdictReached
