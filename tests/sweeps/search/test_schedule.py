"""The trial table is a function of configuration, data and seed: not of workers, of arrival, of kills, of the clock."""

import os
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from engine.worker import run_rung
from sweeps.results.progress import SilentProgress
from sweeps.storage.journal import JournalFile
from sweeps.storage.workspace import Workspace
from sweeps.study_of_run import find_or_create
from sweeps.trials.problem import Problem, imagined_seconds
from sweeps.trials.space import Candidate
from tests.sweeps.support import faults
from tests.sweeps.support.shuffled import Shuffled
from tests.sweeps.support.small_sweep import (
    new_study,
    nothing,
    open_executor,
    run_schedule,
    small_config,
    small_problem,
    table,
    undisturbed_table,
)

pytestmark = pytest.mark.usefixtures("quiet_optuna")

CONFIG = small_config()


@pytest.fixture(scope="module")
def undisturbed():
    """The table that everything else is compared with; it has every outcome, or it would prove little."""
    rows = undisturbed_table()
    assert {row["state"] for row in rows} == {"COMPLETE", "PRUNED", "FAIL"}
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_the_table_does_not_depend_on_the_order_in_which_results_arrive(undisturbed, seed):
    stored = new_study(InMemoryStorage())
    with Shuffled(seed) as executor:
        run_schedule(stored, executor=executor)
        assert executor.order != sorted(executor.order), "nothing was out of order"
    assert table(stored) == undisturbed


@pytest.mark.parametrize("n_workers", [1, 2, 4])
def test_the_table_does_not_depend_on_the_number_of_processes_nor_on_when_they_answer(undisturbed, n_workers):
    _, data = small_problem()
    stored = new_study(InMemoryStorage())
    with open_executor("processes", n_workers, data) as (executor, run_rung_there):
        delayed = partial(faults.delayed, n_workers, run_rung_there)
        run_schedule(stored, executor=executor, run_rung_there=delayed)
    assert table(stored) == undisturbed


def test_the_table_does_not_depend_on_the_clock(undisturbed, monkeypatch):
    ticks = iter(range(10**6, 0, -1))  # backwards, a second a look
    monkeypatch.setattr(time, "time", lambda: float(next(ticks)))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))
    stored = new_study(InMemoryStorage())
    run_schedule(stored)
    assert table(stored) == undisturbed


def test_the_table_does_not_depend_on_the_name_that_the_storage_gives_the_study(undisturbed):
    """Hyperband draws a trial's bracket from the name of the study; the stored name holds the time."""
    stored = new_study(InMemoryStorage(), "small/20991231-235959")
    run_schedule(stored)
    assert table(stored) == undisturbed


def test_trials_in_flight_is_part_of_the_result_and_not_of_the_machine(undisturbed):
    sequential = undisturbed_table(small_config(study={"trials_in_flight": 1}, sweep={"n_trials": 16}))
    assert [row["params"] for row in sequential[:12]] != [row["params"] for row in undisturbed]


# --- told, shown, judged ---


def test_every_trial_is_told_of_once_in_the_state_that_the_storage_has():
    stored = new_study(InMemoryStorage())
    ended = run_schedule(stored)
    assert sorted(result.trial.number for result in ended) == list(range(12))
    rows = {row["number"]: row for row in table(stored)}
    for result in ended:
        row = rows[result.trial.number]
        assert (result.trial.state.name, result.trial.value) == (row["state"], row["value"])
        reason = {"reason": result.trial.notes.reason} if result.trial.notes.reason else {}
        assert row["user_attrs"] == {"best_iteration": result.trial.best_iteration} | reason
        assert result.trial.candidate.params.items() >= row["params"].items()
        assert not result.trial.notes.is_interrupted


def test_the_value_of_a_trial_is_the_lowest_cost_of_the_curve_that_was_told(undisturbed):
    for result in run_schedule(new_study(InMemoryStorage())):
        if result.trial.state == TrialState.FAIL:
            assert (result.trial.value, result.trial.best_iteration) == (None, None)
            continue
        costs = result.curve.validation_cost.mean(axis=1)
        assert result.trial.value == costs.min()
        assert costs[result.curve.iterations.index(result.trial.best_iteration)] == result.trial.value


