import math
import os
import random
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from experiments.delivery import Delivery, deliver
from experiments.facts import CorrectedCost
from experiments.mlflow_connection import connect, prepare_environment, sqlite_uri
from experiments.outbox import Outbox
from tests.experiments.support.delivery import Killed, tags_of
from tests.experiments.support.study_facts import STUDY, T0, accuracy, finished, started, trial
from tests.support.servers import free_port, mlflow_server
from tests.support.sql import query
from tests.support.waiting import wait_for


@pytest.fixture
def uri(tmp_path: Path, with_store: Callable[[Path], Path]) -> str:
    return f"sqlite:///{with_store(tmp_path)}/mlflow.db"


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "cats.outbox")


def fill(outbox: Outbox, n_trials: int, n_points: int = 20) -> None:
    outbox.append(started())
    for number in range(n_trials):
        outbox.append(trial(number, n_points))


def statuses(uri: str) -> dict[str, str]:
    return dict(query(uri, "SELECT name, status FROM runs"))


def assert_exactly_once(uri: str, n_trials: int, n_points: int) -> None:
    """N child runs under one parent in one experiment, every point there, none double."""
    assert query(uri, "SELECT count(*) FROM experiments WHERE name = 'cats'") == [(1,)]
    assert query(uri, f"SELECT count(*) FROM runs WHERE name = '{STUDY}'") == [(1,)]  # noqa: S608
    names = [name for (name,) in query(uri, "SELECT name FROM runs WHERE name LIKE 'trial-%' ORDER BY name")]
    assert names == [f"trial-{number:04d}" for number in range(n_trials)]
    rows = query(uri, "SELECT name, key, step, value FROM metrics JOIN runs USING (run_uuid)")
    points = [row for row in rows if row[0].startswith("trial-")]
    expected = []
    for number in range(n_trials):
        fact = trial(number, n_points)
        expected += [(fact.key, key, i, v) for key, curve in fact.curves.items() for i, v in curve]
        expected += [(fact.key, key, 10 * (n_points - 1), value) for key, value in fact.metrics.items()]
    assert sorted(points) == sorted(expected)
    assert query(uri, "SELECT count(*) FROM params JOIN runs USING (run_uuid) WHERE name LIKE 'trial-%'") == [
        (3 * n_trials,)
    ]
    assert query(uri, "SELECT count(*) FROM datasets") == [(1,)]
    assert query(uri, "SELECT count(*) FROM inputs") == [(n_trials + 1,)]


def test_the_record_has_the_shape_the_design_promises(uri: str, outbox: Outbox, tmp_path: Path):
    (tmp_path / "report.html").write_text("<p>won</p>")
    fill(outbox, 1)
    outbox.append(trial(1, state="PRUNED", reason="below the median at iteration 100"))
    outbox.append(trial(2, state="FAIL", reason="cost is nan", metrics={"value": math.nan}, curves={}))
    outbox.append(trial(3, state="FAIL", interrupted=True))
    outbox.append(finished(artifacts={"reports/index.html": "report.html"}))
    result = deliver(outbox, uri)

    assert (result.n_pending, result.error) == (0, None)
    assert statuses(uri) == {
        STUDY: "FINISHED",
        "trial-0000": "FINISHED",
        "trial-0001": "FINISHED",
        "trial-0002": "FAILED",
        "trial-0003": "KILLED",
    }
    assert tags_of(uri, "trial-0001") == {
        "mlflow.parentRunId": result.run_id,
        "mlflow.runName": "trial-0001",
        "mlflow.source.name": "sweeps",
        "mlflow.user": "ada",
        "sweeps.kind": "trial",
        "sweeps.reason": "below the median at iteration 100",
        "sweeps.study": STUDY,
        "sweeps.trial_number": "1",
        "sweeps.trial_state": "PRUNED",
    }
    parent = tags_of(uri, STUDY)
    assert parent["mlflow.note.content"] == "# Cats\nwon"
    assert (parent["sweeps.kind"], parent["sweeps.study"], parent["sweeps.best_trial"]) == ("study", STUDY, "3")
    assert query(uri, "SELECT start_time, end_time FROM runs WHERE name = 'trial-0001'") == [
        (round((T0 + 1) * 1000), round((T0 + 1.9) * 1000))
    ]
    assert query(uri, "SELECT name, digest FROM datasets") == [("cats", "0123456789abcdef")]
    assert query(uri, "SELECT count(*) FROM inputs") == [(5,)]
    files = {path.name: path.read_bytes() for path in (tmp_path / "mlruns").rglob("*") if path.is_file()}
    assert files == {"config.toml": b'name = "cats"\n', "index.html": b"<p>won</p>"}


