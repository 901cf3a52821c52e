"""One sweep from its configuration to its result: the composition root.

    configuration -> data -> study and record -> trials -> winner -> report

Read `run_sweep` top down, then the three functions below it: begin, run the trials, end.
"""

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from optuna.exceptions import ExperimentalWarning

from engine import TrainingData
from engine.threads import one_blas_thread
from experiments.baseline import BaselineFits, fitted_meanwhile
from experiments.class_shares import share_shift
from experiments.error_text import mask_password
from experiments.preparation import PreparedData
from experiments.promotion.words import Promotion
from sweeps.configuration.config import Config
from sweeps.configuration.config_file import check_variables, scheduler_of
from sweeps.data import load_data, notes_on_data, problem_of, training_data, with_objects
from sweeps.execution.executors import Workers
from sweeps.interrupts import Interrupts
from sweeps.promotion.gate import Gate, with_outcome
from sweeps.recording.description import won
from sweeps.recording.record import Audience, Record
from sweeps.report.report import report_at_the_end
from sweeps.results.progress import Progress, SilentProgress
from sweeps.results.result import SweepResult
from sweeps.retention.pruning import prune_at_the_end
from sweeps.retention.rule import Retention
from sweeps.search.flight import trials_in_flight, trials_in_flight_known
from sweeps.search.live_study import LiveStudy
from sweeps.search.samplers import check_package, notes_on
from sweeps.search.schedule import Hooks, Plan, Schedule
from sweeps.search.winner import Winner, crown
from sweeps.storage.checkpoint import Checkpoint
from sweeps.storage.kept_trials import KeptTrials
from sweeps.storage.overlap import make_way
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_folder import StudyFolder
from sweeps.storage.study_lease import place_of
from sweeps.storage.workspace import Workspace
from sweeps.study_of_run import open_study
from sweeps.trials.configurations import n_configurations
from sweeps.trials.memory import with_memory
from sweeps.trials.problem import Problem
from sweeps.trials.recipe import with_recipe
from sweeps.trials.rungs import Rungs
from sweeps.trials.stored_trial import StoredTrial
from sweeps.trials.trial import TrialResult

END_SECONDS = 4.0
"""How much of a limit of time is left for ensemble, scores, report and record, beside the winner's refit; of short
limits a third."""

SECONDS_OVER = 2.0
"""How long MLflow is waited for beyond a limit of time; what is pending then is said and delivered later."""