def test_a_complete_trial_was_trained_to_its_end_and_a_pruned_one_to_the_rung_that_gave_it_up():
    stored = new_study(InMemoryStorage())
    for result in run_schedule(stored):
        steps = list(stored.trials[result.trial.number].intermediate_values)
        if result.trial.state == TrialState.COMPLETE:
            assert steps[-1] == result.trial.candidate.n_iterations
            assert result.trial.notes.reason or result.curve.iterations[-1] == steps[-1]
        elif result.trial.state == TrialState.PRUNED:
            assert result.curve.iterations[-1] == steps[-1]
            assert result.trial.notes.reason == f"pruned after {steps[-1]} iterations"


def levelled_off(result, stored):
    """Of a trial: iterations of the rungs that it was trained for and of those that it was not, from its values."""
    steps, values = zip(*stored.trials[result.trial.number].intermediate_values.items(), strict=True)
    n_trained = next((n for n in range(2, len(values)) if values[n - 1] == values[n - 2]), len(values))
    return steps[:n_trained], steps[n_trained:]


def test_a_trial_whose_cost_has_levelled_off_is_trained_no_further_and_keeps_its_value():
    stored, n_stopped = new_study(InMemoryStorage()), 0
    for result in run_schedule(stored, config=small_config(study={"pruner": "median"})):
        if result.trial.state == TrialState.FAIL:
            continue
        trained, left = levelled_off(result, stored)
        assert result.curve.iterations[-1] == trained[-1]
        n_stopped += bool(left)
        if left:
            stop = f"trained for {trained[-1]} iterations, no lower validation cost since {result.trial.best_iteration}"
            assert result.trial.notes.reason.endswith(stop)
            assert result.trial.best_iteration <= trained[-2]
            assert stored.trials[result.trial.number].intermediate_values[left[-1]] == result.trial.value
    assert n_stopped > 1


def test_without_a_pruner_every_trial_is_trained_to_its_end():
    stored, config = new_study(InMemoryStorage()), small_config(study={"pruner": "none"})
    ended = [result for result in run_schedule(stored, config) if result.trial.state == TrialState.COMPLETE]
    assert any(levelled_off(result, stored)[1] for result in ended), "nothing levelled off"
    for result in ended:
        assert result.curve.iterations[-1] == result.trial.candidate.n_iterations
        assert result.trial.notes.reason == ""


def test_a_trial_that_diverges_fails_with_iteration_and_learning_rate_and_the_sweep_goes_on(undisturbed):
    failed = [row for row in undisturbed if row["state"] == "FAIL"]
    assert failed[0]["number"] < 11
    for row in failed:
        reason = row["user_attrs"]["reason"]
        assert reason.startswith(f"trial {row['number']}: cost is not finite at iteration ")
        assert (
            f"(learning_rate = {row['params']['learning_rate']:.4g}, {row['params']['activation']}, float32)" in reason
        )
        assert row["value"] is None


def test_a_sweep_whose_every_trial_diverges_ends():
    config = small_config(
        search={"learning_rate": 1e6, "n_iterations": 60, "depth": 0}, study={"pruner": "none"}, sweep={"n_trials": 6}
    )
    assert [row["state"] for row in undisturbed_table(config)] == ["FAIL"] * 6


def test_a_rung_that_raises_fails_its_trial_with_the_reason_and_the_sweep_goes_on():
    _, data = small_problem()

    def raises_in_trial_3(rung):
        if rung.initial_seed[1] == 3:
            raise MemoryError("no room")
        return run_rung(rung, data)

    stored = new_study(InMemoryStorage())
    run_schedule(stored, run_rung_there=raises_in_trial_3)
    rows = table(stored)
    assert rows[3]["state"] == "FAIL"
    assert rows[3]["user_attrs"]["reason"].startswith("trial 3: its worker ran out of memory (no room). Use fewer work")
    assert sum(row["state"] != "FAIL" for row in rows) >= 6
    assert len(rows) == 12


