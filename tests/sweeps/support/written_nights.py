"""Finished studies of one name in a folder, as nights of sweeps leave them; nothing is trained."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from experiments.facts import CorrectedCost, DataFact, SweepFinished, SweepStarted, TrialFinished
from experiments.outbox import Outbox
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_attributes import StudyAttributes
from sweeps.storage.workspace import Workspace

SEARCH = {
    "learning_rate": {"low": 1e-4, "high": 1.0, "log": True},
    "n_iterations": 100,
    "depth": 1,
    "hidden_units": 8,
    "activation": ["relu", "tanh"],
}
DISTRIBUTIONS: dict[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(1e-4, 1.0, log=True),
    "activation": CategoricalDistribution(("relu", "tanh")),
}


@dataclass(frozen=True)
class WrittenNight:
    """One study.

    Attributes:
        log_rate: log10 of its best learning rate.
        objective: Of a higher one that is better, values are 1 minus what the cost would be.
        seconds: Of training, an iteration.
    """

    log_rate: float = -2.0
    objective: str = "cost"
    task: str = "binary"
    machine: str = "old"
    seconds: float = 1e-3
    state: str = "FINISHED"


def write_nights(
    directory: Path, nights: list[WrittenNight], name: str = "made", n_trials: int = 20, seed: int = 1
) -> Workspace:
    """Write them, a day apart; the workspace they are in."""
    workspace = Workspace(directory)
    workspace.create()
    generator = np.random.default_rng(seed)
    (workspace.root / name).mkdir()
    storage = workspace.open_storage(name, None)
    remembered: list[dict[str, Any]] = []
    for day, night in enumerate(nights, start=1):
        study = f"{name}/202611{day:02d}-020000"
        workspace.study_folder(study).create()
        attributes = StudyAttributes(
            name=name,
            machine=night.machine,
            search=SEARCH,
            objective=night.objective,
            remembered=remembered,
            n_trials=n_trials,
            started_at=1_795_000_000.0 + 86_400 * day,
        )
        stored = StoredStudy.create(storage, study, attributes)
        outbox = Outbox(workspace.study_folder(study).outbox)
        data = DataFact("made", "abc", "made.csv", 400, 100, 5, night.task, {})
        outbox.append(SweepStarted(study, name, attributes.started_at, {}, {}, "", "", data))
        costs = {}
        for number in range(n_trials):
            params = {
                "learning_rate": float(10 ** generator.uniform(-4, 0)),
                "activation": ("relu", "tanh")[int(generator.integers(2))],
            }
            if number < len(remembered):
                params = {key: remembered[number][key] for key in params}
            cost = 0.2 + 0.1 * (math.log10(params["learning_rate"]) - night.log_rate) ** 2
            cost += 0.002 * generator.random()
            costs[number] = (cost, params)
            trial = create_trial(
                state=TrialState.COMPLETE,
                value=cost if night.objective == "cost" else 1 - cost,
                params=params,
                distributions=DISTRIBUTIONS,
                user_attrs={"best_iteration": 100},
                intermediate_values={100: cost},
            )
            storage.create_new_trial(stored.study_id, trial)
            metrics = {"training_seconds": 100 * night.seconds}
            outbox.append(TrialFinished(study, number, "COMPLETE", False, {}, metrics, {}, 1.0, 2.0))
        best, params = min(costs.values(), key=lambda one: one[0])
        values = (best + 0.01, best - 0.02, best + 0.04)
        if night.objective != "cost":
            values = (1 - values[0], 1 - values[2], 1 - values[1])
        corrected = CorrectedCost(*values)
        end = SweepFinished(study, "FINISHED", 3.0, {}, {}, "", {}, "model.h5", corrected=corrected)
        outbox.append(end)
        stored.set_attribute("state", night.state)
        fixed = {"n_iterations": 100, "hidden_units": [8], "depth": None}
        training = {
            "optimizer": "gradient_descent",
            "minibatch_size": 0,
            "weight_decay": 0.0,
            "label_smoothing": 0.0,
            "dropout": 0.0,
            "learning_rate_schedule": "constant",
        }
        table = {key: item for key, item in {**params, **fixed, **training}.items() if item is not None}
        remembered = [table]
    return workspace


Written = Callable[..., Workspace]
