"""Executors: any of them gives the same results, and a dead worker costs time, never a result."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

from engine.threads import one_blas_thread
from engine.worker import Rung, run_rung
from sweeps.execution.contract import MAX_ATTEMPTS, WorkerDiedError
from sweeps.execution.cores import n_cores
from sweeps.execution.executors import Workers
from sweeps.execution.serial import SerialExecutor
from sweeps.trials.space import Candidate
from tests.conftest import REPOSITORY
from tests.support.waiting import wait_for
from tests.sweeps.support import cluster, faults
from tests.sweeps.support.small_sweep import (
    new_study,
    open_executor,
    run_schedule,
    small_problem,
    table,
    undisturbed_table,
)

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")


def rungs(n=4):
    problem, _ = small_problem()
    widths = [(), (4,), (5, 3), (2, 2)]
    return [
        Rung(problem.hyperparameters(Candidate(0.1, 20, widths[i % 4], "tanh"), i), (1, i), None, 20, (0, 10, 20))
        for i in range(n)
    ]


def bits(result):
    curve = result.curve
    return (
        result.state.iteration,
        result.state.theta.tobytes(),
        curve.iterations,
        curve.train_cost.tobytes(),
        curve.validation_cost.tobytes(),
        curve.validation_accuracy.tobytes(),
    )


@pytest.fixture(scope="module")
def expected():
    _, data = small_problem()
    with one_blas_thread():
        return [bits(run_rung(rung, data)) for rung in rungs()]


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """Address of a Dask cluster of two workers."""
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'sweeps[dask]'")
    with cluster.Cluster(tmp_path_factory.mktemp("cluster")) as started:
        for name in ("one", "two"):
            started.start_worker(name)
        yield started.address


@pytest.mark.parametrize("name", ["serial", "processes", "dask"])
class TestEveryExecutor:
    """The contract; `opened` is what the schedule is given."""

    @pytest.fixture
    def opened(self, name, request):
        _, data = small_problem()
        address = request.getfixturevalue("scheduler") if name == "dask" else None
        with one_blas_thread(), open_executor(name, 2, data, scheduler=address) as executor_and_call:
            yield executor_and_call

    def test_every_rung_has_the_bits_that_this_process_gives_it(self, opened, expected):
        executor, run_rung_there = opened
        futures = [executor.submit(run_rung_there, rung) for rung in rungs()]
        assert [bits(future.result(timeout=60)) for future in futures] == expected

    def test_a_rung_goes_on_from_the_state_of_the_one_before(self, opened, expected):
        executor, run_rung_there = opened
        (rung, *_) = rungs()
        half = executor.submit(run_rung_there, Rung(rung.hyperparameters, rung.initial_seed, None, 10, (0, 10))).result(
            timeout=60
        )
        rest = executor.submit(run_rung_there, Rung(rung.hyperparameters, rung.initial_seed, half.state, 20, (20,)))
        assert rest.result(timeout=60).state.theta.tobytes() == expected[0][1]

    def test_an_exception_is_handed_over_and_the_next_call_is_answered(self, opened):
        executor, _ = opened
        future = executor.submit(faults.divide, 1.0, 0.0)
        assert isinstance(future.exception(timeout=60), ZeroDivisionError)
        with pytest.raises(ZeroDivisionError, match="division"):
            future.result()
        assert executor.submit(faults.double, 21).result(timeout=60) == 42

    def test_calls_begin_in_the_order_they_came(self, opened, tmp_path):
        executor, _ = opened
        words = [str(i) for i in range(10)]
        futures = [executor.submit(faults.note, tmp_path / "order", word, 0.01) for word in words]
        assert [future.exception(timeout=60) for future in futures] == [None] * 10
        begun = noted(tmp_path / "order")
        assert sorted(word for word, _ in begun) == words
        for worker in {pid for _, pid in begun}:  # one that the machine holds up is overtaken by the other
            own = [word for word, pid in begun if pid == worker]
            assert own == sorted(own)

    def test_a_future_that_is_done_says_so(self, opened):
        executor, _ = opened
        future = executor.submit(faults.double, 1)
        assert future.exception(timeout=60) is None
        assert future.done()
        assert not future.cancelled()

    def test_leaving_it_twice_does_no_harm(self, opened):
        executor, _ = opened
        executor.submit(faults.double, 1).result(timeout=60)
        executor.shutdown(wait=True, cancel_futures=True)
        executor.shutdown(wait=True, cancel_futures=True)


def test_the_serial_executor_makes_a_call_once_and_only_when_asked_how_it_ended(tmp_path):
    executor = SerialExecutor()
    first, second = (executor.submit(faults.note, tmp_path / "calls", word, 0.0) for word in ("first", "second"))
    assert not first.done()
    assert noted(tmp_path / "calls") == []
    assert first.exception() is None
    assert first.result() == os.getpid()
    assert second.cancel()
    with pytest.raises(CancelledError):
        second.result()
    assert noted(tmp_path / "calls") == [("first", os.getpid())]


@pytest.fixture
def workers():
    """Two processes, and what to submit."""
    _, data = small_problem()
    with one_blas_thread(), open_executor("processes", 2, data) as (executor, _):
        yield executor


def test_processes_are_as_many_as_asked_and_none_is_this_one(workers, tmp_path):
    futures = [workers.submit(faults.note, tmp_path / "f", "x", 0.3) for _ in range(4)]
    pids = {future.result(timeout=60) for future in futures}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_a_worker_imports_the_engine_and_nothing_of_the_search_or_the_record(workers):
    imported = set(workers.submit(faults.modules).result(timeout=60))
    assert "engine" in imported
    foreign = {"optuna", "mlflow", "sklearn", "pandas", "scipy", "pydantic", "typer", "rich", "experiments", "sweeps"}
    assert not imported & foreign


def test_a_script_needs_no_guard_because_workers_do_not_run_it(tmp_path):
    program = tmp_path / "script.py"
    program.write_text(
        "from tests.sweeps.support import faults\n"
        "from tests.sweeps.support.small_sweep import open_executor, small_problem\n"
        "print('begun', __file__, __spec__, flush=True)\n"
        "with open_executor('processes', 2, small_problem()[1]) as (executor, _):\n"
        "    print([executor.submit(faults.double, i).result(timeout=60) for i in range(4)])\n"
        "print('ended', __file__, __spec__)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, str(program)], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [f"begun {program} None", "[0, 2, 4, 6]", f"ended {program} None"], done.stderr


def test_a_program_that_has_loaded_a_model_may_run_a_sweep(tmp_path):
    """MLflow leaves the model's code, parts of our packages, at the front of its path."""
    for name in ("engine", "experiments"):
        (tmp_path / "code" / name).mkdir(parents=True)
        (tmp_path / "code" / name / "__init__.py").touch()
    program = tmp_path / "script.py"
    program.write_text(
        "import sys\n"
        "from tests.sweeps.support import faults\n"
        "from tests.sweeps.support.small_sweep import open_executor, small_problem\n"
        f"sys.path.insert(0, {str(tmp_path / 'code')!r})\n"
        "path = list(sys.path)\n"
        "with open_executor('processes', 2, small_problem()[1]) as (executor, _):\n"
        "    print([executor.submit(faults.double, i).result(timeout=60) for i in range(4)])\n"
        "assert sys.path == path\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, str(program)], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == ["[0, 2, 4, 6]"], done.stderr


def test_a_worker_has_one_blas_thread(workers):
    threads = workers.submit(faults.environment_of_blas).result(timeout=60)
    assert threads
    assert set(threads) == {1}


def test_a_worker_that_is_killed_in_a_rung_costs_the_rung_nothing(workers, tmp_path):
    future = workers.submit(faults.note, tmp_path / "f", "begun", 1.0)
    others = [workers.submit(faults.double, i) for i in range(3)]
    wait_for(lambda: len(noted(tmp_path / "f")) == 1, "the call", 30)
    ((_, first),) = noted(tmp_path / "f")
    os.kill(first, signal.SIGKILL)
    assert future.result(timeout=60) != first
    assert noted(tmp_path / "f") == [("begun", first), ("begun", future.result())]
    assert [other.result(timeout=60) for other in others] == [0, 2, 4]


def noted(file):
    """What `faults.note` wrote: words, and who wrote them."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [(word, int(pid)) for word, pid in map(str.split, lines)]


def test_a_rung_whose_first_worker_dies_gives_the_same_bits(expected, tmp_path):
    _, data = small_problem()
    with one_blas_thread(), open_executor("processes", 2, data) as (executor, _):
        result = executor.submit(partial(faults.die_first, tmp_path / "mark"), rungs()[1]).result(timeout=60)
    assert (tmp_path / "mark").exists()
    assert bits(result) == expected[1]


def test_a_rung_that_always_kills_its_worker_fails_after_some_attempts_while_others_finish(workers):
    deadly = workers.submit(faults.die)
    others = [workers.submit(faults.double, i) for i in range(4)]
    with pytest.raises(WorkerDiedError, match=rf"ended unexpectedly {MAX_ATTEMPTS} times.*memory.*fewer workers"):
        deadly.result(timeout=120)
    assert [other.result(timeout=60) for other in others] == [0, 2, 4, 6]
    assert workers.submit(faults.double, 9).result(timeout=60) == 18


def test_a_rung_that_was_only_waiting_when_it_was_abandoned_is_not_said_to_have_hung(workers, tmp_path):
    busy = [workers.submit(faults.note, tmp_path / "f", "busy", 1.0) for _ in range(2)]
    deadly = workers.submit(faults.die)
    wait_for(lambda: len(noted(tmp_path / "f")) == 2, "the two calls that keep both busy", 30)
    workers.abandon(deadly)
    assert type(deadly.exception(timeout=120)) is WorkerDiedError
    assert all(future.exception(timeout=60) is None for future in busy)


def test_a_worker_that_dies_while_it_has_nothing_to_do_is_replaced(workers):
    pids = [workers.submit(os.getpid).result(timeout=60) for _ in range(2)]
    for pid in set(pids):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(is_alive(pid) for pid in pids), "the end of the workers", 30)
    time.sleep(0.2)  # until its pool has noticed
    futures = [workers.submit(faults.double, i) for i in range(4)]
    assert [future.result(timeout=60) for future in futures] == [0, 2, 4, 6]


def test_a_trial_whose_rungs_kill_their_workers_is_failed_and_the_sweep_goes_on():
    _, data = small_problem()
    stored = new_study(InMemoryStorage())
    with open_executor("processes", 2, data) as (executor, _):
        run_schedule(stored, executor=executor, run_rung_there=partial(faults.die_in_trial, 3), n_trials=5)
    rows = table(stored)
    assert rows[3]["state"] == "FAIL"
    assert rows[3]["user_attrs"]["reason"].startswith("trial 3: its worker process ended unexpectedly 3 times")
    assert len(rows) == 5
    assert sum(row["state"] == "FAIL" for row in rows) < 4


def test_a_sweep_whose_worker_is_killed_has_the_table_of_the_undisturbed_one(tmp_path):
    _, data = small_problem()
    stored = new_study(InMemoryStorage())
    with open_executor("processes", 2, data) as (executor, _):
        run_schedule(stored, executor=executor, run_rung_there=partial(faults.die_first, tmp_path / "mark"))
    assert (tmp_path / "mark").exists()
    assert table(stored) == undisturbed_table()


def is_alive(pid):
    """A zombie that nobody has buried yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@needs_proc
def test_when_the_executor_is_left_no_process_is_and_what_was_running_is_given_up(tmp_path):
    _, data = small_problem()
    began_at = time.monotonic()
    with open_executor("processes", 2, data) as (executor, _):
        running = [executor.submit(faults.note, tmp_path / "f", "x", 60.0) for _ in range(2)]
        waiting = executor.submit(faults.double, 1)
        wait_for(lambda: len(noted(tmp_path / "f")) == 2, "the two calls", 30)
        pids = {pid for _, pid in noted(tmp_path / "f")}
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)
    assert time.monotonic() - began_at < 50
    assert waiting.cancelled()
    for future in running:
        assert isinstance(future.exception(timeout=10), Exception)
    assert [thread.name for thread in threading.enumerate() if "Executor" in thread.name] == []