def test_no_more_trials_are_in_flight_than_the_configuration_says():
    begun, ended, most = set(), set(), 0
    _, data = small_problem()

    def watch(rung):
        nonlocal most
        begun.add(rung.initial_seed[1])
        most = max(most, len(begun - ended))
        return run_rung(rung, data)

    run_schedule(
        new_study(InMemoryStorage()), run_rung_there=watch, on_trial_end=lambda result: ended.add(result.trial.number)
    )
    assert most == CONFIG.study.trials_in_flight


# --- the budget ---


def over_after(n_looks):
    """A budget that ends at the n-th look."""
    looks = iter(range(n_looks))
    return lambda: next(looks, None) is None


@pytest.mark.parametrize("n_looks", [0, 1, 5, 9])
def test_when_the_budget_ends_outstanding_trials_are_pruned_and_marked_as_interrupted(n_looks):
    stored = new_study(InMemoryStorage())
    ended = run_schedule(stored, is_over=over_after(n_looks))
    assert all(trial.state.is_finished() for trial in stored.trials)
    assert {result.trial.number for result in ended} == {trial.number for trial in stored.trials}
    interrupted = [result for result in ended if result.trial.notes.is_interrupted]
    assert len(interrupted) == CONFIG.study.trials_in_flight
    for result in interrupted:
        assert result.trial.state == TrialState.PRUNED
        assert result.trial.notes.reason == "the sweep's time was over"
        assert stored.trials[result.trial.number].value == result.trial.value


@pytest.mark.parametrize("n_looks", [0, 1, 5])
def test_a_sweep_in_this_process_looks_at_the_time_before_each_rung(n_looks):
    _, data = small_problem()
    trained = []

    def noting(rung):
        trained.append(rung.initial_seed)
        return run_rung(rung, data)

    run_schedule(new_study(InMemoryStorage()), run_rung_there=noting, is_over=over_after(n_looks))
    assert len(trained) == n_looks


def test_what_was_applied_before_the_budget_ended_is_as_in_the_undisturbed_sweep(undisturbed):
    stored = new_study(InMemoryStorage())
    ended = run_schedule(stored, is_over=over_after(12))
    rows = table(stored)
    for result in ended:
        if not result.trial.notes.is_interrupted:
            assert rows[result.trial.number] == undisturbed[result.trial.number]


def test_a_sweep_that_died_after_its_budget_had_ended_ends_there_again_whatever_time_there_is_now():
    stored = new_study(InMemoryStorage())
    ended = run_schedule(stored, is_over=over_after(12))
    before = table(stored)
    n_undisturbed = sum(not result.trial.notes.is_interrupted for result in ended)
    assert 0 < n_undisturbed < len(before) < 12
    for stop in range(n_undisturbed, len(before)):
        stored = new_study(InMemoryStorage())
        with pytest.raises(Stopped, match="here"):
            run_schedule(stored, is_over=over_after(12), on_trial_end=stop_after(stop))
        run_schedule(stored)
        assert table(stored) == before, stop


def test_a_resumed_sweep_whose_time_is_over_at_once_leaves_no_trial_running():
    for stop in range(0, 60, 4):
        stored = new_study(InMemoryStorage())
        with suppress(Stopped):
            run_schedule(stored, check_interrupt=stop_after(stop))
        ended = run_schedule(stored, is_over=lambda: True)
        assert all(trial.state.is_finished() for trial in stored.trials)
        assert {result.trial.number for result in ended} == {trial.number for trial in stored.trials}


# --- the clock ---