def test_a_final_value_wins_over_the_end_of_its_curve_and_times_lie_within_the_trial(uri: str, outbox: Outbox):
    fill(outbox, 1)
    deliver(outbox, uri)
    latest = dict(query(uri, "SELECT key, value FROM latest_metrics JOIN runs USING (run_uuid) WHERE name LIKE 'tr%'"))
    assert latest == {"value": 0.25, "validation_cost": 0.123, "train_cost": 1 / 20}
    times = query(uri, "SELECT min(timestamp), max(timestamp) FROM metrics")
    assert times == [(round(T0 * 1000), round((T0 + 0.9) * 1000))]


def test_delivering_everything_again_adds_nothing(uri: str, outbox: Outbox, tmp_path: Path):
    fill(outbox, 3)
    deliver(outbox, uri)
    # As if killed between the last call to MLflow and the note that it succeeded, in every run at once.
    connection = sqlite3.connect(tmp_path / "mlflow.db")
    with connection:
        connection.execute("UPDATE runs SET status = 'RUNNING'")
    connection.close()
    (tmp_path / "cats.outbox.delivered").unlink()
    result = deliver(Outbox(outbox.path), uri)
    assert (result.n_pending, result.error) == (0, None)
    assert_exactly_once(uri, 3, 20)


DELIVER = """
    import sys, os
    from pathlib import Path
    from experiments.delivery import deliver
    from experiments.outbox import Outbox
    import mlflow
    print("ready", flush=True)
    sys.stdin.readline()
    print(deliver(Outbox(Path(sys.argv[1])), sys.argv[2]))
"""


# One import of MLflow for all kills: a process that forks a delivery on request and kills it so many seconds later,
# or so many seconds after it has delivered something.
DELIVER_AND_KILL = """
    import os, signal, sys, time
    from pathlib import Path
    from experiments.delivery import deliver
    from experiments.outbox import Outbox
    from mlflow.store.tracking import sqlalchemy_store

    path = Path(sys.argv[1])
    for line in sys.stdin:
        waits, seconds = line.split()
        n_pending = Outbox(path).n_pending if waits == "True" else 0
        child = os.fork()
        if child == 0:
            deliver(Outbox(path), sys.argv[2])
            os._exit(0)
        while n_pending and Outbox(path).n_pending == n_pending:
            time.sleep(0.005)
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "done", flush=True)
"""


@pytest.mark.parametrize("n_kills", [8, pytest.param(50, marks=pytest.mark.slow)])
def test_kills_at_random_instants_of_the_delivery_lose_nothing_and_double_nothing(
    uri: str, outbox: Outbox, n_kills: int
):
    n_trials = 6 * n_kills
    fill(outbox, n_trials)
    rng = random.Random(n_kills)  # noqa: S311
    instants = "".join(f"{rng.random() < 0.5} {0.2 * rng.random()}\n" for _ in range(n_kills))
    command = [sys.executable, "-c", textwrap.dedent(DELIVER_AND_KILL), str(outbox.path), uri]
    run = subprocess.run(command, input=instants, check=True, capture_output=True, text=True)
    assert run.stdout.split().count("killed") > n_kills // 2, "most kills must hit a delivery that is under way"
    result = deliver(Outbox(outbox.path), uri)
    assert (result.n_pending, result.error) == (0, None)
    assert_exactly_once(uri, n_trials, 20)
    assert {status for name, status in statuses(uri).items() if name != STUDY} == {"FINISHED"}


@pytest.mark.parametrize("method", ["create_run", "log_batch", "log_inputs", "set_terminated"])
@pytest.mark.parametrize("has_happened", [False, True], ids=["before", "after"])
def test_a_kill_around_every_call_to_mlflow_is_completed_by_the_next_delivery(
    uri: str, outbox: Outbox, monkeypatch: pytest.MonkeyPatch, method: str, has_happened: bool
):
    from mlflow import MlflowClient

    fill(outbox, 3)
    real = getattr(MlflowClient, method)

    def killed(*args: Any, **kwargs: Any) -> None:
        if has_happened:
            real(*args, **kwargs)
        raise Killed

    for n_calls in range(2):  # the study's own run first, then a trial's
        count = iter(range(9))
        with monkeypatch.context() as patch:
            patch.setattr(
                MlflowClient,
                method,
                lambda *a, _n=n_calls, _c=count, **k: (killed if next(_c) == _n else real)(*a, **k),
            )
            with pytest.raises(Killed):
                deliver(Outbox(outbox.path), uri)
    assert deliver(Outbox(outbox.path), uri).error is None
    assert_exactly_once(uri, 3, 20)


