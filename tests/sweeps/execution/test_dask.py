"""Dask: a real scheduler and real workers on loopback give the trial table of one process, whatever happens to them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from optuna.storages import InMemoryStorage

from engine import Architecture, Hyperparameters, TrainingData
from engine.remote import DECISIVE, UnfitWorkerError, differences, forget, receive, run_received, software
from engine.threads import one_blas_thread
from engine.worker import Rung, run_rung
from experiments.errors import InputError
from sweeps.execution.contract import ExecutorLostError, WorkerDiedError
from sweeps.results.progress import SilentProgress
from sweeps.run import run_sweep
from tests.support.waiting import wait_for
from tests.sweeps.support import cluster as there
from tests.sweeps.support import faults
from tests.sweeps.support.command_line import IRIS, CommandLine, changed
from tests.sweeps.support.small_sweep import (
    new_study,
    open_executor,
    run_schedule,
    small_config,
    small_problem,
    table,
    undisturbed_table,
)

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'sweeps[dask]'")

import dask
from distributed import Client

from sweeps.execution.dask_executor import DaskExecutor, _Task

CLUSTER_OF_3 = ("one", "two", "three")
EIGHT_TRIALS = {"sweep": {"n_trials": 8}}


def n_workers(client):
    return len(client.nthreads())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and three workers that count the data sets they are sent."""
    with there.Cluster(tmp_path_factory.mktemp("cluster")) as started:
        for name in CLUSTER_OF_3:
            started.start_worker(name, "--preload", there.COUNT_ARRIVALS)
        yield started


@pytest.fixture
def client(cluster):
    """A connection of the test's own, to look at the cluster with; there are three workers when a test begins."""
    with Client(cluster.address, set_as_default=False, timeout=30) as client:
        wait_for(lambda: n_workers(client) >= 3, "three workers")
        yield client


def open_dask(address=None, data=None, n_workers=0, say=lambda text: None):
    _, small_data = small_problem()
    return open_executor("dask", n_workers, data or small_data, scheduler=address, data_name="small/1", say=say)


def run_on(address, wrap=lambda run_rung_there: run_rung_there, config=None, **hooks):
    """The table of a sweep on a cluster."""
    stored = new_study(InMemoryStorage())
    with open_dask(address) as (executor, run_rung_there):
        run_schedule(stored, config, executor, wrap(run_rung_there), **hooks)
    return table(stored)


def small_rung():
    """Of `small_problem`."""
    return Rung(Hyperparameters(Architecture(3, (2,), 1, "relu", "regression"), 0.01), (1, 0), None, 5, (5,))


def wide_problem():
    """More features than examples: the first layer is trained in the span of the examples, three arrays a state."""
    generator = np.random.default_rng(7)
    X, Y = generator.standard_normal((60, 25)), (generator.random((1, 25)) < 0.5).astype(float)
    held_out = np.arange(25) % 3 == np.arange(3)[:, np.newaxis]
    data = TrainingData.of(X, Y, held_out, np.float32)
    assert data.gram is not None
    return data, Hyperparameters(Architecture(60, (7, 3), 1, "tanh", "binary"), 0.3)


def living_of_group(group):
    """Processes of a group that are not zombies."""
    fields = [file.read_text().rpartition(")")[2].split() for file in Path("/proc").glob("[0-9]*/stat")]
    return [field for field in fields if int(field[2]) == group and field[0] != "Z"]


def bits(result):
    state, curve = result.state, result.curve
    arrays = (state.theta, state.offset, state.settled, curve.train_cost, curve.validation_cost)
    return [None if array is None else (array.dtype, array.shape, array.tobytes()) for array in arrays]