class Clock:
    """Stands still unless a rung is trained, which takes a second; what a worker of this process is asked to train."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        self.rungs = []
        monkeypatch.setattr("sweeps.search.schedule.time.time", lambda: self.now)
        monkeypatch.setattr("engine.worker.time.time", lambda: self.now)
        monkeypatch.setattr("engine.worker.N_FIRST_SLICE", 2)

    def run_rung(self, rung):
        _, data = small_problem()
        self.rungs.append(rung)
        self.now += 1
        return replace(run_rung(rung, data), seconds=1.0)


def test_a_sweep_ends_when_its_time_is_over_and_the_rung_that_is_trained_then_still_counts(monkeypatch):
    clock = Clock(monkeypatch)
    stored = new_study(InMemoryStorage())
    ended = run_schedule(stored, run_rung_there=clock.run_rung, ends_at=clock.now + 0.5)
    assert len(clock.rungs) == 1
    (cut,) = (result for result in ended if result.curve is not None)
    assert cut.trial.notes.is_interrupted
    assert cut.trial.value is not None
    assert cut.curve.iterations[-1] == 2, "one slice: the time was over before it"
    assert cut.best.iteration == cut.trial.best_iteration
    assert len(table(stored)) == CONFIG.study.trials_in_flight


def test_the_refit_of_the_best_so_far_is_left_time_for(monkeypatch):
    clock = Clock(monkeypatch)
    run_schedule(new_study(InMemoryStorage()), run_rung_there=clock.run_rung, ends_at=clock.now + 9)
    deadlines = [rung.deadline for rung in clock.rungs]
    assert deadlines[0] == 1009
    assert all(1000 < deadline <= 1009 for deadline in deadlines)
    assert min(deadlines) < 1009, "nothing was left for the refit"


def test_without_a_limit_no_rung_has_a_deadline_and_with_enough_time_the_table_is_the_same(monkeypatch):
    clock, stored = Clock(monkeypatch), new_study(InMemoryStorage())
    run_schedule(stored, run_rung_there=clock.run_rung, ends_at=clock.now + 10**6)
    without = new_study(InMemoryStorage())
    run_schedule(without, run_rung_there=Clock(monkeypatch).run_rung)
    assert table(stored) == table(without)
    unlimited = Clock(monkeypatch)
    run_schedule(new_study(InMemoryStorage()), run_rung_there=unlimited.run_rung)
    assert {rung.deadline for rung in unlimited.rungs} == {None}


def test_what_the_clock_ended_is_brought_to_the_same_end_by_a_process_that_has_more_time(monkeypatch):
    clock, stored = Clock(monkeypatch), new_study(InMemoryStorage())
    run_schedule(stored, run_rung_there=clock.run_rung, ends_at=clock.now + 6.5)
    before = table(stored)
    again = Clock(monkeypatch)
    run_schedule(stored, run_rung_there=again.run_rung, ends_at=again.now + 10**6)
    assert table(stored) == before


# --- patience ---


def test_a_sweep_without_improvement_ends_after_as_many_trials_as_its_patience():
    config = small_config(sweep={"patience": 3, "n_trials": 30})
    stored = new_study(InMemoryStorage())
    ended = run_schedule(stored, config)
    assert len(ended) < 30
    interrupted = [result for result in ended if result.trial.notes.is_interrupted]
    assert {result.trial.notes.reason for result in interrupted} == {"no better value in 3 trials"}
    best, n_worse = float("inf"), 0
    for result in ended[: -len(interrupted)]:
        assert n_worse < 3
        is_better = result.trial.state == TrialState.COMPLETE and result.trial.value < best
        best, n_worse = (result.trial.value, 0) if is_better else (best, n_worse + (best < float("inf")))
    assert n_worse == 3


def test_patience_waits_for_a_first_complete_trial():
    for seed in range(1, 5):
        config = small_config(sweep={"patience": 1, "n_trials": 30, "seed": seed})
        assert "COMPLETE" in {row["state"] for row in undisturbed_table(config)}


def test_patience_ends_a_sweep_at_the_same_trial_wherever_it_died_while_it_ended():
    config = small_config(sweep={"patience": 3, "n_trials": 30})
    undisturbed = undisturbed_table(config)
    for stop in range(len(undisturbed)):
        stored = new_study(InMemoryStorage())
        with pytest.raises(Stopped, match="here"):
            run_schedule(stored, config, on_trial_end=stop_after(stop))
        run_schedule(stored, config)
        assert table(stored) == undisturbed, stop


def test_patience_ends_a_sweep_at_the_same_trial_however_it_was_run():
    config = small_config(sweep={"patience": 3, "n_trials": 30})
    undisturbed = undisturbed_table(config)
    stored = new_study(InMemoryStorage())
    with Shuffled(7) as executor:
        run_schedule(stored, config, executor)
    assert table(stored) == undisturbed
    for stop in range(0, 30, 3):
        stored = new_study(InMemoryStorage())
        with suppress(Stopped):
            run_schedule(stored, config, check_interrupt=stop_after(stop))
        run_schedule(stored, config)
        assert table(stored) == undisturbed, stop


# --- stopped anywhere ---


class Stopped(Exception):  # noqa: N818 - not an error: the end of a process
    """What a test raises where a process would have died."""


def stop_after(n_calls, then=nothing):
    """A hook that does its work `n_calls` times and dies at the next call."""
    calls = iter(range(n_calls))

    def hook(*arguments):
        if next(calls, None) is None:
            raise Stopped("here")
        return then(*arguments)

    return hook


def resumed_until_finished(stored, facts):
    """Run on; the first fact of a trial stays, as in the outbox."""
    run_schedule(stored, on_trial_end=lambda result: facts.setdefault(result.trial.number, result))


def assert_undisturbed(stored, facts, undisturbed):
    rows = table(stored)
    assert rows == undisturbed
    assert all(trial.state.is_finished() for trial in stored.trials)
    assert {number: fact.trial.state.name for number, fact in facts.items()} == {
        row["number"]: row["state"] for row in rows
    }
    assert {number: fact.trial.value for number, fact in facts.items()} == {row["number"]: row["value"] for row in rows}


def test_a_sweep_interrupted_at_any_look_ends_as_the_undisturbed_one(undisturbed):
    looks = []
    run_schedule(new_study(InMemoryStorage()), check_interrupt=lambda: looks.append(1))
    assert len(looks) > 30
    for stop in range(len(looks)):
        stored, facts = new_study(InMemoryStorage()), {}
        with pytest.raises(Stopped, match="here"):
            run_schedule(
                stored,
                check_interrupt=stop_after(stop),
                on_trial_end=lambda result, facts=facts: facts.setdefault(result.trial.number, result),
            )
        resumed_until_finished(stored, facts)
        assert_undisturbed(stored, facts, undisturbed)


@pytest.mark.parametrize("is_written", [False, True], ids=["before", "after"])
def test_a_sweep_that_dies_while_it_records_any_trial_ends_as_the_undisturbed_one(undisturbed, is_written):
    for stop in range(12):
        stored, facts = new_study(InMemoryStorage()), {}

        def record(result, facts=facts):
            facts.setdefault(result.trial.number, result)

        dies = stop_after(stop, record)
        if is_written:
            dies_before = dies

            def dies(result, dies_before=dies_before, record=record):
                try:
                    dies_before(result)
                except Stopped:
                    record(result)
                    raise

        with pytest.raises(Stopped, match="here"):
            run_schedule(stored, on_trial_end=dies)
        resumed_until_finished(stored, facts)
        assert_undisturbed(stored, facts, undisturbed)


def count_rungs(trained):
    """A worker that counts."""
    _, data = small_problem()

    def counts(rung):
        trained.append(rung.initial_seed)
        return run_rung(rung, data)

    return counts


def test_an_interrupted_sweep_goes_on_from_its_checkpoint_and_repeats_no_rung_that_was_applied(undisturbed, tmp_path):
    whole = []
    run_schedule(new_study(InMemoryStorage()), run_rung_there=count_rungs(whole))
    for stop in range(0, 60, 2):
        stored, file, trained = new_study(InMemoryStorage()), tmp_path / f"{stop}.h5", []
        try:
            run_schedule(stored, None, None, count_rungs(trained), file, check_interrupt=stop_after(stop))
        except Stopped:
            run_schedule(stored, None, None, count_rungs(trained), file)
        assert table(stored) == undisturbed
        assert len(trained) <= len(whole) + CONFIG.study.trials_in_flight
        assert not file.exists()


def test_an_older_or_lost_or_damaged_checkpoint_costs_rungs_and_changes_nothing(undisturbed, tmp_path):
    older = None
    for stop in range(6, 60, 6):
        file = tmp_path / f"{stop}.h5"
        stored = new_study(InMemoryStorage())
        with suppress(Stopped):
            run_schedule(stored, None, None, None, file, check_interrupt=stop_after(stop))
        newer = file.read_bytes() if file.exists() else None
        if older is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(older if stop % 4 else older[: len(older) // 2])
        run_schedule(stored, None, None, None, file)
        assert table(stored) == undisturbed, stop
        older = newer


@pytest.mark.parametrize(("name", "seed"), [("small/1", 3), ("other/1", 2)], ids=["other trials", "other study"])
def test_a_checkpoint_of_other_trials_or_of_another_study_is_not_used(undisturbed, tmp_path, name, seed):
    file, other, whole, trained = tmp_path / "checkpoint.h5", small_config(sweep={"seed": seed}), [], []
    with pytest.raises(Stopped, match="here"):
        run_schedule(new_study(InMemoryStorage(), name), other, None, None, file, check_interrupt=stop_after(12))
    assert file.exists()
    stored = new_study(InMemoryStorage())
    run_schedule(stored, None, None, count_rungs(trained), file)
    run_schedule(new_study(InMemoryStorage()), None, None, count_rungs(whole))
    assert table(stored) == undisturbed
    assert trained == whole


def test_a_sweep_interrupted_again_and_again_ends_as_the_undisturbed_one(undisturbed):
    stored, facts, n_lives = new_study(InMemoryStorage()), {}, 0
    while True:
        n_lives += 1
        try:
            run_schedule(
                stored,
                check_interrupt=stop_after(9),
                on_trial_end=lambda result: facts.setdefault(result.trial.number, result),
            )
        except Stopped:
            if n_lives < 40:
                continue
        break
    resumed_until_finished(stored, facts)
    assert n_lives > 2
    assert_undisturbed(stored, facts, undisturbed)


@contextmanager
def dies_at_write(number, how):
    """The process ends at the n-th append to a journal, of which half is on disk or nothing; or the power is cut."""
    append_logs, sync = JournalFile.append_logs, JournalFile.sync
    writes = iter(range(number))
    n_durable = 0  # bytes

    def remember(self):
        nonlocal n_durable
        sync(self)
        n_durable = os.path.getsize(self._file_path)

    def append(self, logs):
        if next(writes, None) is not None:
            return append_logs(self, logs)
        if how == "power cut":
            os.truncate(self._file_path, n_durable)
        if how == "torn":
            append_logs(self, logs)
            size = os.path.getsize(self._file_path)
            os.truncate(self._file_path, size - 20)
            os.symlink(self._file_path, self._file_path + ".lock")  # Optuna's lock, held while it writes
        raise Stopped("here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JournalFile, "append_logs", append)
        patch.setattr(JournalFile, "sync", remember)
        yield


SHORT = small_config(sweep={"n_trials": 5}, study={"trials_in_flight": 3})


def run_in(workspace, facts):
    """What `run_sweep` does with a study, without data and MLflow."""
    workspace.create()
    with workspace.lease("small"):
        stored = find_or_create(SHORT, workspace, None, "digest", False, SilentProgress())
        run_schedule(stored, SHORT, on_trial_end=lambda result: facts.setdefault(result.trial.number, result))
        stored.set_attribute("state", "FINISHED")
    return stored


@pytest.fixture
def _no_waiting(monkeypatch):
    """The lock that a dead writer left is believed stale after a second; a new name is found within one."""
    monkeypatch.setattr("sweeps.storage.workspace.time.sleep", nothing)
    names = iter(range(10**6))
    monkeypatch.setattr(Workspace, "new_study_name", lambda self, name: f"{name}/{next(names)}")


@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize("how", ["before", "torn", "power cut"])
def test_a_sweep_that_dies_in_any_write_of_its_storage_ends_as_the_undisturbed_one(tmp_path, how):
    undisturbed = undisturbed_table(SHORT)
    writes = []
    append_logs = JournalFile.append_logs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JournalFile, "append_logs", lambda self, logs: (writes.append(1), append_logs(self, logs)))
        assert table(run_in(make(tmp_path / "whole"), {})) == undisturbed
    assert len(writes) > 30
    for number in range(len(writes)):
        workspace, facts = make(tmp_path / str(number)), {}
        with pytest.raises(Stopped, match="here"), dies_at_write(number, how):
            run_in(workspace, facts)
        stored = run_in(workspace, facts)
        assert_undisturbed(stored, facts, undisturbed)
        rest = [study for study in workspace.journals()[0].get_all_studies() if study.study_name != stored.name]
        assert all(study.user_attrs.get("sweeps.state") in (None, "FINISHED") for study in rest)


def make(directory):
    directory.mkdir()
    return Workspace(directory)


def test_a_sweep_that_dies_when_its_budget_ends_keeps_record_and_storage_in_step():
    """The end of a budget is the clock's doing: what is written first must hold after a kill."""
    for stop in range(4):
        stored, facts = new_study(InMemoryStorage()), {}

        def record(result, facts=facts):
            facts.setdefault(result.trial.number, result)

        with pytest.raises(Stopped, match="here"):
            n_before = 2  # trials end undisturbed before the budget does
            run_schedule(stored, is_over=over_after(9), on_trial_end=_dies_after(record, n_before + stop))
        resumed_until_finished(stored, facts)
        rows = table(stored)
        assert {n: fact.trial.state.name for n, fact in facts.items()} == {row["number"]: row["state"] for row in rows}


