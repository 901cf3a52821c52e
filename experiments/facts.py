"""The facts of a study's record: what the coordinator writes down before anything is delivered.

A fact is a plain frozen value with a `key` that identifies it within its study for ever, and an exact JSON form:
every float comes back bit for bit, nan and the infinities included, in JSON that any parser accepts.
Facts know nothing of files (`outbox.py`) and nothing of MLflow (`mlflow_record.py`).
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

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
        low, high: The 95 % interval of `value`; nan for a single example, which says nothing about its own spread.
        baselines: Name of a model to its score, the constant first.
    """

    name: str
    value: float
    low: float
    high: float
    baselines: dict[str, float]

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

_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"), default=lambda value: _as_document(value))
_CURVES, _AFTER_CURVES = ',"curves":{', '},"started_at":'


def to_json(fact: Fact) -> str:
    """One line of strict JSON without a line break; it begins with the fact's key.

    Raises:
        TypeError: a value is not what the fact declares, such as a NumPy scalar.
    """
    values = {item.name: getattr(fact, item.name) for item in fields(fact)}
    document = {"key": fact.key, "fact": type(fact).__name__, **values}
    try:
        return _ENCODER.encode(document)
    except ValueError:  # nan or infinity somewhere: rare, so the common case does not pay for looking
        return _ENCODER.encode(_plain(document))


def from_json(line: str) -> Fact:
    """The fact that `to_json` wrote.

    Raises:
        ValueError: the line is not a fact's JSON.
    """
    try:
        document = json.loads(line)
        kind = _KINDS[document.pop("fact")]
        del document["key"]
        document.pop("checksum", None)  # `engine.checksum`
        fact: Fact = _KIND_READERS[kind](document)
        return fact
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a fact: {line[:80]!r} ({error!r})") from error


def without_curves(line: str) -> str:
    """A trial's line without the points of its curves: a hundredth of the text, for readers of all trials.

    The last occurrences of the two markers are the trial's own: within a string their quotes would be escaped, and what
    comes after the curves has no object under either name.
    """
    start, end = line.rfind(_CURVES), line.rfind(_AFTER_CURVES)
    return line if start < 0 or end < start else line[: start + len(_CURVES)] + line[end:]


def _as_document(value: object) -> dict[str, Any]:
    if isinstance(value, DataFact | Score | CorrectedCost):
        return asdict(value)
    raise TypeError(f"a fact holds str, int, float and containers of them, not {type(value).__name__}: {value!r}")


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """`value` with {"float": "nan"} for each number that JSON cannot write. No number's field holds other dicts."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, Score | CorrectedCost):
        return _plain(asdict(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _number(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    return float(value["float"]) if isinstance(value, dict) else value


def _numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _number(value) for key, value in values.items()}


def _read_started(document: dict[str, Any]) -> SweepStarted:
    return SweepStarted(**{**document, "params": _numbers(document["params"]), "data": DataFact(**document["data"])})


def _read_trial(document: dict[str, Any]) -> TrialFinished:
    curves = {
        name: [(iteration, _number(value)) for iteration, value in points]
        for name, points in document["curves"].items()
    }
    changed = {
        "params": _numbers(document["params"]),
        "metrics": _numbers(document["metrics"]),
        "curves": curves,
    }
    return TrialFinished(**{**document, **changed})


def _read_finished(document: dict[str, Any]) -> SweepFinished:
    metrics = _numbers(document["metrics"])
    changed: dict[str, Any] = {
        "metrics": metrics,
        "ensemble_scores": [_read_score(score) for score in document.get("ensemble_scores", [])],
        "ensemble_shares": _read_pairs(document.get("ensemble_shares", [])),
        "ensemble_steps": _read_pairs(document.get("ensemble_steps", [])),
        "baselines_out_of_fold": _numbers(document.get("baselines_out_of_fold", {})),
    }
    if document.get("corrected") is not None:
        changed["corrected"] = CorrectedCost(**_numbers(document["corrected"]))
    if "scores" in document:
        changed["scores"] = [_read_score(score) for score in document["scores"]]
    else:  # written until 2026-11-27, when the scores were among the metrics
        changed["scores"] = _scores_among(metrics)
    return SweepFinished(**{**document, **changed})


def _read_score(document: dict[str, Any]) -> Score:
    baselines = _numbers(document.pop("baselines"))
    return Score(**_numbers(document), baselines=baselines)


def _read_pairs(pairs: list[Any]) -> list[tuple[int, float]]:
    return [(number, _number(value)) for number, value in pairs]


def _scores_among(metrics: Mapping[str, float]) -> list[Score]:
    """The scores that became these `Score.metrics`; names of models have lost what was in brackets."""
    scores = []
    for key, low in metrics.items():
        if match := re.fullmatch(r"test_(.+)_ci95_low", key):
            name = match.group(1)
            baselines = {
                baseline.group(1).replace("_", " "): value
                for other, value in metrics.items()
                if (baseline := re.fullmatch(rf"baseline_(.+)_test_{re.escape(name)}", other))
            }
            scores.append(Score(name, metrics[f"test_{name}"], low, metrics[f"test_{name}_ci95_high"], baselines))
    return scores


_KIND_READERS: dict[type[Fact], Any] = {
    SweepStarted: _read_started,
    TrialFinished: _read_trial,
    SweepFinished: _read_finished,
    VerdictReached: lambda document: VerdictReached(**document),
}
_KINDS: dict[str, type[Fact]] = {kind.__name__: kind for kind in _KIND_READERS}