class TestARunningScheduler:
    @pytest.mark.parametrize("seed", [1, 2])
    def test_gives_the_table_of_one_process_whenever_its_workers_answer(self, cluster, client, seed):
        assert run_on(cluster.address, lambda there: partial(faults.delayed, seed, there)) == undisturbed_table()

    def test_states_that_travel_between_rungs_keep_their_bits(self, cluster, client):
        data, hyperparameters = wide_problem()
        with one_blas_thread(), open_dask(cluster.address, data) as (executor, run_rung_there):
            here, remote = None, None
            for n_iterations in (55, 110, 130):
                record_at = (n_iterations - 20, n_iterations)
                rungs = [Rung(hyperparameters, (1, 2), state, n_iterations, record_at) for state in (here, remote)]
                result_here = run_rung(rungs[0], data)
                result_remote = executor.submit(run_rung_there, rungs[1]).result(timeout=60)
                assert bits(result_remote) == bits(result_here)
                here, remote = result_here.state, result_remote.state

    def test_equal_rungs_are_each_trained(self, cluster, client, tmp_path):
        with open_dask(cluster.address) as (executor, run_rung_there):
            call = partial(there.noting, tmp_path / "rungs", run_rung_there)
            futures = [executor.submit(call, small_rung()) for _ in range(5)]
            results = [future.result(timeout=60) for future in futures]
        assert len((tmp_path / "rungs").read_text().splitlines()) == 5
        assert all(bits(result) == bits(results[0]) for result in results)

    def test_sends_the_data_once_to_each_worker_and_takes_them_away_at_the_end(self, cluster, client, monkeypatch):
        n_packed = 0
        get_state = TrainingData.__getstate__

        def counted(self):
            nonlocal n_packed
            n_packed += 1
            return get_state(self)

        monkeypatch.setattr(TrainingData, "__getstate__", counted)
        before = client.run(there.n_arrived)
        stored = new_study(InMemoryStorage())
        with open_dask(cluster.address) as (executor, run_rung_there):
            run_schedule(stored, small_config(), executor, run_rung_there)
            assert list(client.run(there.names_of_data).values()) == [["sweeps-small/1"]] * len(before)
        after = client.run(there.n_arrived)
        assert {worker: after[worker] - before[worker] for worker in before} == dict.fromkeys(before, 1)
        assert n_packed == 1
        assert not any(client.run(there.names_of_data).values())

    @pytest.mark.usefixtures("warm_deliveries")
    def test_two_folders_that_start_one_sweep_in_one_second_keep_their_data_apart(
        self, cluster, client, tmp_path, monkeypatch, with_store
    ):
        monkeypatch.setattr(
            "sweeps.storage.workspace.Workspace.new_study_name", lambda self, name: f"{name}/20261125-020000"
        )
        found = []

        class Looking(SilentProgress):
            def trial_ended(self, result):
                found.append(sorted({name for names in client.run(there.names_of_data).values() for name in names}))
                raise KeyboardInterrupt

        config = small_config(execution={"executor": "dask", "scheduler": cluster.address})
        for folder in ("one", "two"):
            with_store(tmp_path / folder)
        for folder in ("one", "two", "one"):
            with pytest.raises(KeyboardInterrupt, match=r"^$"):
                run_sweep(config, directory=tmp_path / folder, progress=Looking())
        (first,), (second,), (again,) = found
        assert first != second
        assert first == again, "a resume replaces its own copy"

    def test_workers_import_the_engine_and_nothing_else_of_ours(self, cluster, client):
        with Client(cluster.address, set_as_default=False) as own:
            worker = cluster.start_worker("modest")
            wait_for(lambda: n_workers(own) == 4, "a fourth worker")
            try:
                run_on(cluster.address, config=small_config(sweep={"n_trials": 4}))
                address = next(w for w, pid in own.run(os.getpid).items() if pid == worker.pid)
                # `tests` is imported by the question itself
                found = set(own.run(there.modules, workers=[address])[address])
                threads = own.run(there.blas_threads, workers=[address])[address]
            finally:
                worker.kill()
                wait_for(lambda: n_workers(own) == 3, "the end of the fourth worker")
        assert "engine" in found
        assert not found & {"sweeps", "experiments", "optuna", "mlflow"}
        assert set(threads) <= {1}

    def test_a_killed_and_a_new_worker_in_mid_sweep_change_nothing(self, cluster, client, tmp_path):
        ended = []

        def disturb(result):
            ended.append(result)
            if len(ended) == 2:
                victim = next(iter(client.run(os.getpid).values()))
                os.kill(victim, signal.SIGKILL)
                cluster.start_worker("four", "--preload", there.COUNT_ARRIVALS)
                newcomer = partial(_newcomer, client, before)
                wait_for(newcomer, "a new worker")
                new_pids.append(newcomer())

        before = set(client.run(os.getpid).values())
        new_pids = []
        notes = tmp_path / "rungs"
        found = run_on(cluster.address, lambda run_there: partial(there.noting, notes, run_there), on_trial_end=disturb)
        assert found == undisturbed_table()
        assert str(new_pids[0]) in {line.split()[0] for line in notes.read_text().splitlines()}

    def test_no_worker_yet_is_waited_for(self, tmp_path):
        said = []
        with there.Cluster(tmp_path) as empty, open_dask(empty.address, say=said.append) as (executor, run_rung_there):
            future = executor.submit(run_rung_there, small_rung())
            empty.start_worker("late")
            assert future.result(timeout=60).curve.iterations == (5,)
        assert said == [f"Dask at {empty.address}: no worker yet, waiting for the first."]

    def test_a_hanging_rung_is_given_to_another_worker(self, cluster, client, tmp_path):
        with open_dask(cluster.address) as (executor, run_rung_there):
            future = executor.submit(partial(there.hang_first, tmp_path / "mark", run_rung_there), small_rung())
            wait_for((tmp_path / "mark").exists, "the rung")

            def is_done_when_abandoned():
                executor.abandon(future)
                time.sleep(0.5)
                return future.done()

            wait_for(is_done_when_abandoned, "a second try")
            assert future.result().curve.iterations == (5,)
        while n_workers(client) < 3:  # the one that hung has gone, for good
            n = n_workers(client)
            cluster.start_worker("another", "--preload", there.COUNT_ARRIVALS)
            wait_for(lambda n=n: n_workers(client) > n, "another worker")


