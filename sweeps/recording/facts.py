"""The facts of a sweep, from its own objects: what the record says about the study, its trials and its end."""

import getpass
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from engine import Curve
from experiments.error_text import mask_password
from experiments.facts import CorrectedCost, DataFact, SweepFinished, SweepStarted, TrialFinished
from experiments.preparation import PreparedData
from sweeps.configuration.config import Config
from sweeps.configuration.config_file import as_toml
from sweeps.recording.description import searched
from sweeps.recording.provenance import provenance
from sweeps.search.winner import Winner
from sweeps.trials.space import Candidate
from sweeps.trials.stored_trial import StoredTrial
from sweeps.trials.trial import TrialResult

Scalar = str | int | float


def sweep_started(config: Config, study_name: str, prepared: PreparedData) -> SweepStarted:
    """The fact that a study began, with its configuration and data; passwords are masked."""
    dataset = prepared.dataset
    params = {key: _masked(value) for key, value in flatten(config.model_dump(exclude_none=True))}
    data = DataFact(
        name=config.sweep.name,
        digest=dataset.digest[:32],
        source=dataset.source,
        n_train=dataset.n_train,
        n_test=dataset.n_test,
        n_features=prepared.n_features,
        task=dataset.task,
        class_balance=dataset.class_balance,
    )
    return SweepStarted(
        study=study_name,
        experiment=config.sweep.name,
        started_at=time.time(),
        params=params,
        tags={
            "mlflow.user": _user(),
            "mlflow.source.name": f"python -m sweeps run {config.source}",
            "mlflow.source.type": "LOCAL",
            **provenance(),
        },
        description=searched(config, data),
        config_toml=mask_password(as_toml(config)),
        data=data,
    )


def trial_finished(
    study_name: str, result: TrialResult, prepared: PreparedData, objective: str = "cost"
) -> TrialFinished:
    """The fact that a trial ended, with its costs and scores along the iterations, means over the folds."""
    trial = result.trial
    assert trial.started_at is not None, "a trial that ended has begun"
    metrics: dict[str, float] = {} if result.is_recalled else {"training_seconds": result.training_seconds}
    return TrialFinished(
        study=study_name,
        number=trial.number,
        state=trial.state.name,  # type: ignore[arg-type]  # an ended trial's is one of the three
        interrupted=trial.notes.is_interrupted,
        params=dict(trial.params),
        metrics=metrics | _value_of(trial),
        curves=dict(_curves(result.curve, prepared, objective)) if result.curve is not None else {},
        started_at=trial.started_at,
        ended_at=trial.started_at if trial.ended_at is None else trial.ended_at,
        reason=trial.notes.reason,
    )


def sweep_finished(
    study_name: str,
    state: str,
    winner: Winner | None,
    sequence: int,
    *,
    after: float = 0.0,
    description: str = "",
    artifacts: Mapping[str, str] | None = None,
) -> SweepFinished:
    """The fact that a study stopped: FINISHED, FAILED (no trial succeeded) or KILLED (interrupted).

    `after` is the order of the end before it in the folder.
    """
    ended_at = time.time()
    metrics: dict[str, float] = {}
    tags: dict[str, str] = {}
    ensemble = None if winner is None else winner.ensemble
    estimate = None if winner is None else winner.estimate
    if winner is not None:
        metrics = _value_of(winner.trial) | _numbers_of(winner.trial.candidate)
        tags = {"sweeps.best_trial": str(winner.trial.number)} | _texts_of(winner.trial.candidate)
    return SweepFinished(
        study=study_name,
        state=state,  # type: ignore[arg-type]  # one of the three, see the docstring
        ended_at=ended_at,
        metrics=metrics,
        tags=tags,
        description=description,
        artifacts=dict(artifacts or {}),
        model_file="model.h5" if winner is not None else None,
        sequence=sequence,
        scores=[] if winner is None else winner.scores,
        ensemble_file="ensemble.h5" if ensemble is not None else None,
        ensemble_scores=[] if ensemble is None else ensemble.scores,
        recommended="ensemble" if ensemble is not None and ensemble.is_recommended else "winner",
        ensemble_shares=[] if ensemble is None else [(share.number, share.weight) for share in ensemble.shares],
        ensemble_steps=[] if ensemble is None else list(ensemble.steps),
        corrected=None if estimate is None else CorrectedCost(estimate.value, *estimate.interval),
        baselines_out_of_fold={} if winner is None else winner.baselines_out_of_fold,
        order=max(ended_at, after + 0.001),
    )


def flatten(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Scalar]]:
    """("search.learning_rate.low", 0.001) and so on, from nested tables; a list becomes "relu, tanh"."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{key}", ", ".join(str(item) for item in value)
        else:
            yield f"{prefix}{key}", value


def _value_of(trial: StoredTrial) -> dict[str, float]:
    """A trial's value and where it was reached, as metrics; {} for one without."""
    if trial.value is None or trial.best_iteration is None:
        return {}
    return {"value": trial.value, "best_iteration": float(trial.best_iteration)}


def _numbers_of(candidate: Candidate) -> dict[str, float]:
    """The winner's hyperparameters as metrics that MLflow draws over studies: those that every trial has."""
    searched = {name: value for name, value in candidate.params.items() if not name.startswith("hidden_units_")}
    numbers = searched | {"hidden_units": sum(candidate.hidden_units)}
    return {f"winner/{name}": float(value) for name, value in numbers.items() if not isinstance(value, str)}


def _texts_of(candidate: Candidate) -> dict[str, str]:
    """The winner's choices and widths as tags: a param could not change when a study goes on to another winner."""
    choices = {name: value for name, value in candidate.params.items() if isinstance(value, str)}
    return {f"sweeps.winner.{name}": value for name, value in (choices | {"hidden_units": candidate.widths}).items()}


def _masked(value: Scalar) -> Scalar:
    return mask_password(value) if isinstance(value, str) else value


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unknown"


def _curves(curve: Curve, prepared: PreparedData, objective: str) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    """Mean over folds of each cost and score: (iteration, value) pairs under the names of the record."""
    for subset, columns in (("train", ~prepared.held_out), ("validation", prepared.validated)):
        cost = getattr(curve, f"{subset}_cost")
        yield f"{subset}_cost", _points(curve, cost)
        if prepared.dataset.class_names:
            yield f"{subset}_accuracy", _points(curve, getattr(curve, f"{subset}_accuracy"))
        else:
            scale = np.array([scaling.scale for scaling in prepared.target_scalings])
            variance = np.array([prepared.dataset.y_train[fold].var() for fold in columns]) / scale**2
            yield f"{subset}_rmse", _points(curve, np.sqrt(cost) * scale)
            if (variance > 0).all():  # else there is no such score
                yield f"{subset}_r2", _points(curve, 1 - cost / variance)
    if objective != "cost":  # last: it replaces one of the same name
        yield f"validation_{objective}", _points(curve, curve.validation_value)


def _points(curve: Curve, values: np.ndarray[Any, np.dtype[np.float64]]) -> list[tuple[int, float]]:
    return [(iteration, float(mean)) for iteration, mean in zip(curve.iterations, values.mean(axis=1), strict=True)]