def test_the_background_thread_delivers_while_the_coordinator_goes_on(uri: str, outbox: Outbox):
    outbox.append(started())
    delivery = Delivery(outbox, uri)
    delivery.start()
    for number in range(5):
        outbox.append(trial(number))
        delivery.notify()
    wait_for(lambda: outbox.n_pending == 0, "all of the outbox in MLflow")
    assert statuses(uri)[STUDY] == "RUNNING"
    outbox.append(finished())
    delivery.notify()
    result = delivery.close(timeout_seconds=30)
    assert (result.n_pending, result.error) == (0, None)
    assert statuses(uri)[STUDY] == "FINISHED"
    assert query(uri, f"SELECT run_uuid, experiment_id FROM runs WHERE name = '{STUDY}'") == [  # noqa: S608
        (result.run_id, int(result.experiment_id or "-1"))
    ]


def test_a_continued_study_is_running_again_and_its_last_end_wins(uri: str, outbox: Outbox):
    fill(outbox, 1)
    outbox.append(finished(1, state="KILLED"))
    deliver(outbox, uri)
    assert statuses(uri)[STUDY] == "KILLED"
    outbox.append(trial(1))
    deliver(outbox, uri)
    assert statuses(uri)[STUDY] == "RUNNING"
    costs = {"constant": 0.65, "logistic regression (not converged)": 0.54}
    end = finished(2, scores=[accuracy(0.9)], baselines_out_of_fold=costs, ensemble_steps=[(3, 0.2)])
    outbox.append(end)
    parent = deliver(outbox, uri).run_id
    assert statuses(uri)[STUDY] == "FINISHED"
    latest = query(uri, "SELECT key, value FROM latest_metrics WHERE key LIKE '%test%'")
    assert dict(latest) == {
        "test_accuracy": 0.9,
        "test_accuracy_ci95_low": 0.7,
        "test_accuracy_ci95_high": 0.95,
        "baseline_constant_test_accuracy": 0.6,
        "baseline_logistic_regression_test_accuracy": 0.75,
    }
    values = query(uri, f"SELECT key, value FROM latest_metrics WHERE run_uuid = '{parent}' AND key LIKE '%value'")  # noqa: S608
    assert dict(values) == {
        "value": 0.25,
        "ensemble_value": 0.2,
        "baseline_constant_value": 0.65,
        "baseline_logistic_regression_value": 0.54,
    }


def test_the_corrected_cost_stands_beside_the_winners_value(uri: str, outbox: Outbox):
    fill(outbox, 1)
    outbox.append(finished(corrected=CorrectedCost(0.3, 0.2, 0.45)))
    deliver(outbox, uri)
    rows = query(
        uri,
        f"SELECT key, value FROM latest_metrics JOIN runs USING (run_uuid) WHERE name = '{STUDY}' "  # noqa: S608
        "AND key LIKE 'value%'",
    )
    assert dict(rows) == {
        "value": 0.25,
        "value_corrected": 0.3,
        "value_corrected_ci95_low": 0.2,
        "value_corrected_ci95_high": 0.45,
    }


def test_a_deleted_experiment_and_a_deleted_parent_run_are_restored(uri: str, outbox: Outbox):
    from mlflow import MlflowClient

    fill(outbox, 1)
    first = deliver(outbox, uri)
    assert first.experiment_id is not None
    MlflowClient(tracking_uri=uri).delete_experiment(first.experiment_id)
    outbox.append(trial(1))
    assert deliver(outbox, uri) == first
    assert first.run_id is not None
    MlflowClient(tracking_uri=uri).delete_run(first.run_id)
    outbox.append(trial(2))
    assert deliver(outbox, uri) == first
    assert_exactly_once(uri, 3, 20)


def test_a_missing_file_keeps_only_its_own_fact_back(uri: str, outbox: Outbox, tmp_path: Path):
    fill(outbox, 1)
    outbox.append(finished(artifacts={"report.html": "report.html"}))
    result = deliver(outbox, uri)
    assert result.n_pending == 1
    assert "report.html" in (result.error or "")
    assert statuses(uri)[STUDY] == "FINISHED", "nothing stays RUNNING for want of a file"
    (tmp_path / "report.html").write_text("here")
    assert deliver(outbox, uri).n_pending == 0


