"""What one would use in our place, tuned by Optuna within a number of seconds on one core.

    python -m tests.benchmarks.peer_tuned mlp phoneme --seconds 30 --seed 1 --predictions test.npy

Each trial is cross-validated on the folds that ours uses (same splitter, same seed) and given up between folds where
its mean so far is worse than the median of the trials before. The limit is looked at between folds and, for models that
learn in passes, after each pass; the trial that runs when time is up is dropped. The winner is refitted on all
training rows: as long as that will take, by the times of its folds, is kept free. Where half of the time has gone and
no trial is complete, the rest goes to fitting the first configuration. Seconds are counted from when packages and data
are loaded. The last line of stdout is JSON about the run.
"""

import argparse
import json
import time
import warnings
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import optuna
from sklearn.model_selection import KFold, StratifiedKFold

from tests.benchmarks.peer_models import (
    Boosting,
    Constant,
    Deadline,
    Linear,
    Model,
    Params,
    Perceptron,
    TimeIsOverError,
)
from tests.benchmarks.peer_optional import RealMLP, Torch
from tests.benchmarks.quality_data import DataSet, Features, load
from tests.benchmarks.quality_scores import FloatArray, validation_cost

MODELS: dict[str, type[Model]] = {
    "mlp": Perceptron,
    "hgb": Boosting,
    "linear": Linear,
    "constant": Constant,
    "torch": Torch,
    "realmlp": RealMLP,
}
NEEDS = {"torch": "torch", "realmlp": "pytabkit"}
"""Packages that are not everybody's."""

N_FOLDS = 5
SHARE_WITHOUT_A_TRIAL = 0.5
REFIT_OF_FOLDS = 1.25 * 1.1 / N_FOLDS
"""Seconds of the refit by those of all folds: 5/4 of the rows of one fold, and a tenth to be safe."""


@dataclass
class Tuned:
    """How the search went.

    Attributes:
        params: The winner's; those of the first configuration where no trial is complete.
        curve: Seconds and the best validation cost by then, at the end of each complete trial.
        refit_seconds: What the winner's refit is expected to take.
    """

    params: Params
    n_complete: int = 0
    n_pruned: int = 0
    curve: list[tuple[float, float]] = field(default_factory=list)
    refit_seconds: float = 0.0

    @property
    def best(self) -> float | None:
        return self.curve[-1][1] if self.curve else None


def tune(model: Model, data: DataSet, began_at: float, seconds: float) -> Tuned:
    """Search until the time is over that the winner's refit leaves.

    Args:
        model: What is tuned.
        data: Its training rows.
        began_at: When the clock started, as `time.perf_counter` says it.
        seconds: The limit.
    """
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=model.seed), pruner=optuna.pruners.MedianPruner()
    )
    for params in model.first:
        study.enqueue_trial(params)
    splits = folds(data, model.seed)
    tuned = Tuned(params=model.suggest(optuna.trial.FixedTrial(dict(model.first[0]) if model.first else {})))
    for number in count():
        if model.is_grid and number == len(model.first):
            break
        limit = seconds - tuned.refit_seconds if tuned.curve else seconds * SHARE_WITHOUT_A_TRIAL
        deadline = Deadline(began_at + limit, is_final=False)
        trial = study.ask()
        trial_began_at = time.perf_counter()
        try:
            cost, params = _cross_validated(model, data, splits, trial, deadline)
        except TimeIsOverError:
            break
        except optuna.TrialPruned:
            tuned.n_pruned += 1
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        if not np.isfinite(cost):
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        study.tell(trial, cost)
        tuned.n_complete += 1
        ended_at = time.perf_counter()
        if tuned.best is None or cost < tuned.best:
            tuned.curve.append((ended_at - began_at, cost))
            tuned.params, tuned.refit_seconds = params, (ended_at - trial_began_at) * REFIT_OF_FOLDS
    return tuned


def folds(data: DataSet, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The rows to train on and to validate on, as `experiments.preparation` divides them."""
    splitter = KFold if data.task == "regression" else StratifiedKFold
    y = data.y_train
    return list(splitter(N_FOLDS, shuffle=True, random_state=seed).split(y[:, None], y))


def _cross_validated(model, data, splits, trial, deadline) -> tuple[float, Params]:
    params = model.suggest(trial)
    costs = []
    for fold, (train, held_out) in enumerate(splits):
        deadline.is_over()
        model.fit(_rows(data.X_train, train), data.y_train[train], params, deadline)
        costs.append(validation_cost(data.y_train[held_out], model.predict(_rows(data.X_train, held_out))))
        trial.report(float(np.mean(costs)), fold)
        if not model.is_grid and trial.should_prune():
            raise optuna.TrialPruned
    return float(np.mean(costs)), params


def _rows(X: Features, rows: np.ndarray) -> Features:
    return X[rows] if isinstance(X, np.ndarray) else X.iloc[rows]


def run(name: str, data: DataSet, seconds: float, seed: int) -> tuple[dict[str, object], FloatArray]:
    """Tune, refit, predict the test rows: what there is to say about it, and the predictions."""
    model = MODELS[name](is_classifier=data.task != "regression", seed=seed)
    began_at = time.perf_counter()
    tuned = tune(model, data, began_at, seconds)
    model.fit(data.X_train, data.y_train, tuned.params, Deadline(began_at + seconds, is_final=True))
    used = time.perf_counter() - began_at
    said = {
        "seconds": used,
        "n_trials": tuned.n_complete + tuned.n_pruned,
        "n_complete": tuned.n_complete,
        "n_failed": 0,
        "validation": tuned.best,
        "curve": tuned.curve,
        "params": tuned.params,
    }
    return said, model.predict(data.X_test)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=list(MODELS))
    parser.add_argument("data")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--predictions", type=Path, required=True, help="NPY file to write")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of convergence: the time decides, not the tolerance
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    said, predictions = run(options.model, load(options.data), options.seconds, options.seed)
    np.save(options.predictions, predictions)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
