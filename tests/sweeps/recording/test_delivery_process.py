"""The process around `experiments.delivery`; what it delivers and how is in tests/experiments/test_delivery.py."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

from experiments.delivery import deliver
from experiments.facts import SweepFinished, SweepStarted, TrialFinished
from experiments.outbox import Outbox
from sweeps.recording.delivery_process import DeliveryProcess, OtherOutbox, RunStopped
from tests.conftest import REPOSITORY
from tests.experiments.support.study_facts import DATA
from tests.support.sql import query
from tests.support.waiting import wait_for
from tests.sweeps.support.command_line import mlflow_runs

STARTED = SweepStarted("cats/1", "cats", 1.79e9, {"sweep.seed": 1}, {}, "# Cats", 'name = "cats"\n', DATA)


def trial(number):
    curve = [(10 * i, 1.0 / (i + 1)) for i in range(20)]
    begin = 1.79e9 + number
    return TrialFinished(
        "cats/1", number, "COMPLETE", False, {"depth": 2}, {"value": 0.5}, {"c": curve}, begin, begin + 1
    )


@pytest.fixture
def outbox(tmp_path):
    outbox = Outbox(tmp_path / "outbox.jsonl")
    outbox.append(STARTED)
    return outbox


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path}/mlflow.db"


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_it_delivers_while_the_coordinator_goes_on_and_signals_to_the_whole_group_do_not_end_it(outbox, uri):
    delivery = DeliveryProcess(outbox, uri)
    for number in (signal.SIGINT, signal.SIGTERM):  # it has hardly begun
        os.kill(delivery._process.pid, number)
    for number in range(4):
        outbox.append(trial(number))
        delivery.notify()

    def has_delivered():
        outbox.reload_delivered()
        return outbox.n_pending == 0

    wait_for(has_delivered, "all of it in MLflow")
    os.kill(delivery._process.pid, signal.SIGINT)
    outbox.append(trial(4))
    delivery.notify()
    result = delivery.close(timeout_seconds=30).own
    assert (result.n_pending, result.error) == (0, None)
    assert result.run_id is not None
    assert deliver(Outbox(outbox.path), uri).n_pending == 0
    assert not is_alive(delivery._process.pid)


def test_at_the_end_it_delivers_what_other_studies_have_pending_to_where_they_belong(outbox, uri, tmp_path):
    there = f"sqlite:///{tmp_path}/there.db"
    others = []
    for name, other_uri in (("lost", "http://127.0.0.1:9"), ("damaged", there), ("late", there), ("unknown", None)):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "outbox.jsonl"
        other = Outbox(path)
        other.append(STARTED)
        other.append(trial(0))
        others.append(OtherOutbox(name, path, other_uri, "" if other_uri else "${WHERE} is not set"))
    (tmp_path / "damaged" / "outbox.jsonl").write_bytes(b"not a fact\nnot a fact\n")
    delivery = DeliveryProcess(outbox, uri)
    delivered = delivery.close(60, others)
    assert (delivered.own.n_pending, delivered.own.error) == (0, None)
    assert set(delivered.others) == {"lost", "damaged", "unknown"}
    assert "127.0.0.1:9: " in delivered.others["lost"]
    assert "outbox.jsonl lines 1, 2: damaged" in delivered.others["damaged"]
    assert delivered.others["unknown"] == "${WHERE} is not set"
    assert [name for name, _, _ in mlflow_runs(tmp_path / "there.db")] == ["cats/1", "trial-0000"]
    assert Outbox(tmp_path / "late" / "outbox.jsonl").n_pending == 0


def test_the_first_error_is_told_at_once_and_once_however_often_it_is_notified(outbox):
    delivery = DeliveryProcess(outbox, "http://127.0.0.1:9")
    told = []

    def is_told():
        delivery.notify()
        told.extend(delivery.news())
        return told

    wait_for(is_told, "the first error")
    assert told[0].startswith("http://127.0.0.1:9: ")
    ends_at = time.monotonic() + 2
    wait_for(lambda: is_told() and time.monotonic() > ends_at, "the end of two seconds")
    result = delivery.close(timeout_seconds=30).own
    assert len(told) == 1
    assert (result.n_pending, result.error is None) == (1, False)


def test_one_that_is_killed_loses_nothing_and_says_so_at_the_end(outbox, uri):
    delivery = DeliveryProcess(outbox, uri)
    delivery._process.kill()
    delivery._process.join()
    for number in range(3):
        outbox.append(trial(number))
        delivery.notify()
    result = delivery.close(timeout_seconds=30).own
    assert result.n_pending == 4
    assert "ended without an answer" in result.error
    again = deliver(Outbox(outbox.path), uri)
    assert (again.n_pending, again.error) == (0, None)


def test_it_ends_with_its_coordinator(outbox, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call and never answers
        coordinator = f"""
            import time
            from pathlib import Path
            from experiments.outbox import Outbox
            from sweeps.recording.delivery_process import DeliveryProcess
            if __name__ == "__main__":
                uri = "http://127.0.0.1:{silent.getsockname()[1]}"
                delivery = DeliveryProcess(Outbox(Path({str(outbox.path)!r})), uri)
                print(delivery._process.pid, flush=True)
                time.sleep(600)
        """
        script = tmp_path / "coordinator.py"
        script.write_text(textwrap.dedent(coordinator))
        process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
        pid = int(process.stdout.readline())
        silent.settimeout(60)
        connection, _ = silent.accept()  # it is in the middle of a delivery
        with connection, process.stdout:
            process.kill()
            process.wait()
            wait_for(lambda: not is_alive(pid), "the end of the delivery", 5)
    assert Outbox(outbox.path).n_pending == 1


def test_a_server_that_hangs_holds_up_neither_the_coordinator_nor_the_end(outbox):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        delivery = DeliveryProcess(outbox, f"http://ada:hunter2@127.0.0.1:{silent.getsockname()[1]}")
        silent.settimeout(60)
        connection, _ = silent.accept()
        with connection:
            began_at = time.monotonic()
            for number in range(100):
                outbox.append(trial(number))
                delivery.notify()
            result = delivery.close(timeout_seconds=0.5).own
            assert time.monotonic() - began_at < 8, "the server's ten seconds were waited for"
    assert result.n_pending == 101
    assert "within 0.5 s" in result.error
    assert "hunter2" not in result.error


def test_a_run_that_somebody_stops_in_mlflow_is_told_once_and_one_that_had_been_stopped_before_is_not(outbox, uri):
    for number in range(2):
        outbox.append(trial(number))
    outbox.append(SweepFinished("cats/1", "KILLED", 1.79e9 + 9, {}, {}, "", {}, None))
    assert deliver(outbox, uri).n_pending == 0  # it was interrupted, and is continued now
    delivery = DeliveryProcess(outbox, uri)
    outbox.append(trial(2))
    delivery.notify()
    told = []

    def has_been_told():
        told.extend(delivery.news())
        return told

    status = "SELECT status FROM runs WHERE name = 'cats/1'"
    wait_for(lambda: query(uri, status) == [("RUNNING",)], "the run to be reopened")
    ends_at = time.monotonic() + 3
    wait_for(lambda: has_been_told() or time.monotonic() > ends_at)
    assert told == []
    with closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database, database:
        database.execute("UPDATE runs SET status = 'KILLED' WHERE name = 'cats/1'")
    wait_for(has_been_told, "what was done in MLflow")
    outbox.append(trial(3))
    delivery.notify()
    assert delivery.close(timeout_seconds=30).own.n_pending == 0
    assert told == [RunStopped()]
    assert query(uri, status) == [("KILLED",)]


COORDINATOR = """
    import sys
    from pathlib import Path
    from experiments.outbox import Outbox
    from sweeps.recording.delivery_process import DeliveryProcess
    delivery = DeliveryProcess(Outbox(Path(sys.argv[1])), sys.argv[2])
    print(delivery._process.pid, flush=True)
    delivery.close(60, goes_on=lambda n_pending: print(n_pending, flush=True) is None)
"""


def test_a_coordinator_that_is_killed_while_it_waits_for_the_end_leaves_nobody_that_delivers(outbox, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes calls and answers none
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
        command = [sys.executable, "-c", textwrap.dedent(COORDINATOR), str(outbox.path), uri]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as coordinator:
            pid = int(coordinator.stdout.readline())
            assert coordinator.stdout.readline() == "1\n"  # it waits
            with silent.accept()[0]:  # MLflow is asked
                coordinator.kill()
                wait_for(lambda: not is_alive(pid), "the end of the process that delivers", seconds=10)


def test_the_end_is_not_waited_for_when_nobody_wants_to(outbox):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        delivery = DeliveryProcess(outbox, f"http://127.0.0.1:{silent.getsockname()[1]}")
        before = time.monotonic()
        result = delivery.close(30, goes_on=lambda n_pending: False).own
    assert time.monotonic() - before < 5
    assert result.n_pending == 1
    assert "nobody waited any longer" in result.error
