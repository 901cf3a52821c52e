"""A scheduled run, for those who read its log, its metrics and its messages: whole runs of the command line."""

import json

import pytest

from tests.sweeps.support.command_line import IRIS, CommandLine, changed

SMALL = changed(IRIS, sweep={"n_trials": 3}, study={"ensemble": 0})
OPTIONS = ("--log-format", "json", "--metrics-file", "sweeps.prom", "--notify", "tee told.json")


def lines(text):
    """The events of a log, each with a time."""
    events = [json.loads(line) for line in text.splitlines()]
    assert all(event["time"].endswith("Z") for event in events)
    return events


@pytest.fixture(scope="module")
def run(tmp_path_factory, with_store):
    """A folder, and the run that finished in it."""
    here = CommandLine(with_store(tmp_path_factory.mktemp("told") / "work"))
    return here, here.run("run", here.write(values=SMALL), "--json", *OPTIONS)


def test_the_log_is_one_event_a_line_from_its_beginning_to_its_end(run):
    _, done = run
    assert done.returncode in (0, 4), done.stderr  # 4: MLflow was slow
    result, events = json.loads(done.stdout), lines(done.stderr)
    kinds = [event["event"] for event in events if event["event"] != "note"]
    assert kinds == ["began", "trial", "trial", "trial", "finished"]
    assert {event["study"] for event in events if event["event"] != "note"} == {result["study"]}
    assert events[-1] | result == result | {"time": events[-1]["time"], "event": "finished"}
    assert {event["number"] for event in events if event["event"] == "trial"} == {0, 1, 2}


def test_the_command_and_the_metrics_have_the_numbers_of_the_result(run):
    here, done = run
    result = json.loads(done.stdout)
    assert json.loads((here.directory / "told.json").read_text()) == result
    metrics = (here.directory / "sweeps.prom").read_text()
    assert f'sweeps_best_value{{config="flowers.toml",objective="cost"}} {result["best"]["value"]!r}\n' in metrics
    assert f'sweeps_trials{{config="flowers.toml",state="complete"}} {float(result["n_complete"])}\n' in metrics


def test_a_failure_is_told_to_all_three_too(tmp_path):
    here = CommandLine(tmp_path)
    done = here.run("run", "nowhere.toml", *OPTIONS)
    assert (done.returncode, done.stdout) == (2, "")
    (event,) = lines(done.stderr)
    assert (event["event"], event["exit_code"], event["study"]) == ("failed", 2, None)
    assert "nowhere.toml: no such configuration." in event["error"]
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["config"], told["error"], told["exit_code"]) == ("nowhere.toml", event["error"], 2)
    assert 'sweeps_exit_code{config="nowhere.toml"} 2.0\n' in (tmp_path / "sweeps.prom").read_text()


def test_a_command_and_a_file_that_fail_change_nothing_else(tmp_path):
    here = CommandLine(tmp_path)
    done = here.run("run", "nowhere.toml", "--notify", "false")
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith("nowhere.toml: no such configuration.")
    assert second == "--notify false: ended with exit 1."


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--log-format", "xml", "--log-format xml: unknown."),
        ("--metrics-file", "nowhere/a.prom", "--metrics-file nowhere/a.prom: cannot be written."),
        ("--notify", "mail 'me", "not a command."),
    ],
)
def test_an_option_that_cannot_be_is_refused_before_anything_is_done(tmp_path, option, value, message):
    done = CommandLine(tmp_path).run("run", "digits", option, value)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
