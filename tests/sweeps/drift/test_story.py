"""`python -m sweeps drift` over studies as sweeps leave them, its page, and what it refuses."""

import json

import pytest
from typer.testing import CliRunner

from experiments.errors import InputError
from sweeps.cli import app
from sweeps.drift.nights import read_nights
from sweeps.drift.story import drift
from sweeps.report.report import report
from sweeps.storage.workspace import Workspace
from tests.sweeps.support.written_nights import WrittenNight, write_nights

pytestmark = pytest.mark.usefixtures("quiet_optuna")


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """Eight nights; from the fifth on the best learning rate is a tenth, on a machine that is twice as fast."""
    before, after = WrittenNight(-1.5), WrittenNight(-2.5, machine="new", seconds=5e-4)
    return write_nights(tmp_path_factory.mktemp("moved"), [before] * 4 + [after] * 4)


def test_the_command_says_what_moved_and_what_did_not(moved, monkeypatch):
    monkeypatch.chdir(moved.directory)
    done = CliRunner().invoke(app, ["drift", "made"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith(
        "made (binary): 8 studies, 20261101-020000 to 20261108-020000; cost, lower is better."
    )
    lines = done.output.splitlines()
    rate, activation = (
        next(line for line in lines if line.startswith(name)) for name in ("learning_rate", "activation")
    )
    assert rate.endswith(" moved")
    assert activation.endswith("did not move")
    assert any(line.startswith("seconds an iteration  0.001    0.0005  x 0.5") for line in lines)
    assert "The newest study's kind of machine (4 studies) beside others (4):" in lines


def test_json_is_one_object_with_every_study_and_its_champion_of_the_search(moved):
    document = json.loads(drift(moved, "made", as_json=True), parse_constant=pytest.fail)
    assert len(document["studies"]) == 8
    assert document["studies"][0]["price_of_memory"] is None
    assert document["studies"][4]["price_of_memory"] > 0.05  # the night of the step: the old rate, tried again
    row = document["over_time"]["hyperparameters"][0]
    assert (row["name"], row["price"]["verdict"]) == ("learning_rate", "moved")


def test_the_page_of_a_study_has_the_section_up_to_that_study_and_none_where_it_is_the_first(moved, tmp_path):
    pages = {}
    for day in (1, 4):
        pages[day] = tmp_path / f"{day}.html"
        report(moved, f"made/202611{day:02d}-020000", html=pages[day])
    assert 'id="drift"' not in pages[1].read_text()
    text = pages[4].read_text()
    assert 'id="drift"' in text
    assert "made (binary): 4 studies, 20261101-020000 to 20261104-020000" in text
    assert "With 4 studies it is too early to say; a verdict takes 6." in text


def test_a_page_of_its_own_has_the_figures(moved, tmp_path):
    assert drift(moved, "made", html=tmp_path / "drift.html") == ""
    text = (tmp_path / "drift.html").read_text()
    assert "learning_rate: moved" in text
    assert "Time an iteration, by kind of machine" in text


def test_studies_that_were_judged_otherwise_or_have_not_ended_are_left_out_and_named(tmp_path):
    nights = [
        WrittenNight(task="regression"),
        WrittenNight(objective="accuracy"),
        WrittenNight(state="RUNNING"),
        WrittenNight(),
        WrittenNight(),
    ]
    read = read_nights(write_nights(tmp_path, nights), "made")
    assert [night.study for night in read.nights] == ["made/20261104-020000", "made/20261105-020000"]
    reasons = ("another kind, regression, not binary", "judged by accuracy, not cost", "not come to an end")
    assert all(reason in told for reason, told in zip(reasons, read.left_out, strict=True))


def test_an_objective_that_is_better_when_higher_is_told_in_its_own_numbers(tmp_path):
    workspace = write_nights(tmp_path, [WrittenNight(objective="accuracy")] * 2)
    text = drift(workspace, "made")
    assert "accuracy, higher is better" in text
    study = json.loads(drift(workspace, "made", as_json=True))["studies"][1]
    assert 0.79 < study["best_value"] < 0.8
    assert study["corrected"]["low"] < study["corrected"]["value"] < study["corrected"]["high"] < 0.85
    assert study["price_of_memory"] >= 0


def test_the_newest_studies_are_compared_where_fewer_are_asked_for(moved):
    assert "made (binary): 4 studies, 20261105-020000" in drift(moved, "made", last=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"last": 1}, r"--last 1: one study moves nowhere\. At least 2"),
        ({"margin": -0.1}, r"--margin -0\.1: not a difference\. It must be 0 or more"),
    ],
)
def test_options_that_make_no_sense_are_refused(moved, options, message):
    with pytest.raises(InputError, match=message):
        drift(moved, "made", **options)


def test_one_study_alone_and_a_name_that_nobody_has_are_refused(tmp_path, moved):
    alone = write_nights(tmp_path, [WrittenNight()])
    with pytest.raises(InputError, match=r"made: 1 of its studies can be compared\. Drift is a matter of two at least"):
        drift(alone, "made")
    known = r"Here are the sweeps made\. Name one of them, as in: python -m sweeps drift made$"
    with pytest.raises(InputError, match=rf"mad: no such sweep\. Did you mean 'made'\? {known}"):
        drift(moved, "mad")
    with pytest.raises(InputError, match=rf"made/20200101-000000: no such sweep\..* {known}"):
        drift(moved, "made/20200101-000000")
    with pytest.raises(InputError, match="no study here"):
        drift(Workspace(tmp_path / "empty"), "made")


def test_a_damaged_record_leaves_its_study_out_and_says_so(tmp_path):
    workspace = write_nights(tmp_path, [WrittenNight()] * 3)
    workspace.study_folder("made/20261102-020000").verdict.write_text("{")
    read = read_nights(workspace, "made")
    assert len(read.nights) == 2
    assert "not the document of a verdict" in read.left_out[0]
