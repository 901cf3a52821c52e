"""A server that is slower than our patience, and a kill while its doubles are put away."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.delivery import DeliveryResult, deliver
from experiments.facts import SweepFinished, SweepStarted, TrialFinished
from experiments.mlflow_connection import connect
from experiments.outbox import Outbox
from tests.experiments.support.delivery import Killed
from tests.experiments.support.study_facts import DATA, T0
from tests.support.sql import query

STUDY = "cats/20261125-020000"
STARTED = SweepStarted(STUDY, "cats", T0, {"sweep.seed": 1}, {}, "# Cats", 'name = "cats"\n', DATA)


def trial(number: int) -> TrialFinished:
    begin = T0 + number
    return TrialFinished(STUDY, number, "COMPLETE", False, {"depth": 2}, {"value": 0.5}, {}, begin, begin + 0.5)


def finished(sequence: int = 1) -> SweepFinished:
    return SweepFinished(STUDY, "FINISHED", T0 + 1000 * sequence, {}, {}, "", {}, None, sequence)


@pytest.fixture
def uri(tmp_path: Path, with_store: Callable[[Path], Path]) -> str:
    return f"sqlite:///{with_store(tmp_path)}/mlflow.db"


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    outbox = Outbox(tmp_path / "cats.outbox")
    outbox.append(STARTED)
    return outbox


class SlowServer:
    """Does not answer the first call that creates the run of a name, and obeys it whenever `obey` is called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        import requests
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        create = MlflowClient.create_run
        self.is_asked = False

        def slow(client: MlflowClient, *args: Any, run_name: str) -> Any:
            if run_name != name or self.is_asked:
                return create(client, *args, run_name=run_name)
            self.obey = lambda: create(client, *args, run_name=run_name)
            self.is_asked = True
            raise MlflowException("API request failed") from requests.exceptions.ReadTimeout("timeout=10")

        self.obey: Callable[[], Any]
        monkeypatch.setattr(MlflowClient, "create_run", slow)
        monkeypatch.setattr("experiments.study_runs._SECONDS_TO_SETTLE", 0.0)


def delivered(outbox: Outbox, uri: str, *facts: TrialFinished | SweepFinished) -> DeliveryResult:
    """The result of one session of its own, as after a kill: nothing is known but what is on disk and in MLflow."""
    for fact in facts:
        outbox.append(fact)
    return deliver(Outbox(outbox.path), uri)


def assert_one_of_each(uri: str, result: DeliveryResult, n_trials: int) -> None:
    """One run for the study and for each trial below it; all others are deleted."""
    assert (result.n_pending, result.error) == (0, None)
    runs = query(uri, "SELECT name, status FROM runs WHERE lifecycle_stage = 'active' ORDER BY name")
    assert runs == [(STUDY, "FINISHED"), *((f"trial-{number:04d}", "FINISHED") for number in range(n_trials))]
    parents = "SELECT value FROM tags JOIN runs USING (run_uuid) WHERE key = 'mlflow.parentRunId' AND lifecycle_stage"
    assert query(uri, f"{parents} = 'active'") == [(result.run_id,)] * n_trials


@pytest.mark.parametrize("name", [STUDY, "trial-0001"])
def test_what_a_slow_server_creates_while_we_wait_is_found_and_not_created_again(
    uri: str, outbox: Outbox, monkeypatch: pytest.MonkeyPatch, name: str
):
    server = SlowServer(monkeypatch, name)
    waited: list[float] = []
    clock = SimpleNamespace(sleep=lambda seconds: (waited.append(seconds), server.obey()))
    monkeypatch.setattr("experiments.study_runs.time", clock)
    assert delivered(outbox, uri, trial(0), trial(1)).n_pending > 0
    assert len(waited) == 1
    assert_one_of_each(uri, delivered(outbox, uri, finished()), 2)
    assert query(uri, "SELECT count(*) FROM runs") == [(3,)]


