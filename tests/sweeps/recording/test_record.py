"""What a record says of itself; what becomes of it is in test_delivery_process.py and tests/sweeps/test_run.py."""

import math
import time

import pytest

from experiments.delivery import DeliveryResult
from sweeps.data import load_data
from sweeps.recording.delivery_process import Delivered
from sweeps.recording.facts import sweep_finished
from sweeps.recording.record import (
    LEAST_SECONDS_TO_ANSWER,
    SECONDS_TO_DELIVER,
    Audience,
    Record,
    not_asked,
    seconds_to_wait,
)
from sweeps.storage.workspace import Workspace
from tests.sweeps.support.small_sweep import small_config

OWN = "sqlite:////work/mlflow.db"


TRACKING, REGISTRY = "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"


@pytest.mark.parametrize(
    ("variables", "configured", "middle"),
    [
        (
            {TRACKING: "http://ada:secret@there:5000"},
            None,
            f"which is this folder's own; {TRACKING} = http://ada:***@there:5000 in the environment is not asked.",
        ),
        (
            {TRACKING: "databricks", REGISTRY: "http://b"},
            OWN,
            f"as [tracking] uri says; {TRACKING} = databricks and {REGISTRY} = http://b in the environment are not "
            "asked.",
        ),
        (
            {REGISTRY: "http://b"},
            None,
            f"which is this folder's own; {REGISTRY} = http://b in the environment is not asked.",
        ),
    ],
)
def test_mlflows_own_variables_decide_nothing_and_that_is_said(monkeypatch, variables, configured, middle):
    for name in (TRACKING, REGISTRY):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    way_out = f'To go there: [tracking] uri = "${{{next(iter(variables))}}}".'
    assert not_asked(configured, OWN) == f"Record and models go to {OWN}, {middle} {way_out}"


@pytest.mark.parametrize("uri", [None, OWN])
def test_variables_that_say_the_same_or_nothing_are_not_told(monkeypatch, uri):
    for name in (TRACKING, REGISTRY):
        monkeypatch.delenv(name, raising=False) if uri is None else monkeypatch.setenv(name, uri)
    assert not_asked(None, OWN) is None


def test_the_order_of_ends_does_not_go_back_with_the_clock(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    first = sweep_finished("flowers/1", "FAILED", None, 1)
    monkeypatch.setattr(time, "time", lambda: 400.0)
    second = sweep_finished("flowers/2", "FAILED", None, 1, after=first.order)
    assert (first.ended_at, first.order) == (1000.0, 1000.0)
    assert (second.ended_at, second.order) == (400.0, 1000.001)


@pytest.mark.parametrize(("left", "waited"), [(math.inf, 30), (45, 30), (4.5, 4.5), (-100, 1)])
def test_mlflow_is_waited_for_as_long_as_a_limit_allows_and_always_for_a_moment(left, waited):
    assert seconds_to_wait(30, left) == waited


@pytest.mark.parametrize(("seconds_left", "waited"), [(math.inf, SECONDS_TO_DELIVER), (-1.0, LEAST_SECONDS_TO_ANSWER)])
def test_the_end_waits_for_mlflow_as_long_as_its_audience_does(tmp_path, monkeypatch, seconds_left, waited):
    asked = []

    class NoDelivery:
        def __init__(self, *_):
            pass

        def notify(self):
            pass

        def close(self, timeout_seconds, *_):
            asked.append(timeout_seconds)
            return Delivered(DeliveryResult(0, None, None, None))

    monkeypatch.setattr("sweeps.recording.record.DeliveryProcess", NoDelivery)
    config = small_config(data={"train": "sklearn:iris"})
    audience = Audience(print, print, waits_until=time.time() + seconds_left)
    with Record(config, "small/1", load_data(config), Workspace(tmp_path), audience) as record:
        record.finish(None)
    assert asked == [waited]