def run_sweep(
    config: Config,
    *,
    train: object | None = None,
    test: object | None = None,
    is_new: bool = False,
    progress: Progress | None = None,
    directory: Path | None = None,
) -> SweepResult:
    """Run a sweep to its end, or go on with that of the same configuration and data, interrupted or finished.

    Args:
        config: From `load_config`.
        train, test: Examples in place of those that the configuration names: (X, y), with X an array or a table, or a
            table with the target in it. Tables are pandas', polars' or of any library that shows them as Arrow's.
        is_new: Start afresh even if there is one to continue.
        progress: Told what happens; None says nothing.
        directory: Where the record is kept; None is the working directory.
    Raises:
        InputError: The data, the storage or the folder are not as they must be.
        LeaseHeldError: Another run of this sweep is alive here, and `[sweep] overlap` is "refuse" or could not be done.
        InterruptedSweepError: SIGINT or SIGTERM came, or the run was stopped in MLflow; the same call continues.
    """
    began_at, progress = time.monotonic(), progress or SilentProgress()
    config, objects = with_objects(config, train, test)
    workspace = Workspace(directory or Path.cwd())
    check_variables(config)
    check_package(config.study.sampler)
    ends_at = _ends_at(config.sweep.timeout_seconds)
    waits_until = time.time() + (config.sweep.timeout_seconds or math.inf) + SECONDS_OVER
    with ExitStack() as run:  # what is entered here stays open when the workers are gone
        run.enter_context(progress)
        patience = make_way(workspace, config.sweep.name, config.sweep.overlap, ends_at, progress.say)
        most = trials_in_flight_known(config)
        with Workers(config.execution.executor, config.execution.workers, most) as workers:  # they import meanwhile
            prepared = load_data(config, **objects, advance=progress.reading)
            terms = _Terms(is_new, patience, waits_until)
            sweep = run.enter_context(_begun(config, workspace, prepared, progress, terms))
            problem, quiet = sweep.problem, (ExperimentalWarning,)
            meanwhile = fitted_meanwhile(prepared, problem.seed, problem.threshold, quiet, problem.objective)
            fits = run.enter_context(meanwhile)
            _run_trials(sweep, workers, ends_at)
        leaderboard, winner, has_report, promotion = _end(sweep, fits)

    delivered = sweep.record.delivered
    assert delivered is not None, "leaving the record delivers it"

    def place(file: Path, *, is_there: bool) -> str | None:
        return str(file.relative_to(workspace.directory)) if is_there else None

    return SweepResult(
        sweep=config.sweep.name,
        study=sweep.stored.name,
        state=sweep.record.state,
        task=prepared.dataset.task,
        n_test=prepared.dataset.n_test,
        share_shift=share_shift(prepared.dataset),
        rows=leaderboard,
        n_configurations=n_configurations(sweep.config.space, config.sweep.n_trials),
        winner=winner,
        model_file=place(sweep.folder.model, is_there=winner is not None),
        ensemble_file=place(sweep.folder.ensemble, is_there=winner is not None and winner.ensemble is not None),
        report_file=place(sweep.folder.report, is_there=has_report),
        folder=sweep.folder.path.resolve(),
        tracking_uri=mask_password(workspace.tracking_uri(sweep.folder)),
        delivery=delivered.own,
        older_pending=delivered.others,
        promotion=promotion and with_outcome(promotion, sweep.folder),
        elapsed_seconds=time.monotonic() - began_at,
    )


@dataclass(frozen=True, slots=True)
class _Terms:
    """How one run begins, and when it ends at the latest.

    Attributes:
        is_new: Whether it starts afresh.
        patience: Seconds that it waits for the sweep's lease.
        waits_until: Unix time from which on it waits for MLflow no longer.
    """

    is_new: bool
    patience: float
    waits_until: float


@dataclass(frozen=True, slots=True)
class _Sweep:
    """What a sweep that has begun works with.

    Attributes:
        ended: Trials that ended in an earlier process, best first.
    """

    config: Config
    workspace: Workspace
    prepared: PreparedData
    problem: Problem
    data: TrainingData
    stored: StoredStudy
    ended: list[StoredTrial]
    folder: StudyFolder
    record: Record
    kept: KeptTrials
    interrupts: Interrupts
    progress: Progress


@contextmanager
def _begun(
    config: Config, workspace: Workspace, prepared: PreparedData, progress: Progress, terms: _Terms
) -> Iterator[_Sweep]:
    """The sweep's lease, study and record are ours until the block is left; then the record goes to MLflow."""
    problem = problem_of(config, prepared)
    config = with_recipe(config, problem)
    data = training_data(
        prepared,
        config.execution.dtype,
        leaves_span=problem.leaves_span(config.space),
        minibatch_sizes=config.space.minibatch_size,
    )
    digest = prepared.dataset.digest
    workspace.create()
    with (
        workspace.lease(config.sweep.name, terms.patience),
        Interrupts() as interrupts,
        one_blas_thread(),
        open_study(config, workspace, digest, is_new=terms.is_new, interrupts=interrupts, progress=progress) as stored,
    ):
        config, notes_on_memory = with_memory(config, stored.attributes.remembered)
        notes, n_routine = notes_on_data(prepared), int(config.data.task is None)  # the first says which task it is
        for note in (*notes[:n_routine], *notes_on(config), *notes_on_memory):
            progress.tell(note)
        for note in notes[n_routine:]:
            progress.say(note)
        folder = workspace.study_folder(stored.name)
        audience = Audience(progress.say, progress.tell, interrupts.has_come, terms.waits_until)
        with Record(config, stored.name, prepared, workspace, audience) as record:
            interrupts.also(record.look)  # says, once, that MLflow refuses the record; stops when its run is stopped
            ended = stored.ended_trials()
            kept = KeptTrials(folder.kept_trials, ended, problem.objective)
            yield _Sweep(
                config, workspace, prepared, problem, data, stored, ended, folder, record, kept, interrupts, progress
            )
        stored.set_attribute("state", record.state)
        retention = Retention(config.retention.keep, config.retention.days)
        prune_at_the_end(workspace, config.sweep.name, retention, progress.say)  # rewrites the journal: the last step