def _newcomer(client, before):
    new = set(client.run(os.getpid, on_error="ignore").values()) - before
    return new.pop() if new else None


class TestVersions:
    """Each worker that is not as it must be joins the cluster of three for one test."""

    @pytest.fixture
    def one_more(self, cluster, client):
        started = []
        n_before = n_workers(client)

        def start(**environment):
            started.append(cluster.start_worker("odd", **environment))
            wait_for(lambda: n_workers(client) == n_before + 1, "one more worker")

        yield start
        for process in started:
            process.kill()
            process.wait()
        wait_for(lambda: n_workers(client) == n_before, "the end of the odd worker")

    @pytest.fixture
    def other_engine(self, tmp_path):
        """The engine with one line more, as another version would have."""
        shutil.copytree(there.REPOSITORY / "engine", tmp_path / "engine", ignore=shutil.ignore_patterns("__pycache__"))
        with (tmp_path / "engine" / "heads.py").open("a") as file:
            file.write("# another version\n")
        return str(tmp_path)

    def test_another_engine_is_an_error_before_anything_is_trained(self, cluster, one_more, other_engine):
        one_more(PYTHONPATH=other_engine)
        with (
            pytest.raises(
                InputError, match=rf"has engine \w{{12}} instead of {software()['engine']}.*Install the same"
            ),
            open_dask(cluster.address),
        ):
            pytest.fail("opened")

    def test_another_numpy_is_an_error(self, cluster, one_more, tmp_path):
        (tmp_path / "sitecustomize.py").write_text("import numpy\nnumpy.__version__ = '2.0.99'\n")
        one_more(PYTHONPATH=f"{tmp_path}{os.pathsep}{there.REPOSITORY}")
        with (
            pytest.raises(InputError, match=f"has numpy 2.0.99 instead of {np.__version__}"),
            open_dask(cluster.address),
        ):
            pytest.fail("opened")

    def test_a_worker_without_our_engine_is_an_error(self, cluster, one_more, tmp_path):
        (tmp_path / "engine.py").write_text("'''Something else of that name.'''\n")
        one_more(PYTHONPATH=str(tmp_path))
        with (
            pytest.raises(InputError, match=r"worker tcp://127.0.0.1:\d+ cannot import engine"),
            open_dask(cluster.address),
        ):
            pytest.fail("opened")

    def test_another_kind_of_machine_is_said_and_trained_on(self, cluster, one_more):
        one_more(OPENBLAS_CORETYPE="Prescott")
        said = []
        with open_dask(cluster.address, say=said.append):
            pass
        if not any("another kind of machine" in line for line in said):
            pytest.skip("this BLAS takes no kernel from OPENBLAS_CORETYPE")
        assert len(said) == 2
        assert "The last bits of its costs may differ." in said[0]
        assert said[1] == f"Dask at {cluster.address}: 4 workers."

    def test_an_unfit_worker_that_joins_later_ends_the_sweep_and_fails_no_trial(self, cluster, one_more, other_engine):
        stored = new_study(InMemoryStorage())
        has_joined = []

        def join(result):
            if not has_joined:
                one_more(PYTHONPATH=other_engine)
                has_joined.append(True)

        config = small_config(sweep={"n_trials": 40})
        with (
            pytest.raises(ExecutorLostError, match="joined in the middle of the sweep cannot train: it has engine"),
            open_dask(cluster.address) as (executor, run_rung_there),
        ):
            run_schedule(stored, config, executor, run_rung_there, on_trial_end=join)
        assert not [row for row in table(stored) if "cannot train" in str(row["user_attrs"])]
        run_schedule(stored, config)
        assert table(stored) == undisturbed_table(config)

    def test_what_is_compared(self):
        mine = {"numpy": "2.4.6", "engine": "a", "python": "3.11.7", "machine": "x"}
        other = {"numpy": "2.3.1", "engine": "b", "python": "3.12.0", "machine": "y"}
        assert differences(other, mine) == "numpy 2.3.1 instead of 2.4.6, engine b instead of a"
        assert differences(mine | {"machine": "y", "python": "3.12.0"}, mine) == ""
        assert set(DECISIVE) < set(software())

    def test_a_rung_is_not_trained_without_data_or_with_other_versions(self):
        _, data = small_problem()
        with pytest.raises(UnfitWorkerError, match="has not received the data"):
            run_received("test/none", small_rung())
        receive("test/old", data, software() | {"numpy": "1.0"})
        with pytest.raises(UnfitWorkerError, match=r"numpy .* instead of 1\.0"):
            run_received("test/old", small_rung())
        forget("test/old")