def test_two_processes_do_not_deliver_the_same_outbox_at_once(uri: str, outbox: Outbox):
    fill(outbox, 1)
    delivery = Delivery(outbox, uri)
    delivery.start()
    wait_for(lambda: outbox.n_pending == 0, "all of the outbox in MLflow")
    outbox.append(trial(1))
    result = deliver(Outbox(outbox.path), uri)
    assert "another process is delivering" in (result.error or "")
    assert delivery.close(30).n_pending == 0


def test_two_sweeps_may_start_in_an_empty_folder_at_the_same_time(tmp_path: Path):
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    processes = []
    for name in ("a", "b"):
        fill(Outbox(tmp_path / name), 0)
        command = [sys.executable, "-c", textwrap.dedent(DELIVER), str(tmp_path / name), uri]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=-1, text=True))
    outputs = [process.communicate("go\n") for process in processes]
    assert all("n_pending=0, error=None" in output for output, _ in outputs), outputs
    assert [errors for _, errors in outputs] == ["", ""], "nothing spills onto the terminal"
    assert query(uri, "SELECT count(*) FROM experiments WHERE name = 'cats'") == [(1,)]


def test_a_database_is_made_in_a_folder_whose_name_has_quotes_in_it(tmp_path: Path, outbox: Outbox):
    folder = tmp_path / "it's a \"b% c"
    folder.mkdir()
    fill(outbox, 0)
    result = deliver(outbox, sqlite_uri(folder / "mlflow.db"))
    assert (result.error, result.n_pending) == (None, 0)


def test_an_unusable_database_is_reported_at_once_and_nothing_is_lost(outbox: Outbox, tmp_path: Path):
    (tmp_path / "mlflow.db").mkdir()
    fill(outbox, 1)
    result = deliver(outbox, f"sqlite:///{tmp_path}/mlflow.db")
    assert result.n_pending == 2
    assert "unable to open database file" in (result.error or "")


class Faulty(BaseHTTPRequestHandler):
    """A tracking server on a bad day."""

    status = 500
    hangs = False

    def do_GET(self) -> None:
        if self.hangs:
            time.sleep(30)
            return
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"no")

    do_POST = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def faulty_server() -> Iterator[Callable[..., str]]:
    servers = []

    def start(status: int = 500, hangs: bool = False) -> str:
        handler = type("Handler", (Faulty,), {"status": status, "hangs": hangs})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://ada:hunter2@127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.socket.close()


def test_a_server_that_answers_500_fails_nothing_and_its_password_is_not_told(
    outbox: Outbox, faulty_server: Callable[..., str], capfd: pytest.CaptureFixture[str]
):
    fill(outbox, 2)
    result = deliver(outbox, faulty_server(500))
    assert result.n_pending == 3
    assert result.error is not None
    assert result.error.startswith("http://ada:***@127.0.0.1")
    assert "500" in result.error
    assert "hunter2" not in result.error
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_name_the_variables_to_set(outbox: Outbox, faulty_server: Callable[..., str], status: int):
    fill(outbox, 1)
    result = deliver(outbox, faulty_server(status))
    assert result.n_pending == 2
    assert f"refused the credentials ({status})" in (result.error or "")
    assert "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN" in (result.error or "")


def test_a_server_that_hangs_holds_up_neither_the_coordinator_nor_the_end(
    outbox: Outbox, faulty_server: Callable[..., str]
):
    delivery = Delivery(outbox, faulty_server(hangs=True))
    outbox.append(started())
    delivery.start()
    outbox.append(trial(0))
    delivery.notify()
    result = delivery.close(timeout_seconds=0.5)
    assert result.n_pending == 2
    assert "within 0.5 s" in (result.error or "")
    assert "hunter2" not in (result.error or "")


def test_the_end_waits_for_another_process_that_is_delivering(uri: str, outbox: Outbox):
    fill(outbox, 1)
    lock = FileLock(outbox.path.with_name(outbox.path.name + ".lock"), thread_local=False)
    lock.acquire()
    threading.Timer(1.0, lock.release).start()
    result = Delivery(outbox, uri).run_once(30)
    assert (result.n_pending, result.error) == (0, None)
    outbox.append(trial(1))
    with lock:
        assert "another process is delivering it" in (Delivery(outbox, uri).run_once(0.5).error or "")


