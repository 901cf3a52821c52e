"""One sweep from its configuration to its result: the composition root.

    configuration -> data -> study -> executor -> schedule -> winner -> record

Read `run_sweep` top down; each step is a call into the module of that name.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from engine import TrainingData, save_weights
from engine.threads import machine_kind, one_blas_thread
from experiments.dataset import load_dataset
from experiments.delivery import mask_password
from experiments.preparation import PreparedData, prepare
from sweeps.checkpoint import Checkpoint
from sweeps.config import Config
from sweeps.config_file import check_variables, expand_uri
from sweeps.database import answering
from sweeps.executors import open_executor
from sweeps.interrupts import Interrupts
from sweeps.progress import Progress, SilentProgress
from sweeps.record import Record
from sweeps.result import SweepResult, leaderboard
from sweeps.rungs import Rungs
from sweeps.schedule import Schedule
from sweeps.space import recall
from sweeps.study import LiveStudy, StoredStudy
from sweeps.study_lease import StudyLease, place_of
from sweeps.trial import Problem, TrialResult
from sweeps.winner import Winner, best_trial, refit
from sweeps.workspace import Workspace


def run_sweep(
    config: Config, *, is_new: bool = False, progress: Progress | None = None, directory: Path | None = None
) -> SweepResult:
    """Run a sweep to its end, or continue the interrupted one of the same configuration and data.

    Args:
        config: From `load_config`.
        is_new: Start afresh even if there is one to continue.
        progress: Told what happens; None says nothing.
        directory: Where the record is kept; None is the working directory.
    Raises:
        InputError: The data, the storage or the folder are not as they must be.
        LeaseHeldError: Another run of this sweep is alive here.
        InterruptedSweepError: SIGINT or SIGTERM came; the same call continues.
    """
    began_at = time.monotonic()
    progress = progress or SilentProgress()
    workspace = Workspace(directory or Path.cwd())
    check_variables(config)
    prepared = load_data(config)
    problem = problem_of(config, prepared)
    rungs = Rungs(config.search.max_iterations)
    data = TrainingData.of(prepared.X, prepared.Y, prepared.held_out, np.dtype(config.execution.dtype))
    workspace.create()

    url = config.study.storage and expand_uri(config.study.storage, "[study] storage")

    with (
        workspace.lease(config.sweep.name),
        Interrupts() as interrupts,
        one_blas_thread(),
        progress,
        answering(url),
        ExitStack() as shared,
    ):
        stored = open_study(config, workspace, url, prepared.dataset.digest, is_new, progress.say)
        if url is not None:
            interrupts.also(shared.enter_context(StudyLease(stored, place_of(workspace))).check)
        folder = workspace.study_folder(stored.name)
        with Record(config, stored.name, prepared, workspace) as record:

            def trial_ended(result: TrialResult) -> None:
                record.trial_ended(result)
                progress.trial_ended(result)

            scheduler = config.execution.scheduler
            n_trials = stored.attributes["sweeps.n_trials"]
            progress.begin(n_trials, sum(trial.state.is_finished() for trial in stored.trials))
            with (
                open_executor(
                    config.execution.executor,
                    config.execution.workers,
                    data,
                    scheduler=scheduler and expand_uri(scheduler, "[execution] scheduler"),
                    study=stored.name,
                    say=progress.say,
                ) as (executor, run_rung),
                Checkpoint(folder / "checkpoint.h5", stored.name) as checkpoint,
            ):
                Schedule(
                    LiveStudy(stored, config, rungs),
                    executor,
                    run_rung,
                    problem,
                    rungs,
                    checkpoint,
                    n_trials=n_trials,
                    trials_in_flight=config.study.trials_in_flight,
                    patience=config.sweep.patience,
                    is_over=_budget(config.sweep.timeout_seconds, began_at),
                    check_interrupt=interrupts.check,
                    on_trial_end=trial_ended,
                ).run()

            trials = stored.trials
            model_file = folder / "model.h5"
            winner: Winner | None = None
            best = best_trial(trials)
            if best is not None:
                candidate = recall(best, config.search)
                winner = refit(best, candidate, problem, data, prepared, {"study": stored.name})
                save_weights(model_file, winner.weights)
            record.finish(winner)
        stored.set_attribute("sweeps.state", "FINISHED")

    assert record.delivered is not None, "leaving the record delivers it"
    return SweepResult(
        sweep=config.sweep.name,
        study=stored.name,
        state="FAILED" if winner is None else "FINISHED",
        task=prepared.dataset.task,
        n_test=prepared.dataset.n_test,
        rows=leaderboard(trials, config.search),
        winner=winner,
        model_file=None if winner is None else str(model_file.relative_to(workspace.directory)),
        tracking_uri=mask_password(workspace.tracking_uri(stored.name)),
        delivery=record.delivered,
        elapsed_seconds=time.monotonic() - began_at,
    )


def load_data(config: Config) -> PreparedData:
    """Read, check, split and scale the data of a configuration.

    Raises:
        InputError: Something is wrong with them.
    """
    dataset = load_dataset(
        config.data.train,
        test=config.data.test,
        target=config.data.target,
        task=config.data.task,
        test_fraction=config.data.test_fraction,
        seed=config.sweep.seed,
        directory=config.directory,
    )
    return prepare(
        dataset,
        scaling=config.data.scaling,
        folds=config.data.n_folds,
        validation_fraction=config.data.validation_fraction,
        nonnegative_target=config.data.nonnegative_target,
        seed=config.sweep.seed,
    )


def problem_of(config: Config, prepared: PreparedData) -> Problem:
    """What every trial of the sweep is built for."""
    is_price = prepared.dataset.task == "regression" and config.data.nonnegative_target
    return Problem(
        n_features=prepared.X.shape[0],
        n_outputs=prepared.Y.shape[0],
        n_examples=prepared.X.shape[1],
        n_folds=prepared.held_out.shape[0],
        head="nonnegative_regression" if is_price else prepared.dataset.task,
        dtype=config.execution.dtype,
        seed=config.sweep.seed,
    )


def open_study(
    config: Config, workspace: Workspace, url: str | None, data_digest: str, is_new: bool, say: Callable[[str], None]
) -> StoredStudy:
    """The interrupted study of this configuration and data, or a new one; `url` is the storage's, None our own."""
    storage = workspace.open_storage(config.sweep.name, url)
    fingerprint = config.fingerprint(data_digest)
    kind = machine_kind()
    for stored in reversed(StoredStudy.all_of(storage, config.sweep.name)):
        attributes = stored.attributes
        if is_new or attributes["sweeps.state"] == "FINISHED":
            continue
        if attributes["sweeps.fingerprint"] != fingerprint:
            say(f"{stored.name} was interrupted with another configuration or other data; it is left as it is.")
            continue
        if attributes["sweeps.machine"] != kind:
            say(
                f"{stored.name} began on another kind of machine ({attributes['sweeps.machine']}); this is {kind}. "
                "The last bits of its costs may differ."
            )
        say(f"Continuing {stored.name}.")
        n_trials = max(config.sweep.n_trials, len(stored.trials))  # what has begun is brought to its end
        stored.set_attribute("sweeps.n_trials", n_trials)
        workspace.keep_storage(stored.name, config.study.storage)
        return stored
    stored = StoredStudy.create(
        storage,
        workspace.new_study_name(config.sweep.name),
        {
            "sweeps.name": config.sweep.name,
            "sweeps.fingerprint": fingerprint,
            "sweeps.machine": kind,
            "sweeps.search": config.search.model_dump(mode="json"),
            "sweeps.n_trials": config.sweep.n_trials,
            "sweeps.started_at": time.time(),
            "sweeps.lease": "" if url is None else f"new 0 {place_of(workspace)}",
            "sweeps.state": "RUNNING",
        },
    )
    workspace.keep_storage(stored.name, config.study.storage)
    say(f"Starting {stored.name}.")
    return stored


def _budget(timeout_seconds: float | None, began_at: float) -> Callable[[], bool]:
    if timeout_seconds is None:
        return lambda: False
    return lambda: time.monotonic() - began_at >= timeout_seconds