class TestALocalCluster:
    def test_gives_the_table_of_one_process(self):
        said = []
        stored = new_study(InMemoryStorage())
        with open_dask(n_workers=2, say=said.append) as (executor, run_rung_there):
            assert isinstance(executor, DaskExecutor)
            run_schedule(stored, small_config(), executor, run_rung_there)
        assert table(stored) == undisturbed_table()
        (line,) = said
        assert line.startswith("Dask at tcp://127.0.0.1:")
        assert line.endswith(": 2 workers.")

    def test_a_rung_that_kills_its_workers_fails_its_trial_and_no_other(self, tmp_path):
        """One worker, so that innocent rungs wait beside the guilty one whenever it dies."""
        config = small_config(**EIGHT_TRIALS, study={"trials_in_flight": 3, "pruner": "none", "sampler": "random"})
        stored = new_study(InMemoryStorage())
        deaths = tmp_path / "deaths"
        with open_dask(n_workers=1) as (executor, run_rung_there):
            call = partial(there.die_in_trial, 1, deaths, run_rung_there)
            run_schedule(stored, config, executor, call)
        found, expected = table(stored), undisturbed_table(config)
        assert found[1]["state"] == "FAIL"
        assert "its worker process ended unexpectedly 3 times. Most often memory ran out" in str(found[1]["user_attrs"])
        assert len(deaths.read_text().splitlines()) == 3
        assert found[:1] + found[2:] == expected[:1] + expected[2:]

    def test_an_exception_is_handed_over_and_the_next_call_is_answered(self):
        with open_dask(n_workers=1) as (executor, _):
            assert isinstance(executor.submit(divmod, 1, 0).exception(timeout=60), ZeroDivisionError)
            assert executor.submit(divmod, 7, 2).result(timeout=60) == (3, 1)
            unfinished = executor.submit(time.sleep, 1000)
            executor.shutdown(wait=True, cancel_futures=True)
            executor.shutdown(wait=True, cancel_futures=True)
        assert isinstance(unfinished.exception(timeout=10), WorkerDiedError)


class TestASchedulerThatIsNotThere:
    @pytest.mark.parametrize("address", ["127.0.0.1:8786", "tcp://127.0.0.1", "foo://127.0.0.1:1", "tcp://:1"])
    def test_a_text_that_is_no_address_is_an_error(self, address):
        with pytest.raises(InputError, match=r"is not an address\. It must be protocol, host"), open_dask(address):
            pytest.fail("opened")

    @pytest.mark.parametrize(
        "settings",
        [{}, {"ca-file": "/nowhere/ca.pem", "client.cert": "/nowhere/cert.pem", "client.key": "/nowhere/key.pem"}],
        ids=["without certificates", "with certificates that are not there"],
    )
    def test_tls_that_is_not_set_up_is_an_error_that_names_the_variables(self, settings):
        with (
            dask.config.set({f"distributed.comm.tls.{key}": value for key, value in settings.items()}),
            pytest.raises(
                InputError, match=r"tls://127\.0\.0\.1:1: Dask cannot speak .* export DASK_DISTRIBUTED__COMM__TLS__CA_"
            ),
            open_dask("tls://127.0.0.1:1"),
        ):
            pytest.fail("opened")

    def test_an_address_where_nobody_answers_is_an_error_within_seconds(self):
        began_at = time.monotonic()
        with (
            pytest.raises(InputError, match=r"tcp://127\.0\.0\.1:1: no Dask scheduler answers"),
            open_dask("tcp://127.0.0.1:1"),
        ):
            pytest.fail("opened")
        assert time.monotonic() - began_at < 60

    def test_losing_it_in_mid_sweep_is_an_error_and_the_same_study_continues(self, tmp_path):
        stored = new_study(InMemoryStorage())
        with there.Cluster(tmp_path) as lost:
            lost.start_worker("only")

            def lose(result):
                lost.scheduler.kill()

            with (
                pytest.raises(ExecutorLostError, match=f"{lost.address}: the scheduler was lost.*Start it again"),
                open_dask(lost.address) as (executor, run_rung_there),
            ):
                run_schedule(stored, small_config(), executor, run_rung_there, on_trial_end=lose)
        states = [row["state"] for row in table(stored)]
        assert "RUNNING" in states
        run_schedule(stored, small_config())
        assert table(stored) == undisturbed_table()


