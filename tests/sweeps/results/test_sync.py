"""`sync` and a real MLflow server that takes its time: few waits, a limit, progress, Ctrl-C."""

import signal
import time

import pytest

from experiments.artifact_places import moved_from
from experiments.errors import InputError
from experiments.outbox import Outbox
from sweeps.results.sync import sync_all
from sweeps.storage.workspace import Workspace
from tests.support.servers import mlflow_server, slow_proxy
from tests.support.sql import query
from tests.support.waiting import wait_for
from tests.sweeps.support.command_line import CommandLine
from tests.sweeps.support.written_study import WrittenStudy

SECONDS = 0.4
"""What each answer takes."""


@pytest.fixture(scope="module")
def server(tmp_path_factory, with_store):
    """Folder and address of a real MLflow server."""
    folder = with_store(tmp_path_factory.mktemp("server"))
    with mlflow_server(folder, f"sqlite:///{folder}/mlflow.db") as address:
        yield folder, address


def written(folder, name, n_trials, uri):
    """A study of so many trials whose record is to go to a server; nothing of it is there."""
    workspace = WrittenStudy(folder, n_trials, name=f"{name}/20261123-020000").write()
    study = workspace.study_folder(f"{name}/20261123-020000")
    study.keep_tracking_uri(uri)
    return workspace, Outbox(study.outbox)


def runs_of(server, name):
    sql = "SELECT count(*), count(DISTINCT runs.name) FROM runs JOIN tags USING (run_uuid) WHERE key = 'sweeps.study'"
    return query(f"sqlite:///{server[0]}/mlflow.db", f"{sql} AND value LIKE '{name}/%'")[0]


def test_trials_reach_a_slow_server_together_and_each_once(server, tmp_path):
    with slow_proxy(server[1], SECONDS) as (uri, asked):
        workspace, _ = written(tmp_path, "many", 16, uri)
        ((_, result),) = sync_all(workspace)
    assert (result.n_pending, result.error) == (0, None)
    assert len(asked) > 16 * 4
    began = "".join("c" if call.endswith("runs/create") else " " for call in asked).split()
    assert max(map(len, began)) >= 4, "a trial that goes alone has other calls between its own and the next one's"
    assert runs_of(server, "many") == (17, 17)


def test_a_limit_of_time_is_kept_what_was_delivered_is_noted_and_the_next_sync_does_the_rest(server, tmp_path):
    said = []
    with slow_proxy(server[1], SECONDS) as (uri, _):
        workspace, outbox = written(tmp_path, "limited", 40, uri)
        before = time.monotonic()
        ((_, result),) = sync_all(workspace, timeout_seconds=6, say=said.append)
        seconds = time.monotonic() - before
    assert seconds < 6 + 2
    outbox.reload_delivered()
    assert 0 < result.n_pending < outbox.n_facts
    assert "did not take everything within" in result.error
    assert said[0] == f"limited/20261123-020000: {outbox.n_facts} facts go to {uri}."
    assert any("of 42 are delivered" in text for text in said)
    assert sync_all(workspace, server[1])[0][1].n_pending == 0
    assert runs_of(server, "limited") == (41, 41)


def test_ctrl_c_ends_it_at_once_with_exit_130_and_without_a_traceback(server, tmp_path):
    with slow_proxy(server[1], 3.0) as (uri, asked):
        written(tmp_path, "interrupted", 9, uri)
        with CommandLine(tmp_path).start("sync") as process:
            wait_for(lambda: len(asked) > 2, "the first calls", process=process)
            process.send_signal(signal.SIGINT)
            before = time.monotonic()
            _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - before < 2.5, "no answer is waited for"
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "Interrupted."


def test_the_addresses_of_a_folder_that_was_moved_follow_though_nothing_is_pending(with_store, tmp_path):
    workspace = WrittenStudy(with_store(tmp_path / "before"), 3).write()
    assert sync_all(workspace)[0][1].error is None
    moved = CommandLine((tmp_path / "before").rename(tmp_path / "after"))
    done = moved.run("sync")
    assert done.returncode == 0
    assert f"was moved or copied from {(tmp_path / 'before').as_uri()}" in done.stderr
    assert moved_from(moved.directory / "mlflow.db") == []


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_no_time_is_no_limit_that_can_be_meant(tmp_path, seconds):
    with pytest.raises(InputError, match=r"--timeout \S+: leaves no time\. It is seconds, more than 0\."):
        sync_all(Workspace(tmp_path), timeout_seconds=seconds)
