"""Runs of one sweep that meet: real processes, one of which has the lease."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sweeps.storage import overlap
from sweeps.storage.overlap import holder_of, make_way
from sweeps.storage.workspace import PATIENCE_SECONDS, LeaseHeldError, Workspace
from tests.support.waiting import wait_for
from tests.sweeps.support.command_line import IRIS, CommandLine, changed
from tests.sweeps.support.small_sweep import nothing

pytestmark = pytest.mark.skipif(not Path("/proc/locks").exists(), reason="who has a lock is read from /proc/locks")

HOLDER = """
import signal, sys, time
from filelock import FileLock

n_to_ignore = int(sys.argv[2])

def stop(number, frame):
    global n_to_ignore
    if n_to_ignore == 0:
        raise SystemExit(7)
    n_to_ignore -= 1

signal.signal(signal.SIGTERM, stop)
with FileLock(sys.argv[1]):
    print("it is mine", flush=True)
    while True:
        time.sleep(0.05)
"""


@pytest.fixture
def workspace(tmp_path):
    """An empty one."""
    made = Workspace(tmp_path)
    made.create()
    return made


@contextmanager
def holder(workspace, n_ignored=0):
    """A process that has the lease and ends with 7 when it is told to stop once more than `n_ignored` times."""
    command = [sys.executable, "-c", HOLDER, str(workspace.lease_file("small")), str(n_ignored)]
    workspace.lease_file("small").parent.mkdir(exist_ok=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "it is mine\n"
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def test_the_process_that_has_a_lease_is_found_and_only_while_it_has_it(workspace):
    file = workspace.lease_file("small")
    assert holder_of(file) is None
    with holder(workspace) as process:
        assert holder_of(file) == process.pid
        with workspace.lease("another"):
            assert holder_of(file) == process.pid
            assert holder_of(workspace.lease_file("another")) == os.getpid()
    assert holder_of(file) is None


@pytest.mark.parametrize("choice", ["refuse", "wait", "replace"])
def test_where_nobody_is_nothing_is_said(workspace, choice):
    seconds = make_way(workspace, "small", choice, math.inf, pytest.fail)
    assert seconds == (math.inf if choice == "wait" else PATIENCE_SECONDS)
    with workspace.lease("small"):
        pass
    make_way(workspace, "small", choice, math.inf, pytest.fail)


def test_refuse_leaves_it_to_the_lease(workspace):
    with holder(workspace):
        assert make_way(workspace, "small", "refuse", math.inf, pytest.fail) == PATIENCE_SECONDS


def test_wait_says_so_and_waits_until_the_other_has_ended(workspace):
    said = []
    with holder(workspace) as process:
        threading.Timer(0.5, process.kill).start()
        make_way(workspace, "small", "wait", math.inf, said.append)
        assert process.wait(5) == -signal.SIGKILL
    assert said == ["small: another run is alive; waiting for it to end. Ctrl-C leaves it alone."]


def test_wait_gives_up_when_its_time_is_over(workspace):
    with holder(workspace) as process:
        with pytest.raises(LeaseHeldError, match="another run of this sweep is alive"):
            make_way(workspace, "small", "wait", time.time() + 0.3, nothing)
        assert process.poll() is None


def test_replace_ends_the_other_as_sigterm_does(workspace):
    said = []
    with holder(workspace) as process:
        make_way(workspace, "small", "replace", math.inf, said.append)
        assert process.wait(5) == 7
    assert said == [
        f"small: another run is alive (process {process.pid}); it was told to stop, and its study goes on here."
    ]


def test_replace_tells_a_run_that_does_not_stop_once_more_and_then_gives_up(workspace, monkeypatch):
    monkeypatch.setattr(overlap, "SECONDS_TO_STOP", 0.3)
    with holder(workspace, n_ignored=1) as process:
        make_way(workspace, "small", "replace", math.inf, nothing)
        assert process.wait(5) == 7
    with holder(workspace, n_ignored=2) as process:
        with pytest.raises(LeaseHeldError, match=rf"does not stop, though told twice\. .* kill -9 {process.pid}"):
            make_way(workspace, "small", "replace", math.inf, nothing)
        assert process.poll() is None


def test_replace_leaves_a_process_alone_that_cannot_be_told(workspace, monkeypatch, tmp_path):
    monkeypatch.setattr(overlap, "LOCKS", tmp_path / "locks")  # as on another machine's file system
    with holder(workspace) as process:
        for text in (
            "",
            f"1: FLOCK  ADVISORY  WRITE {os.getpid()} fe:00:{workspace.lease_file('small').stat().st_ino} 0 EOF",
        ):
            (tmp_path / "locks").write_text(text)
            with pytest.raises(LeaseHeldError, match="does not say which process it is"):
                make_way(workspace, "small", "replace", math.inf, nothing)
        assert process.poll() is None


def test_a_run_waits_for_another_or_takes_its_place_and_goes_on_with_its_study(tmp_path, with_store):
    sweeps = CommandLine(with_store(tmp_path / "work"))
    name = sweeps.write(
        "long.toml",
        changed(IRIS, sweep={"n_trials": 400}, search={"n_iterations": 300, "depth": 2}, study={"pruner": "none"}),
    )
    outbox = ".sweeps/flowers/*/outbox.jsonl"
    with sweeps.start("run", name) as first:
        wait_for(lambda: any('"trial-' in f.read_text() for f in sweeps.directory.glob(outbox)), process=first)
        with sweeps.start("run", name, "--overlap", "wait") as second:
            assert "waiting for it to end" in second.stderr.readline()
            second.send_signal(signal.SIGINT)
            assert second.wait(60) == 130
        replaced = sweeps.run("run", name, "--overlap", "replace", "--trials", "4", "--json")
        assert first.wait(60) == 143
    assert replaced.returncode == 0, replaced.stderr
    assert f"another run is alive (process {first.pid}); it was told to stop" in replaced.stderr
    assert "Continuing flowers/" in replaced.stderr
    assert len(list(sweeps.directory.glob(outbox))) == 1
