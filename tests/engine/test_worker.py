import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from engine import worker
from engine.curve import join
from engine.data import TrainingData
from engine.heads import HEADS
from engine.hyperparameters import Hyperparameters
from engine.network import forward
from engine.training import finish
from engine.worker import Rung, initial_parameters, initialize_worker, run_rung, run_rung_in_worker
from tests.conftest import REPOSITORY
from tests.engine.support.problem import random_problem
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def problem():
    """More features than examples, three folds."""
    return random_problem(8, n_features=300, m=120, hidden_units=(12, 6), n_networks=3, activation="relu")


@pytest.fixture(scope="module")
def data(problem):
    """As a worker gets them."""
    return problem.data(reduced=True, dtype=np.float32)


def first_rung(problem, seed=(1, 17)):
    return Rung(Hyperparameters(problem.architecture, 0.1), seed, None, 60, (0, 30, 60))


def second_rung(problem, state):
    return Rung(Hyperparameters(problem.architecture, 0.1), (1, 17), state, 100, (60, 100))


def assert_same(one, other):
    assert one.state.iteration == other.state.iteration
    assert one.curve.iterations == other.curve.iterations
    assert one.curve.diverged_at == other.curve.diverged_at
    for name in ("theta", "offset", "settled"):
        np.testing.assert_array_equal(getattr(one.state, name), getattr(other.state, name))
    for name in ("train_cost", "validation_cost", "train_accuracy", "validation_accuracy"):
        np.testing.assert_array_equal(getattr(one.curve, name), getattr(other.curve, name))


def test_a_rung_run_twice_gives_the_same_bits(problem, data):
    assert_same(run_rung(first_rung(problem), data), run_rung(first_rung(problem), data))


def test_a_deadline_that_does_not_pass_changes_no_bit(problem, data):
    for rung in (first_rung(problem), second_rung(problem, run_rung(first_rung(problem), data).state)):
        assert_same(run_rung(replace(rung, deadline=time.time() + 3600), data), run_rung(rung, data))


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_rung_whose_deadline_has_passed_stops_after_its_first_slice_and_has_a_value_there(problem, data, is_recorded):
    n_done = worker.N_FIRST_SLICE
    record_at = (0, n_done, 60) if is_recorded else (0, 60)
    rung = replace(first_rung(problem), record_at=record_at)
    found = run_rung(replace(rung, deadline=time.time()), data)
    assert found.is_cut(60)
    expected = run_rung(replace(rung, n_iterations=n_done, record_at=(0, n_done)), data)
    assert_same(found, expected)
    assert found.state.best.iteration == expected.state.best.iteration
    assert not expected.is_cut(n_done)


def test_the_first_rung_starts_all_folds_at_the_initial_parameters_of_its_seed(problem, data):
    rung = Rung(Hyperparameters(problem.architecture, 0.1), (1, 17), None, 0, ())
    initial = initial_parameters(problem.architecture, (1, 17), data.dtype)
    parameters = finish(run_rung(rung, data).state, initial, data, problem.architecture)
    for found, given in zip((*parameters.W, *parameters.b), (*initial.W, *initial.b), strict=True):
        np.testing.assert_array_equal(found, np.repeat(given, 3, axis=0))


def test_another_seed_gives_another_network(problem, data):
    one, other = (run_rung(first_rung(problem, seed), data).curve.train_cost for seed in ((1, 17), (1, 18)))
    assert (one != other).all()


def test_a_spawned_worker_gives_the_bits_of_this_process(problem, data, tmp_path):
    data.save(tmp_path)
    with threadpool_limits(1):
        first_here = run_rung(first_rung(problem), data)
        second_here = run_rung(second_rung(problem, first_here.state), data)
    with ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), initializer=initialize_worker, initargs=(tmp_path,)
    ) as workers:
        assert workers.submit(os.getpid).result() != os.getpid()
        first_there = workers.submit(run_rung_in_worker, first_rung(problem)).result()
        second_there = workers.submit(run_rung_in_worker, second_rung(problem, first_there.state)).result()
    assert_same(first_here, first_there)
    assert_same(second_here, second_there)
    assert first_there.seconds > 0


def test_the_trained_network_predicts_what_its_curve_says(problem, data):
    result = run_rung(first_rung(problem), data)
    initial = initial_parameters(problem.architecture, (1, 17), data.dtype)
    _, A = forward(finish(result.state, initial, data, problem.architecture), problem.X, problem.architecture)
    right = (A[:, 0] >= 0.5) == (problem.Y >= 0.5)
    found = [row[held_out].mean() for row, held_out in zip(right, problem.held_out, strict=True)]
    assert found == pytest.approx(result.curve.validation_accuracy[-1])