def _run_trials(sweep: _Sweep, workers: Workers, ends_at: float) -> None:
    config, stored = sweep.config, sweep.stored
    n_in_flight = stored.attributes.trials_in_flight
    if n_in_flight == 0:
        n_in_flight = trials_in_flight(config, sweep.problem)
        stored.set_attribute("trials_in_flight", n_in_flight)
    rungs, n_trials = Rungs(config.search.max_iterations), stored.attributes.n_trials

    def trial_ended(result: TrialResult) -> None:
        sweep.record.trial_ended(result)  # the outbox has each trial once, also one that is recalled
        sweep.kept.keep(result)
        if not result.is_recalled:
            sweep.progress.trial_ended(result.trial)

    sweep.progress.begin(stored.name, n_trials, sweep.ended, sweep.problem.objective)
    executor, run_rung = workers.train_on(
        sweep.data,
        folder=sweep.folder.path,
        scheduler=scheduler_of(config),
        data_name=f"{stored.name} of {place_of(sweep.workspace)}",
        trials_in_flight=n_in_flight,
        say=sweep.progress.say,
    )
    plan = Plan(
        problem=sweep.problem,
        rungs=rungs,
        n_trials=n_trials,
        trials_in_flight=n_in_flight,
        patience=config.sweep.patience,
        stops_early=config.study.stops_early,
    )
    hooks = Hooks(check_interrupt=sweep.interrupts.check, on_trial_end=trial_ended, ends_at=ends_at)
    with Checkpoint(sweep.folder.checkpoint, stored.name, sweep.progress.say) as checkpoint:
        Schedule(LiveStudy(stored, config, rungs), executor, run_rung, checkpoint, plan, hooks).run()


def _end(sweep: _Sweep, fits: BaselineFits) -> tuple[list[StoredTrial], Winner | None, bool, Promotion | None]:
    """The leaderboard, the winner if there is one, whether there is a report, and whether the winner is to be champion.

    All of it is on record.
    """
    sweep.interrupts.check()  # the winner may take as long to train as any trial
    stored, prepared = sweep.stored, sweep.prepared
    leaderboard = stored.leaderboard()
    kept = sweep.kept.load(sweep.progress.say)
    simple = fits.wait(sweep.interrupts.check, for_folds=sweep.config.sweep.timeout_seconds is None)
    winner = crown(leaderboard, kept, simple, sweep.problem, sweep.data, prepared, sweep.config, stored.name)
    for shortage in filter(None, (fits.shortage, *(() if winner is None else winner.shortages))):
        sweep.progress.say(shortage)
    if winner is not None:
        winner.model.save(sweep.folder.model)
        if winner.ensemble is not None:
            winner.ensemble.model.save(sweep.folder.ensemble)
    report = report_at_the_end(stored, sweep.workspace, winner, sweep.progress.say)
    description = won(winner, leaderboard, prepared.dataset.n_test, has_report=bool(report))
    sweep.record.finish(winner, description, report)
    promotion = None
    if winner is not None:
        gate = Gate(sweep.config, prepared, sweep.workspace, sweep.folder, sweep.record)
        promotion = gate.pass_through(winner)
    return leaderboard, winner, bool(report), promotion


def _ends_at(timeout_seconds: float | None) -> float:
    """Unix time at which the winner must have been refitted; inf without a limit."""
    if timeout_seconds is None:
        return math.inf
    return time.time() + timeout_seconds - min(END_SECONDS, timeout_seconds / 3)