def test_a_server_that_is_not_there_is_named_with_the_systems_own_words(outbox: Outbox):
    fill(outbox, 1)
    result = deliver(outbox, f"http://127.0.0.1:{free_port()}")
    assert "Connection refused" in (result.error or "")
    assert "\n" not in (result.error or "")


def test_a_server_that_is_down_at_first_gets_everything_exactly_once(
    tmp_path: Path, uri: str, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("experiments.delivery._LONGEST_PAUSE_SECONDS", 0.5)
    port = free_port()
    delivery = Delivery(outbox, f"http://127.0.0.1:{port}")
    outbox.append(started())
    delivery.start()
    for number in range(10):
        outbox.append(trial(number))
        delivery.notify()
    with mlflow_server(tmp_path, uri, port=port) as address:
        for number in range(10, 20):
            outbox.append(trial(number))
            delivery.notify()
        outbox.append(finished(metrics={"value": 0.9, "nothing": math.nan, "everything": math.inf}))
        delivery.notify()
        wait_for(lambda: outbox.n_pending == 0, "all of the outbox in MLflow")
        result = delivery.close(30)
        assert (result.n_pending, result.error) == (0, None)
        listing = f"{address}/get-artifact?run_id={result.run_id}&path=config.toml"
        with urllib.request.urlopen(listing) as response:  # noqa: S310  # loopback
            assert response.read() == b'name = "cats"\n'
    assert_exactly_once(uri, 20, 20)


@pytest.mark.parametrize("name", ["my sweeps", "p%41q?x"])
def test_a_database_and_its_artifacts_are_in_their_folder_whatever_its_name(tmp_path: Path, outbox: Outbox, name: str):
    folder = tmp_path / name
    folder.mkdir()
    fill(outbox, 1)
    result = deliver(outbox, sqlite_uri(folder / "mlflow.db"))
    assert (result.n_pending, result.error) == (0, None)
    assert statuses(f"sqlite:///{folder}/mlflow.db") == {STUDY: "RUNNING", "trial-0000": "FINISHED"}
    files = [path.name for path in folder.rglob("*") if path.is_file()]
    assert sorted(files) == [".mlflow.db.lock", "config.toml", "mlflow.db"]
    assert not (tmp_path / "my%20sweeps").exists()


@pytest.mark.slow
def test_a_bare_mlflow_ui_in_the_folder_shows_runs_and_artifacts(tmp_path: Path, uri: str, outbox: Outbox):
    fill(outbox, 1)
    result = deliver(outbox, uri)
    with mlflow_server(tmp_path) as address:
        listing = f"{address}/get-artifact?run_id={result.run_id}&path=config.toml"
        with urllib.request.urlopen(listing) as response:  # noqa: S310  # loopback
            assert response.read() == b'name = "cats"\n'


def test_models_are_registered_where_the_runs_are_whatever_the_environment_says(uri: str, tmp_path: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_REGISTRY_URI", f"sqlite:///{tmp_path}/another.db")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/third.db")
        connect(uri).create_registered_model("cats")
    assert query(uri, "SELECT name FROM registered_models") == [("cats",)]
    assert not list(tmp_path.glob("[at]*.db"))


def test_what_the_user_set_in_the_environment_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    prepare_environment()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"


def test_a_user_without_home_and_passwd_entry_has_one_that_does_not_exist(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    with pytest.raises(RuntimeError, match="home directory"):
        Path.home()
    prepare_environment()
    assert Path.home() == Path("/nonexistent")


def test_a_kill_while_mlflow_creates_its_database_leaves_nothing_that_blocks_the_next_run(tmp_path: Path) -> None:
    connect = "import sys; from experiments.mlflow_connection import connect; connect(sys.argv[1]).search_experiments()"
    folder = tmp_path / "record"
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    without_copies = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    creating = subprocess.Popen([sys.executable, "-c", connect, uri], env=without_copies)
    unfinished = folder / ".mlflow.db.new"
    while not (unfinished.exists() and unfinished.stat().st_size > 50_000):  # some of the thirty migrations are done
        assert creating.poll() is None, "the database was created before it could be killed"
        time.sleep(0.01)
    creating.kill()
    creating.wait()

    subprocess.run([sys.executable, "-c", connect, uri], check=True, timeout=60)

    assert sorted(path.name for path in folder.iterdir()) == [".mlflow.db.lock", "mlflow.db"]