@needs_proc
def test_the_data_that_workers_read_are_gone_when_the_executor_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _, data = small_problem()
    with open_executor("processes", 1, data) as (executor, _):
        executor.submit(faults.double, 1).result(timeout=60)
        (folder,) = tmp_path.glob("worker-data-*")
        assert folder.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob("worker-data-*"))


COORDINATOR = """
import sys, time
from pathlib import Path
from tests.support.waiting import wait_for
from tests.sweeps.support import faults
from tests.sweeps.support.small_sweep import open_executor, small_problem

if __name__ == "__main__":
    file = Path(sys.argv[1])
    with open_executor("processes", 2, small_problem()[1]) as (executor, _):
        for word in "ab":
            executor.submit(faults.note, file, word, 60.0)
        wait_for(lambda: file.exists() and file.read_text().count("\\n") == 2, "the two calls")
        print("both are running", flush=True)
        time.sleep(60)
"""


@needs_proc
def test_when_the_coordinator_is_killed_its_workers_vanish(tmp_path):
    program = tmp_path / "coordinator.py"
    program.write_text(textwrap.dedent(COORDINATOR))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, str(program), str(tmp_path / "f")], stdout=subprocess.PIPE, env=environment, text=True
    ) as coordinator:
        assert coordinator.stdout.readline() == "both are running\n"
        pids = {pid for _, pid in noted(tmp_path / "f")}
        assert len(pids) == 2
        assert all(is_alive(pid) for pid in pids)
        coordinator.kill()
        coordinator.wait()
    wait_for(lambda: not any(is_alive(pid) for pid in pids), "the end of the workers", 20)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to cores")
