"""Workers that hang, run out of memory or die: their rung goes to another; after three, its trial alone has failed."""

from functools import partial
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

from engine.threads import one_blas_thread
from sweeps.execution.contract import MAX_ATTEMPTS
from tests.sweeps.support import faults
from tests.sweeps.support.small_sweep import (
    new_study,
    open_executor,
    run_schedule,
    small_config,
    small_problem,
    table,
    undisturbed_table,
)

INDEPENDENT = small_config(sweep={"n_trials": 8}, study={"sampler": "random", "pruner": "none"})
"""Trials that know nothing of each other: one that fails changes no other."""

GUILTY = 1
HANG_SECONDS = 1.0


def run_with(run_rung_there, n_workers=2, config=INDEPENDENT, **hooks):
    """The table of a sweep whose workers do what they are told with each rung."""
    _, data = small_problem()
    stored = new_study(InMemoryStorage())
    with one_blas_thread(), open_executor("processes", n_workers, data) as (executor, _):
        run_schedule(stored, config, executor, run_rung_there, **hooks)
    return table(stored)


def assert_only_the_guilty_failed(rows, reason):
    expected = undisturbed_table(INDEPENDENT)
    assert expected[GUILTY]["state"] == "COMPLETE"
    assert rows[GUILTY]["state"] == "FAIL"
    assert rows[GUILTY]["user_attrs"]["reason"].startswith(f"trial {GUILTY}: {reason}")
    assert rows[GUILTY]["params"] == expected[GUILTY]["params"]
    del rows[GUILTY], expected[GUILTY]
    assert rows == expected


@pytest.mark.parametrize(("number", "n_workers"), [(0, 1), (0, 2), (5, 2)], ids=["first of all", "first", "later"])
def test_a_rung_whose_worker_hangs_is_given_to_another_and_nothing_else_changes(tmp_path: Path, number, n_workers):
    config = small_config()
    call = partial(faults.stop_first, tmp_path / "mark", number)
    rows = run_with(call, n_workers, config, hang_seconds=HANG_SECONDS)
    assert (tmp_path / "mark").exists()
    assert rows == undisturbed_table(config)


def test_a_rung_that_hangs_three_workers_fails_its_trial_and_no_other(tmp_path: Path):
    rows = run_with(partial(faults.stop_in_trial, tmp_path / "stopped", GUILTY), hang_seconds=HANG_SECONDS)
    assert_only_the_guilty_failed(rows, "it was given to 3 workers and had no answer within ")
    assert len((tmp_path / "stopped").read_text().splitlines()) == MAX_ATTEMPTS


def test_a_worker_that_runs_out_of_memory_is_reported_as_that():
    rows = run_with(partial(faults.run_out_of_memory_in_trial, GUILTY))
    assert_only_the_guilty_failed(rows, "its worker ran out of memory (Unable to allocate 512. MiB for an array")


def test_a_worker_that_the_kernel_ends_for_its_memory_is_reported_as_that():
    rows = run_with(partial(faults.die_in_trial, GUILTY))
    assert_only_the_guilty_failed(rows, "its worker process ended unexpectedly 3 times. Most often memory ran out")
