"""One sweep from its configuration to its result: the composition root.

    configuration -> data -> study -> executor -> schedule -> winner -> report -> record

Read `run_sweep` top down; each step is a call into the module of that name.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine import TrainingData
from engine.threads import one_blas_thread
from experiments.error_text import mask_password
from sweeps.configuration.config import Config
from sweeps.configuration.config_file import check_variables, scheduler_of
from sweeps.data import load_data, problem_of, unseen_in_test
from sweeps.execution.executors import open_executor, started_workers
from sweeps.interrupts import Interrupts
from sweeps.recording.description import won
from sweeps.recording.record import Record
from sweeps.report.report import report_at_the_end
from sweeps.results.progress import Progress, SilentProgress
from sweeps.results.result import SweepResult
from sweeps.search.live_study import LiveStudy
from sweeps.search.schedule import Hooks, Plan, Schedule
from sweeps.search.winner import crown
from sweeps.storage.checkpoint import Checkpoint
from sweeps.storage.study_lease import place_of
from sweeps.storage.workspace import Workspace
from sweeps.study_of_run import open_study
from sweeps.trials.rungs import Rungs
from sweeps.trials.trial import TrialResult


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
    with started_workers(config.execution.executor, config.execution.workers) as workers:  # they import meanwhile
        prepared = load_data(config)
        problem = problem_of(config, prepared)
        rungs = Rungs(config.search.max_iterations)
        data = TrainingData.of(prepared.X, prepared.Y, prepared.held_out, np.dtype(config.execution.dtype))
        workspace.create()

        with (
            workspace.lease(config.sweep.name),
            Interrupts() as interrupts,
            one_blas_thread(),
            progress,
            open_study(
                config, workspace, prepared.dataset.digest, is_new=is_new, interrupts=interrupts, say=progress.say
            ) as stored,
        ):
            folder = workspace.study_folder(stored.name)
            for note in unseen_in_test(prepared):
                progress.say(note)
            with Record(config, stored.name, prepared, workspace, progress.say) as record:
                interrupts.also(record.look)

                def trial_ended(result: TrialResult) -> None:
                    record.trial_ended(result)
                    if not result.is_recalled:
                        progress.trial_ended(result.trial)

                n_trials, study = stored.attributes.n_trials, config.study
                plan = Plan(problem, rungs, n_trials, study.trials_in_flight, config.sweep.patience, study.stops_early)
                progress.begin(n_trials, [trial for trial in stored.leaderboard() if trial.has_ended])
                with (
                    open_executor(
                        config.execution.executor,
                        config.execution.workers,
                        data,
                        workers=workers,
                        folder=folder.path,
                        scheduler=scheduler_of(config),
                        data_name=f"{stored.name} of {place_of(workspace)}",
                        trials_in_flight=config.study.trials_in_flight,
                        say=progress.say,
                    ) as (executor, run_rung),
                    Checkpoint(folder.checkpoint, stored.name) as checkpoint,
                ):
                    Schedule(
                        LiveStudy(stored, config, rungs),
                        executor,
                        run_rung,
                        checkpoint,
                        plan,
                        Hooks(_budget(config.sweep.timeout_seconds, began_at), interrupts.check, trial_ended),
                    ).run()

                interrupts.check()  # the winner may take as long to train as any trial
                trials = stored.leaderboard()
                winner = crown(trials, problem, data, prepared, stored.name)
                if winner is not None:
                    winner.model.save(folder.model)
                report = report_at_the_end(stored, workspace, winner, progress.say)
                outcome = won(winner, trials, prepared.dataset.n_test, has_report=bool(report))
                record.finish(winner, outcome, report)
            state = "FAILED" if winner is None else "FINISHED"
            stored.set_attribute("state", state)

    assert record.delivered is not None, "leaving the record delivers it"
    return SweepResult(
        sweep=config.sweep.name,
        study=stored.name,
        state=state,
        task=prepared.dataset.task,
        n_test=prepared.dataset.n_test,
        rows=trials,
        winner=winner,
        model_file=None if winner is None else str(folder.model.relative_to(workspace.directory)),
        report_file=str(folder.report.relative_to(workspace.directory)) if report else None,
        folder=folder.path.resolve(),
        tracking_uri=mask_password(workspace.tracking_uri(folder)),
        delivery=record.delivered.own,
        older_pending=record.delivered.others,
        elapsed_seconds=time.monotonic() - began_at,
    )


def _budget(timeout_seconds: float | None, began_at: float) -> Callable[[], bool]:
    if timeout_seconds is None:
        return lambda: False
    return lambda: time.monotonic() - began_at >= timeout_seconds
