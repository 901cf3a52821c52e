"""`compare A B` and `leaderboard A B`: two studies side by side, paired where data and folds agree."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from scipy.stats import ttest_rel
from typer.testing import CliRunner

from experiments.outbox import Outbox
from sweeps.cli import app
from sweeps.report.comparison import Comparison, Pairs, compare
from sweeps.report.reported_study import read_study
from tests.sweeps.support.written_nights import WrittenNight, write_nights

pytestmark = pytest.mark.usefixtures("quiet_optuna")
A, B, N = "a/20261101-020000", "b/20261101-020000", 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two sweeps that tried the same 20 configurations, for whose values another learning rate is best; others."""
    directory = tmp_path_factory.mktemp("compared")
    write_nights(directory, [WrittenNight(-2.0)], "a", N)
    write_nights(directory, [WrittenNight(-2.5)], "b", N)
    write_nights(directory, [WrittenNight(-2.0)], "c", 7, seed=9)
    return write_nights(directory, [WrittenNight(objective="accuracy")], "other", 5)


@pytest.fixture(autouse=True)
def _there(folder, monkeypatch):
    monkeypatch.chdir(folder.directory)


def typed(*words):
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, done.output
    return done.stdout


def values(folder, name):
    return {trial.candidate: trial.value for trial in read_study(folder, name).leaderboard}


def test_the_interval_of_the_pairs_is_that_of_a_paired_t_test(folder):
    of_a, of_b = values(folder, A), values(folder, B)
    assert of_a.keys() == of_b.keys()
    pairs = Comparison(read_study(folder, A), read_study(folder, B)).pairs()
    low, high = ttest_rel([of_b[c] for c in of_a], list(of_a.values())).confidence_interval(0.95)
    assert (pairs.n, pairs.low, pairs.high) == (N, pytest.approx(low), pytest.approx(high))
    document = json.loads(typed("compare", "a", "b", "--json"))
    assert document["pairs"] == {"n": N, "mean": pairs.mean, "ci95": [pairs.low, pairs.high]}
    assert document["a"]["best"]["value"] == min(of_a.values())


def test_the_command_says_what_both_reached_and_turns_round_with_its_arguments(folder):
    text, turned = typed("compare", A, "b"), typed("compare", "b", "a")
    assert text.startswith(f"A: {A}\nB: {B}\n\n")
    rows = {cells[0].strip(): cells[1:] for line in text.splitlines() if (cells := re.split(r"(?<=\S)  +", line))}
    assert rows["trials"] == ["20", "20"]
    assert rows["best cost"] == [f"{min(values(folder, name).values()):.6g}" for name in (A, B)]
    assert "20 configurations were trained to the end in both" in " ".join(text.split())
    means = [float(" ".join(told.split()).split("B minus A ")[1].split()[0]) for told in (text, turned)]
    assert means[0] == -means[1] != 0


def test_studies_without_a_common_configuration_or_with_other_data_are_not_paired(folder, tmp_path):
    assert "but no configuration was trained to its end in both." in " ".join(typed("compare", "a", "c").split())
    there = write_nights(tmp_path, [WrittenNight(), WrittenNight()], n_trials=4)
    first, second = (found.study_name for found in there.study_folders())
    assert "1 configuration was" in compare(there, first, second)  # the one that is remembered
    assert "says nothing about chance" in compare(there, first, second)
    outbox = there.study_folder(second).outbox
    outbox.unlink()
    assert "Not paired: the record of one is not in this folder" in compare(there, first, second)
    fact = Outbox(there.study_folder(first).outbox).started()
    assert fact is not None
    Outbox(outbox).append(replace(fact, study=second, params={"data.folds": 3, "sweep.n_trials": 7}))
    text = compare(there, first, second)
    assert "their folds may differ (data.folds)" in text
    assert "Configured differently" in text
    assert "sweep.n_trials" not in text, "a run with --trials may have made them as many"


def test_equal_differences_and_one_alone_have_no_spread():
    assert Pairs.of([0.5, 0.5, 0.5]) == Pairs(3, 0.5, 0.5, 0.5)
    assert Pairs.of([0.25]).n == 1


def test_the_page_has_the_figure_and_the_numbers(folder, tmp_path):
    page = tmp_path / "page.html"
    assert typed("compare", "a", "b", "--html", str(page)) == ""
    html = page.read_text()
    assert A in html
    assert "20 configurations were trained to the end in both" in html
    assert "by trial" in html


def test_what_cannot_be_compared_is_refused():
    for words, why in (
        (("a", A), "both name"),
        (("a", "other"), "is judged by cost, other/20261101-020000 by accuracy"),
        (("a", "nothing"), "no such study"),
    ):
        done = CliRunner().invoke(app, ["compare", *words])
        assert (done.exit_code, done.stdout) == (2, "")
        assert why in done.stderr
    assert CliRunner().invoke(app, ["leaderboard", "a", "other"]).exit_code == 2


def test_one_leaderboard_of_two_studies_has_all_trials_best_first(folder):
    document = json.loads(typed("leaderboard", "a", "c", "--json"))
    assert set(document["studies"]) == {A, "c/20261101-020000"}
    found = [(trial["value"], trial["study"], trial["number"]) for trial in document["trials"]]
    assert len(found) == N + 7
    assert [value for value, _, _ in found] == sorted(value for value, _, _ in found)
    for study in (A, "c/20261101-020000"):
        alone = json.loads(typed("leaderboard", study, "--json"))["trials"]
        assert [number for _, name, number in found if name == study] == [trial["number"] for trial in alone]
    rows = list(csv.DictReader(io.StringIO(typed("leaderboard", "a", "c", "--csv"))))
    assert [(float(row["value"]), row["study"], int(row["number"])) for row in rows] == found
    table = typed("leaderboard", "a", "c").splitlines()
    assert [line.split()[0] for line in table] == ["study", *(name for _, name, _ in found)]