def test_one_worker_per_core_counts_the_cores_that_are_ours(monkeypatch):
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        with open_executor("processes", 0, small_problem()[1]) as (executor, _):
            assert len(executor._threads) == 1 == n_cores()
    finally:
        os.sched_setaffinity(0, before)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert n_cores() == os.cpu_count()


def test_workers_that_could_never_be_busy_are_not_started_and_that_is_said():
    said = []
    with Workers("processes", 64, 2) as workers:
        executor, _ = workers.train_on(small_problem()[1], say=said.append)
        assert len(executor._threads) == 2
    assert said == ["2 of 64 workers are started: no more trials are in flight."]


@pytest.mark.parametrize(("n_workers", "trials_in_flight", "n_said"), [(1, 2, 0), (2, 4, 0), (2, 3, 1), (1, 1, 1)])
def test_workers_that_will_wait_for_each_other_are_told_of_with_both_remedies(n_workers, trials_in_flight, n_said):
    said = []
    data = small_problem()[1]
    with open_executor("processes", n_workers, data, trials_in_flight=trials_in_flight, say=said.append):
        pass
    assert len(said) == n_said
    for line in said:
        assert f"trials_in_flight = {2 * n_workers}" in line
        assert f"--workers {max(1, trials_in_flight // 2)}" in line