@pytest.mark.parametrize(("status", "expected"), [("finished", ExecutorLostError), ("error", OSError)])
def test_an_answer_that_is_out_of_reach_is_a_lost_scheduler_and_an_error_of_the_rung_its_own(cluster, status, expected):
    answer = Mock(status=status)
    answer.result.side_effect = OSError("Timed out trying to connect")
    with open_dask(cluster.address) as (executor, _):
        task = _Task(abs, (1,), Future())
        executor._finish(task, answer)
        assert type(task.future.exception(timeout=5)) is expected


class TestTheCommandLine:
    def test_a_sweep_on_a_cluster_is_the_sweep_in_one_process(self, cluster, client, tmp_path, with_store):
        tables = []
        for name, options in (("serial", ()), ("dask", ("--executor", "dask", "--scheduler", cluster.address))):
            command_line = CommandLine(with_store(tmp_path / name))
            done = command_line.run("run", command_line.write(values=changed(IRIS, sweep={"n_trials": 8})), *options)
            assert done.returncode == 0, done.stderr
            assert (f"Dask at {cluster.address}: 3 workers.\n" in done.stderr) == (name == "dask")
            assert "distributed" not in done.stderr
            tables.append(command_line.trials())
        assert tables[0] == tables[1]

    def test_without_the_package_it_says_what_to_type(self):
        program = (
            "import sys; sys.modules['distributed'] = None\n"
            "from tests.sweeps.support.small_sweep import open_executor\n"
            "with open_executor('dask', 0, None): pass"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=there.REPOSITORY, capture_output=True, text=True, timeout=60
        )
        assert done.stderr.splitlines()[-1] == (
            'experiments.errors.InputError: executor = "dask": the package distributed is not installed. Dask does '
            "not come with sweeps unless asked for. Type: pip install 'sweeps[dask]'"
        )

    @pytest.mark.slow
    @pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
    def test_ctrl_c_in_a_local_cluster_leaves_no_process(self, tmp_path):
        command_line = CommandLine(tmp_path)
        name = command_line.write(values=changed(IRIS, sweep={"n_trials": 400}, execution={"executor": "dask"}))
        with command_line.start("run", name, "--workers", "2") as process:
            wait_for(lambda: len(list(tmp_path.rglob("checkpoint.h5"))) > 0, "the first trials")
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers hear it too
            _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert "Traceback" not in err
        wait_for(lambda: not living_of_group(process.pid), "the end of every worker", 10)


class TestTheConfiguration:
    def test_a_scheduler_needs_the_dask_executor(self):
        with pytest.raises(
            InputError, match=r'scheduler = "tcp://a:1" with executor = "serial"\. Only executor = "dask"'
        ):
            small_config(execution={"scheduler": "tcp://a:1"})

    def test_workers_are_not_ours_to_count_on_a_cluster_that_runs(self):
        with pytest.raises(InputError, match=r'workers = 4 with scheduler = "tcp://a:1"'):
            small_config(execution={"executor": "dask", "scheduler": "tcp://a:1", "workers": 4})

    def test_how_it_is_executed_does_not_make_another_sweep(self):
        config = small_config(execution={"executor": "dask", "scheduler": "tcp://a:1"})
        assert config.fingerprint("data") == small_config().fingerprint("data")


def test_the_extra_is_what_the_tests_run_with():
    import tomllib

    extras = tomllib.loads((Path(there.REPOSITORY) / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras["dask"]) <= set(extras["test"])
