"""Small sweeps for the tests: a configuration, a problem that has every outcome, a trial table to compare."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState

from engine import TrainingData
from engine.threads import one_blas_thread
from engine.worker import Rung, RungResult, run_rung
from sweeps.configuration.config import Config
from sweeps.configuration.config_file import parse_config
from sweeps.execution.contract import RungExecutor
from sweeps.execution.executors import Workers
from sweeps.execution.serial import SerialExecutor
from sweeps.search.flight import trials_in_flight
from sweeps.search.live_study import LiveStudy
from sweeps.search.schedule import Hooks, Plan, Schedule
from sweeps.storage.checkpoint import Checkpoint
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_attributes import StudyAttributes
from sweeps.trials.problem import Problem
from sweeps.trials.rungs import Rungs
from sweeps.trials.space import Candidate
from sweeps.trials.stored_trial import StoredTrial, TrialNotes
from sweeps.trials.trial import TrialResult

SEARCH = {
    "learning_rate": {"low": 1e-3, "high": 30.0, "log": True},  # squared errors diverge above 1 or so
    "n_iterations": {"low": 6, "high": 54},
    "depth": {"low": 0, "high": 2},
    "hidden_units": {"low": 2, "high": 5},
}


def small_config(directory: Path | None = None, **sections: Any) -> Config:
    """12 trials, four in flight, on iris, in this process; `sections` replace single keys."""
    values: dict[str, Any] = {
        "sweep": {"name": "small", "n_trials": 12, "seed": 2},
        "data": {"train": "sklearn:iris", "folds": 2},
        "search": dict(SEARCH),
        "training": {"recipe": "textbook"},  # the range of learning rates is one for gradient descent
        "study": {"trials_in_flight": 4, "pruner": "hyperband"},  # prunes late enough for a trial to diverge first
        "execution": {"executor": "serial"},
    }
    for section, changes in sections.items():
        values[section] = values.get(section, {}) | changes if isinstance(changes, dict) else changes
    return parse_config(values, source="small", directory=directory or Path.cwd())


def small_problem(dtype: str = "float32") -> tuple[Problem, TrainingData]:
    """A regression of 30 examples by 3 features, two folds."""
    generator = np.random.default_rng(5)
    X = generator.standard_normal((3, 30))
    Y = np.sin(X[:1] * 2) + X[1:2] ** 2 / 2 + generator.standard_normal((1, 30)) / 10
    held_out = np.zeros((2, 30), np.bool_)
    held_out[0, :15], held_out[1, 15:] = True, True
    return Problem(3, 1, 30, 2, "regression", dtype, 1), TrainingData.of(X, Y, held_out, np.dtype(dtype))


@contextmanager
def open_executor(
    name: str, n_workers: int, data: TrainingData, **place: Any
) -> Iterator[tuple[RungExecutor, Callable[[Rung], RungResult]]]:
    """An executor whose workers have the data, as long as entered; `place` is for `Workers.train_on`."""
    with Workers(name, n_workers) as workers:
        yield workers.train_on(data, **place)


def nothing(*_: object) -> None:
    """Ignores what it is told."""


def new_study(storage: BaseStorage, name: str = "small/1") -> StoredStudy:
    """A study as `run` creates it."""
    return StoredStudy.create(
        storage, name, StudyAttributes(name="small", search=small_config().search.model_dump(mode="json"))
    )


def run_schedule(
    stored: StoredStudy,
    config: Config | None = None,
    executor: RungExecutor | None = None,
    run_rung_there: Any = None,
    checkpoint_file: Path | None = None,
    n_trials: int | None = None,
    **hooks: Any,
) -> list[TrialResult]:
    """Run the trials of a study to their end, or on from where it stands; what this process ended, in order."""
    config = config or small_config()
    problem, data = small_problem()
    rungs = Rungs(config.search.max_iterations)
    ended: list[TrialResult] = []
    n_trials = n_trials or config.sweep.n_trials
    stops_early = config.study.stops_early
    plan = Plan(problem, rungs, n_trials, trials_in_flight(config, problem), config.sweep.patience, stops_early)
    checkpoint = Checkpoint(checkpoint_file or Path("/nonexistent/checkpoint.h5"), stored.name)
    with one_blas_thread(), checkpoint if checkpoint_file is not None else nullcontext():
        Schedule(
            LiveStudy(stored, config, rungs),
            executor or SerialExecutor(),
            run_rung_there or (lambda rung: run_rung(rung, data)),
            checkpoint,
            plan,
            Hooks(**({"on_trial_end": ended.append} | hooks)),
        ).run()
    return ended


def trial_of(
    number: int,
    state: TrialState = TrialState.COMPLETE,
    value: float | None = 0.5,
    *,
    best_iteration: int | None = 40,
    reason: str = "",
    candidate: Candidate | None = None,
) -> StoredTrial:
    """A trial as a storage holds it; where nothing is said of its candidate, logistic regression."""
    notes = TrialNotes(best_iteration, reason)
    return StoredTrial(number, state, value, candidate or Candidate(0.1, 50, (), "relu"), notes, None, None)


def table(stored: StoredStudy) -> list[dict[str, Any]]:
    """All of a study that must not depend on how it was run; floats are compared bit for bit by ==."""
    return [
        {
            "number": trial.number,
            "state": trial.state.name,
            "value": trial.value,
            "params": trial.params,
            "intermediate_values": trial.intermediate_values,
            "user_attrs": trial.user_attrs,
        }
        for trial in stored.trials
    ]


def undisturbed_table(config: Config | None = None) -> list[dict[str, Any]]:
    """The table of a sweep in memory, in one process, that nothing interrupts."""
    stored = new_study(InMemoryStorage())
    run_schedule(stored, config)
    return table(stored)