def _dies_after(record, n_calls):
    """Dies after the fact is on disk, before the storage hears of it."""
    calls = iter(range(n_calls))

    def hook(result):
        record(result)
        if next(calls, None) is None:
            raise Stopped("here")

    return hook


# --- the imagined machine ---


def test_a_rung_of_a_wider_deeper_or_longer_training_takes_longer_on_the_imagined_machine():
    problem = Problem(30, 1, 500, 5, "binary", "float32", 1)

    def seconds(hidden_units, n_iterations=100):
        hyperparameters = problem.hyperparameters(Candidate(0.1, 1, hidden_units, "relu"), 0)
        return imagined_seconds(hyperparameters, problem, n_iterations)

    assert 0 < seconds(()) < seconds((8,)) < seconds((16,)) < seconds((16, 16)) < seconds((16, 16), 200)


def test_features_beyond_the_number_of_examples_cost_nothing_on_the_imagined_machine():
    candidate = Candidate(0.1, 1, (20,), "relu")
    wide, square = (Problem(n_features, 1, 209, 5, "binary", "float32", 1) for n_features in (12288, 209))
    assert imagined_seconds(wide.hyperparameters(candidate, 0), wide, 100) == imagined_seconds(
        square.hyperparameters(candidate, 0), square, 100
    )


def test_an_iteration_on_a_minibatch_takes_as_long_as_one_on_so_many_examples():
    of_one, of_all = (Problem(30, 1, m, 5, "binary", "float32", 1) for m in (64, 5000))
    candidate = Candidate(0.1, 1, (20,), "relu")
    in_minibatches = of_all.hyperparameters(replace(candidate, minibatch_size=64), 0)
    expected = imagined_seconds(of_one.hyperparameters(candidate, 0), of_one, 100)
    assert imagined_seconds(in_minibatches, of_all, 100) == expected