def test_a_study_whose_run_a_slow_server_creates_again_and_again_goes_on_in_the_one_it_began_in(
    uri: str, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    server = SlowServer(monkeypatch, STUDY)
    assert delivered(outbox, uri, trial(0)).n_pending == 2
    first = delivered(outbox, uri)
    for number in range(1, 6):  # whose ids come before the first one's and after it
        server.obey()
        assert delivered(outbox, uri, trial(number)).run_id == first.run_id
    result = delivered(outbox, uri, finished())
    assert result.run_id == first.run_id
    assert_one_of_each(uri, result, 6)


def test_a_second_run_of_a_trial_is_deleted_in_the_end_and_never_comes_back(
    uri: str, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    server = SlowServer(monkeypatch, "trial-0001")
    assert delivered(outbox, uri, trial(0), trial(1)).n_pending == 1
    assert delivered(outbox, uri, trial(2)).error is None
    for _ in range(4):
        server.obey()
    assert_one_of_each(uri, delivered(outbox, uri, finished()), 3)
    complete = "SELECT run_uuid FROM runs WHERE status = 'FINISHED' ORDER BY name"
    before = query(uri, complete)
    for _ in range(2):
        server.obey()
    outbox.path.with_name("cats.outbox.delivered").unlink()  # deliver everything again
    assert_one_of_each(uri, delivered(outbox, uri), 3)
    assert query(uri, complete) == before
    assert_one_of_each(uri, delivered(outbox, uri, trial(3), finished(2)), 4)


def test_a_run_that_somebody_deleted_is_not_replaced_by_its_double(
    uri: str, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    server = SlowServer(monkeypatch, "trial-0000")
    delivered(outbox, uri, trial(0))
    assert delivered(outbox, uri).error is None
    server.obey()
    connection = sqlite3.connect(uri.removeprefix("sqlite:///"))
    with connection:
        connection.execute(
            "UPDATE runs SET lifecycle_stage = 'deleted' WHERE name = 'trial-0000' AND status != 'RUNNING'"
        )
    connection.close()
    assert_one_of_each(uri, delivered(outbox, uri, finished()), 0)


@pytest.mark.parametrize(
    ("method", "n_before"), [*(("set_tag", n) for n in range(2)), *(("delete_run", n) for n in range(4))]
)
@pytest.mark.parametrize("has_happened", [False, True], ids=["before", "after"])
def test_a_study_that_was_split_over_two_runs_becomes_one_whenever_that_is_killed(
    uri: str, outbox: Outbox, monkeypatch: pytest.MonkeyPatch, method: str, n_before: int, has_happened: bool
):
    from mlflow import MlflowClient

    first = delivered(outbox, uri, *map(trial, range(4)))
    client = connect(uri)
    assert first.experiment_id is not None
    tags = {"sweeps.kind": "study", "sweeps.study": STUDY}
    second = ""
    while second < (first.run_id or ""):  # then it would be taken, were it not for the note beside the outbox
        second = client.create_run(first.experiment_id, round(T0 * 1000), tags, STUDY).info.run_id
    client.log_param(second, "sweep.seed", 1)
    of_trial = {run.info.run_name: run.info.run_id for run in client.search_runs([first.experiment_id])}
    for name in ("trial-0001", "trial-0002"):  # without a twin below the first
        client.set_tag(of_trial[name], "mlflow.parentRunId", second)
    for parent, number in ((second, 2), (second, 3), (first.run_id, 3)):
        tags = {"mlflow.parentRunId": parent, "sweeps.trial_number": str(number)}
        client.create_run(first.experiment_id, round((T0 + number) * 1000), tags, trial(number).key)
    outbox.append(finished())

    real, n_calls = getattr(MlflowClient, method), 0

    def killed(*args: Any) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls <= n_before:
            return real(*args)
        if has_happened:
            real(*args)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, method, killed)
        with pytest.raises(Killed, match=r"^$"):
            delivered(outbox, uri)
    assert_one_of_each(uri, delivered(outbox, uri), 4)
    document = json.loads(outbox.path.with_name("cats.outbox.delivered").read_text())
    assert document["run_id"] == first.run_id
