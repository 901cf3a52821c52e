"""The facts of one study: its start, its trials, its end."""

from typing import Any

from experiments.facts import DataFact, Score, SweepFinished, SweepStarted, TrialFinished

STUDY = "cats/2026-11-23T02:00:00Z"
T0 = 1.79e9
DATA = DataFact("cats", "0123456789abcdef", "train.h5", 209, 50, 12288, "binary", {"cat": 72, "non-cat": 137})


def started(experiment: str = "cats", **changes: Any) -> SweepStarted:
    """The first fact; `changes` replace what it says."""
    tags = {"mlflow.user": "ada", "mlflow.source.name": "sweeps", "sweeps.python": "3.11"}
    values: dict[str, Any] = {
        "study": STUDY,
        "experiment": experiment,
        "started_at": T0,
        "params": {"search.learning_rate.low": 0.001, "sweep.seed": 1},
        "tags": tags,
        "description": "# Cats\nsearching",
        "config_toml": 'name = "cats"\n',
        "data": DATA,
    }
    return SweepStarted(**(values | changes))


def trial(number: int, n_points: int = 20, **changes: Any) -> TrialFinished:
    """A complete trial with two curves of so many points; `changes` replace what it says."""
    curves = {
        name: [(10 * i, (number + 1) / (i + 1)) for i in range(n_points)] for name in ("train_cost", "validation_cost")
    }
    values: dict[str, Any] = {
        "study": STUDY,
        "number": number,
        "state": "COMPLETE",
        "interrupted": False,
        "params": {"learning_rate": 0.1 + 0.2, "depth": 2, "activation": "relu"},
        "metrics": {"value": 0.25 + number, "validation_cost": 0.123},
        "curves": curves,
        "started_at": T0 + number,
        "ended_at": T0 + number + 0.9,
    }
    return TrialFinished(**(values | changes))


def accuracy(value: float) -> Score:
    """On the test set, beside two baselines."""
    return Score("accuracy", value, 0.7, 0.95, {"constant": 0.6, "logistic regression (not converged)": 0.75})


def finished(sequence: int = 1, **changes: Any) -> SweepFinished:
    """The last fact, or one of the last; `changes` replace what it says."""
    values: dict[str, Any] = {
        "study": STUDY,
        "state": "FINISHED",
        "ended_at": T0 + 1000 * sequence,
        "metrics": {"value": 0.25},
        "tags": {"sweeps.best_trial": "3"},
        "description": "# Cats\nwon",
        "artifacts": {},
        "model_file": None,
        "sequence": sequence,
        "scores": [accuracy(0.8)],
    }
    return SweepFinished(**(values | changes))