def test_importing_the_worker_imports_numpy_and_no_more_than_h5py_beside_it():
    program = "import engine.worker, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    foreign = set(done.stdout.split()) - set(sys.stdlib_module_names)
    heavy = {"pandas", "sklearn", "mlflow", "optuna", "scipy", "pydantic", "typer", "rich", "experiments", "sweeps"}
    assert {"engine", "numpy"} <= foreign
    assert not foreign & heavy


def is_alive(pid):
    """A zombie that nobody has buried yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_a_worker_exits_when_its_coordinator_is_killed(data, tmp_path):
    data.save(tmp_path)
    program = tmp_path / "coordinator.py"
    program.write_text(
        "import multiprocessing, os, time\n"
        "from concurrent.futures import ProcessPoolExecutor\n"
        "from pathlib import Path\n"
        "from engine.worker import initialize_worker\n"
        "if __name__ == '__main__':\n"
        "    folder = Path(__file__).parent\n"
        "    spawn = multiprocessing.get_context('spawn')\n"
        "    with ProcessPoolExecutor(1, spawn, initializer=initialize_worker, initargs=(folder,)) as workers:\n"
        "        print(workers.submit(os.getpid).result(), flush=True)\n"
        "        time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the resource tracker's remark on semaphores that a killed process left
        env=environment,
        text=True,
    ) as parent:
        worker = int(parent.stdout.readline())
        assert is_alive(worker)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        wait_for(lambda: not is_alive(worker), "the end of the worker, now an orphan,", 20)


@pytest.mark.parametrize("is_reduced", [True, False])
def test_a_curve_ends_with_the_logits_of_the_held_out_columns(problem, is_reduced):
    data = problem.data(reduced=is_reduced, dtype=np.float64)
    rung = first_rung(problem)
    result = run_rung(rung, data)
    initial = initial_parameters(problem.architecture, rung.initial_seed, data.dtype)
    Z, _ = forward(finish(result.state, initial, data, problem.architecture), problem.X, problem.architecture)
    expected = np.stack([z[:, own] for z, own in zip(Z, data.validation_columns, strict=True)])
    np.testing.assert_allclose(result.curve.logits, expected, rtol=1e-9, atol=1e-12)
    losses = HEADS["binary"].losses(Z, problem.Y)
    means = [row[held_out].mean() for row, held_out in zip(losses, problem.held_out, strict=True)]
    assert means == pytest.approx(result.curve.validation_cost[-1], rel=1e-12)


def test_a_rung_with_a_deadline_ends_with_the_same_logits_or_with_those_of_where_it_stopped(problem, data):
    whole = run_rung(first_rung(problem), data)
    sliced = run_rung(replace(first_rung(problem), deadline=time.time() + 1000), data)
    np.testing.assert_array_equal(sliced.curve.logits, whole.curve.logits, strict=True)
    stopped = run_rung(replace(first_rung(problem), deadline=0.0), data)
    n_done = stopped.state.iteration
    assert 0 < n_done < 60
    there = run_rung(replace(first_rung(problem), n_iterations=n_done, record_at=(0, n_done)), data)
    np.testing.assert_array_equal(stopped.curve.logits, there.curve.logits, strict=True)


def test_a_curve_without_a_point_or_that_diverged_or_was_joined_has_no_logits(problem, data):
    first = run_rung(first_rung(problem), data)
    assert join([first.curve, first.curve]).logits is None
    assert run_rung(replace(first_rung(problem), record_at=()), data).curve.logits is None
    with np.errstate(over="ignore", invalid="ignore"):
        wild = replace(first_rung(problem), hyperparameters=Hyperparameters(problem.architecture, 1e30))
        diverged = run_rung(wild, data)
    assert diverged.curve.diverged_at is not None
    assert diverged.curve.logits is None


def test_several_starts_are_as_many_trainings_from_each_of_them():
    problem = random_problem(3, n_features=4, m=20, n_networks=2)
    alone = problem.data(reduced=False)
    together = TrainingData.of(problem.X, problem.Y, np.tile(problem.held_out, (2, 1)), reduce=False)
    hyperparameters = Hyperparameters(problem.architecture, 0.1)
    both = run_rung(Rung(hyperparameters, (1, 7), None, 12, (0, 12), n_starts=2), together)
    first = run_rung(Rung(hyperparameters, (1, 7), None, 12, (0, 12)), alone)
    second = run_rung(Rung(hyperparameters, (1, 7, 1), None, 12, (0, 12)), alone)
    np.testing.assert_allclose(both.state.theta, np.concatenate([first.state.theta, second.state.theta]), rtol=1e-12)
    costs = [one.curve.validation_cost for one in (first, second)]
    np.testing.assert_allclose(both.curve.validation_cost, np.concatenate(costs, axis=1), rtol=1e-12)
