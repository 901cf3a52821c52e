"""Reports of studies of every kind: what is in them, what must never be, and what they say when they cannot be."""

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import optuna
import pandas as pd
import plotly.graph_objects as go
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial
from optuna.visualization import plot_slice

from engine.objectives import COST, Objective
from experiments.errors import InputError
from experiments.fact_json import from_json, to_json
from experiments.facts import CorrectedCost, Score
from experiments.outbox import Outbox
from sweeps.report import optuna_figures
from sweeps.report.optuna_figures import N_POINTS, optimization_history, sample
from sweeps.report.report import report, write_page_of_folder
from sweeps.report.reported_study import read_study
from sweeps.search.importances import complete, importances, searched_params, snapshot, without_importance
from sweeps.storage.workspace import Workspace
from tests.sweeps.support.command_line import CommandLine
from tests.sweeps.support.report_page import EVIL, SECTIONS
from tests.sweeps.support.written_study import WrittenStudy


class Reader(HTMLParser):
    """What a browser would find: elements, the text of each section, the figures' documents."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.attributes, self.scripts = [], [], [], []
        self._is_script = False
        self.feed(page)
        self.text = " ".join(" ".join(self.texts).split())
        self.figures = [json.loads(script) for script in self.scripts if script.startswith('{"data":[')]

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self._is_script = tag in ("script", "style")
        if self._is_script:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._is_script = self._is_script and tag not in ("script", "style")

    def handle_data(self, data):
        if self._is_script:
            self.scripts[-1] += data
        else:
            self.texts.append(data)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    written = WrittenStudy(tmp_path_factory.mktemp("study"), 60)
    return written, written.write()


@pytest.fixture(scope="module")
def page(study, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    assert report(study[1], None, html=path) == ""
    return Reader(path.read_text())


# --- the three forms ---


def test_the_summary_shows_the_best_trials_what_mattered_and_where_time_went(study):
    written, workspace = study
    text = report(workspace, None)
    best = min((trial for trial in written.trials if trial.state == TrialState.COMPLETE), key=lambda t: t.value)
    assert f"The best of 60 trials ({sum(t.state == TrialState.COMPLETE for t in written.trials)} complete" in text
    assert re.search(rf"^{best.number} +COMPLETE +{best.value:.6g} ", text, re.MULTILINE)
    assert re.search(r"learning_rate +0\.\d\d +█", text)
    assert re.search(r"^complete +\d+ +[\d.]+ +\d+%$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 80


def test_the_csv_has_a_tidy_row_of_every_trial_bit_for_bit(study, tmp_path):
    written, workspace = study
    assert report(workspace, "made", csv=tmp_path / "trials.csv") == ""
    rows = list(csv.DictReader(io.StringIO((tmp_path / "trials.csv").read_text())))
    assert [int(row["number"]) for row in rows] == list(range(60))
    for row, trial in zip(rows, written.trials, strict=True):
        assert row["state"] == trial.state.name
        assert (float(row["value"]) if row["value"] else None) == trial.value
        assert float(row["learning_rate"]) == trial.params["learning_rate"]
        widths = [row[f"hidden_units_{layer}"] for layer in range(1, 5)]
        assert [int(width) for width in widths if width] == [
            trial.params[f"hidden_units_{layer}"] for layer in range(1, trial.params["depth"] + 1)
        ]
        assert float(row["training_seconds"]) > 0
    table = pd.read_csv(tmp_path / "trials.csv", parse_dates=["started_at", "ended_at"])
    seconds = (table["ended_at"] - table["started_at"]).dt.total_seconds()
    np.testing.assert_allclose(seconds, table["training_seconds"], atol=2e-6)


def test_the_page_has_every_section_and_what_won_beside_its_baselines(study, page):
    assert [value for name, value in page.attributes if name == "id" and value in SECTIONS] == list(SECTIONS)
    for part in ("made/20261123-020000", "95 % interval 0.9 to 0.98", "logistic regression", "0.94", 'name = "made"'):
        assert part in page.text
    assert len(page.figures) == page.tags.count("figure") == 1 + 1 + 1 + 1 + 8 + 3 + 2 + 3


def test_each_figure_is_one_that_plotly_knows(page):
    for document in page.figures:
        go.Figure(document)


def test_slices_are_those_of_optuna(study):
    trials = study[0].trials
    mine = optuna_figures.slices(trials, COST)
    assert list(mine) == searched_params(complete(trials))
    for name, drawing in mine.items():
        figure = go.Figure(drawing.to_plotly_json())
        theirs = plot_slice(snapshot(trials, COST), params=[name])
        (points,), (expected,) = figure.data, theirs.data
        shown, wanted = (
            {number: (str(x).strip("'"), y) for number, x, y in zip(dots.marker.color, dots.x, dots.y, strict=True)}
            for dots in (points, expected)
        )
        assert shown == wanted
        assert list(points.customdata) == list(points.marker.color)
        assert [color for _, color in points.marker.colorscale] == [color for _, color in expected.marker.colorscale][
            ::4
        ]
        axis, other = figure.layout.xaxis, theirs.layout.xaxis
        assert axis.type == other.type
        assert [*(axis.categoryarray or ())] == [str(label).strip("'") for label in other.categoryarray or ()]


def test_of_a_sample_only_what_it_has_is_sliced(study, monkeypatch):
    shallow, *_, deep = sorted(complete(study[0].trials), key=lambda trial: trial.params["depth"])
    monkeypatch.setattr(optuna_figures, "N_POINTS_OF_SLICE", 2)
    names = list(optuna_figures.slices([shallow, deep, shallow], COST))  # the first and the last are the sample
    assert names == searched_params([shallow])
    assert names != searched_params([deep])


def test_the_page_asks_for_nothing_from_anywhere(page):
    references = [value for name, value in page.attributes if name in ("src", "href", "action", "data")]
    assert all(reference.startswith(("#", "data:,")) for reference in references)
    policy = next(value for name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none';")
    assert "connect-src" not in policy
    assert sum("plotly.js v" in script[:300] for script in page.scripts) == 1


def test_the_page_of_a_study_s_folder_has_the_same_figures_in_a_tenth_and_shares_plotly_js(study, page, tmp_path):
    written, _ = study
    workspace = replace(written, directory=tmp_path).write()
    for _ in range(2):  # the second time the script is there
        write_page_of_folder(read_study(workspace, written.name), workspace)
    file = workspace.study_folder(written.name).report
    slim = Reader(file.read_text())
    (source,) = [value for name, value in slim.attributes if name == "src"]
    script = (file.parent / source).resolve()
    assert script.parent == workspace.root.resolve()
    assert "plotly.js v" in script.read_text()[:300]
    assert [figure["data"] for figure in slim.figures] == [figure["data"] for figure in page.figures]
    assert file.stat().st_size < 500_000
    workspace.study_folder(written.name).keep_tracking_uri("http://127.0.0.1:9")  # whose readers have no such file
    write_page_of_folder(read_study(workspace, written.name), workspace)
    assert not [value for name, value in Reader(file.read_text()).attributes if name == "src"]


def test_the_parts_of_a_page_agree_with_optuna(study, page):
    """Importances and best values as Optuna itself finds them in the same storage."""
    written, workspace = study
    stored = optuna.load_study(study_name=written.name, storage=workspace.storages()[0])
    bars = next(f["data"][0] for f in page.figures if f["data"][0].get("orientation") == "h" and f["data"][0]["text"])
    expected = optuna.importance.get_param_importances(stored)
    assert dict(zip(bars["y"], bars["x"], strict=True)) == expected == read_study(workspace, None).importances
    assert f"{stored.best_value:.6g} at iteration" in page.text


# --- at any size ---


def test_a_large_study_is_sampled_and_the_page_says_so(tmp_path):
    written = WrittenStudy(tmp_path, 1500)
    path = tmp_path / "report.html"
    report(written.write(), None, html=path)
    page = Reader(path.read_text())
    n_complete = sum(trial.state == TrialState.COMPLETE for trial in written.trials)
    assert f"Shown are {N_POINTS} of the {n_complete} complete trials" in page.text
    assert "The first 30 of 1,500" in page.text
    assert "The last 200 of 1,500 trials" in page.text
    columns = [trace[key] for f in page.figures for trace in f["data"] for key in ("x", "customdata") if key in trace]
    drawn = [len(column) for column in columns if isinstance(column, list)]
    assert max(drawn) == N_POINTS
    assert f"Shown are {optuna_figures.N_POINTS_OF_SLICE} of" in page.text
    assert max(len(f["data"]) for f in page.figures) <= optuna_figures.N_LINES + 1
    assert path.stat().st_size < 7e6


def test_the_line_of_the_best_is_that_of_all_trials_however_few_are_drawn(study, monkeypatch):
    trials = study[0].trials
    whole = optimization_history(trials, COST).data[1]
    monkeypatch.setattr(optuna_figures, "N_POINTS", 4)
    complete = {trial.number: trial.value for trial in trials if trial.state == TrialState.COMPLETE}
    few = optimization_history(trials, COST)
    assert len(few.data[0].x) == 4
    line = few.data[1]
    assert line.line.shape == "hv"
    for number in complete:  # the steps' height at every trial
        step = max(i for i, x in enumerate(line.x) if x <= number)
        assert line.y[step] == min(value for other, value in complete.items() if other <= number)
    assert (line.x[-1], line.y[-1]) == (whole.x[-1], whole.y[-1])


def test_a_sample_holds_the_best_and_is_spread_over_the_sweep(study):
    trials = [trial for trial in study[0].trials if trial.value is not None]
    chosen = sample(trials, 20, COST)
    assert len({trial.number for trial in chosen}) == 20
    assert chosen == sorted(chosen, key=lambda trial: trial.number)
    best = sorted(trials, key=lambda trial: trial.value)[:5]
    assert {trial.number for trial in best} <= {trial.number for trial in chosen}
    assert max(np.diff([trial.number for trial in chosen])) < 12
    assert sample(trials, 1000, COST) == trials


def test_a_layer_that_the_best_do_without_is_named_whatever_importance_optuna_gives_it():
    width, generator = IntDistribution(1, 100), np.random.default_rng(0)
    trials = []
    for number in range(40):
        names = ["hidden_units_1", "hidden_units_2"][: 1 if number % 4 == 0 else 2]
        params = {name: int(generator.integers(1, 101)) for name in names}
        value = 0.1 * generator.random() if len(names) == 1 else 1 + 1 / params["hidden_units_2"]
        trials.append(create_trial(params=params, distributions=dict.fromkeys(names, width), value=value))
    assert "hidden_units_2" in importances(trials, COST)
    assert without_importance(trials, COST) == ["hidden_units_2"]
    assert without_importance(trials, Objective("roc_auc")) == []  # the largest are the best


def test_few_or_equal_trials_have_no_importances_and_no_warning(study):
    trials = [trial for trial in study[0].trials if trial.state == TrialState.COMPLETE]
    assert importances(trials[:9], COST) == {}
    assert list(importances(trials[:10], COST)) != []
    equal = [optuna.trial.create_trial(params=t.params, distributions=t.distributions, value=1.0) for t in trials]
    assert importances(equal, COST) == {}


@pytest.mark.parametrize("n_trials", [1, 2, 9])
def test_the_smallest_studies_have_a_page(tmp_path, n_trials):
    workspace = WrittenStudy(tmp_path, n_trials, states=(1.0, 0.0, 0.0)).write()
    report(workspace, None, html=tmp_path / "report.html")
    assert "to tell which hyperparameters mattered" in Reader((tmp_path / "report.html").read_text()).text


def test_a_snapshot_hands_out_the_trials_themselves(study):
    trials = study[0].trials
    live = snapshot(trials, COST)
    assert all(a is b for a, b in zip(live.trials, trials, strict=True))
    assert [t.number for t in live.get_trials(states=(TrialState.PRUNED,))] == [
        t.number for t in trials if t.state == TrialState.PRUNED
    ]


# --- what is not there ---


def test_without_an_outbox_there_are_no_curves_and_no_times_and_the_page_says_why(tmp_path):
    workspace = WrittenStudy(tmp_path, 40, has_outbox=False).write()
    report(workspace, None, html=tmp_path / "report.html", csv=tmp_path / "trials.csv")
    page = Reader((tmp_path / "report.html").read_text())
    assert page.text.count("which is not in this folder") == 2
    assert "What leads" in page.text
    assert pd.read_csv(tmp_path / "trials.csv")["training_seconds"].isna().all()
    assert "Training time" not in report(workspace, None)


def test_while_a_sweep_runs_the_page_shows_what_leads_and_leaves_the_test_set_sealed(tmp_path):
    workspace = WrittenStudy(tmp_path, 40, has_ended=False).write()
    report(workspace, None, html=tmp_path / "report.html")
    page = Reader((tmp_path / "report.html").read_text())
    assert "What leads" in page.text
    assert "Interrupted" in page.text
    assert "test accuracy" not in page.text


def test_a_winner_that_loses_to_the_linear_model_out_of_fold_is_told_before_any_number(page, tmp_path):
    workspace = WrittenStudy(tmp_path, 40, linear_out_of_fold=0.001).write()
    report(workspace, None, html=tmp_path / "report.html")
    text = Reader((tmp_path / "report.html").read_text()).text
    said = text.index("No better than logistic regression out of fold (0.")
    assert said < text.index("trials complete")
    assert "take the simpler model" not in page.text


def test_a_regression_shows_rmse_and_r2(tmp_path):
    workspace = WrittenStudy(tmp_path, 40, is_regression=True).write()
    report(workspace, None, html=tmp_path / "report.html")
    text = Reader((tmp_path / "report.html").read_text()).text
    assert "Test RMSE" in text
    assert "Test R²" in text
    assert "the best: RMSE" in text


def test_curves_are_read_for_the_drawn_trials_only(study, monkeypatch, tmp_path):
    read = []
    monkeypatch.setattr(
        Outbox, "trial", lambda self, number, whole=Outbox.trial: read.append(number) or whole(self, number)
    )
    report(study[1], None, html=tmp_path / "report.html")
    assert len(read) == 31
    assert len(set(read)) == 31


# --- security ---


def test_no_text_of_a_user_becomes_markup(tmp_path):
    workspace = WrittenStudy(
        tmp_path,
        60,
        name=f"evil/{EVIL.replace('/', '|')}",
        class_names=(EVIL, "benign"),
        reason=EVIL,
        config_toml=f'# {EVIL}\n</pre></script>{{"data": $css}}',
        source=EVIL,
    ).write()
    report(workspace, None, html=tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    page = Reader(text)
    assert "img" not in page.tags
    assert page.tags.count("script") == page.tags.count("figure") + 3
    assert page.text.count("<script>alert(1)</script><img src=x onerror=alert(2)>\"'&") >= 4
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "$css" in page.text
    assert len(page.figures) == page.tags.count("figure")


# --- bad input: three parts, exit 2, nothing half-written ---


BAD = {
    "an unknown study": ("made/20261123-02000", {"html": "x"}, "no such study. Did you mean 'made/20261123-020000'"),
    "a missing folder": (None, {"html": "nowhere/report.html"}, "nowhere/report.html: cannot be written .No such file"),
    "a folder": (None, {"csv": "."}, "cannot be written .Is a directory"),
    "a file for a folder": (None, {"html": "file/report.html"}, "file/report.html: cannot be written .Not a directory"),
    "one file for both": (None, {"html": "x", "csv": "./x"}, "--html and --csv both name"),
}


@pytest.mark.parametrize(("name", "files", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_said_in_three_parts_and_nothing_is_written(study, tmp_path, name, files, message):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=message) as error:
        report(study[1], name, **{form: tmp_path / file for form, file in files.items()})
    assert error.value.allowed
    assert error.value.fix
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_command_line_says_it_in_one_line_and_exits_with_2(study):
    here = CommandLine(study[0].directory)
    done = here.run("report", "--html", "nowhere/report.html")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert done.stderr.startswith("nowhere/report.html: cannot be written (No such file or directory).")


def test_the_command_line_prints_the_summary_and_writes_the_files(study, tmp_path):
    here = CommandLine(study[0].directory)
    done = here.run("report", "made")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == report(study[1], "made") + "\n"
    done = here.run("report", "--html", str(tmp_path / "page.html"), "--csv", "/dev/stdout")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 61
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_study_without_a_complete_trial_has_no_report(tmp_path):
    written = WrittenStudy(tmp_path, 1)
    workspace = written.write()
    (tmp_path / "only_pruned").mkdir()
    journal = workspace.journal("made")
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        if line.get("state") == int(TrialState.COMPLETE):
            line["state"] = int(TrialState.PRUNED)
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=r"none of its 1 trial is complete\. .*\(python -m sweeps status made"):
        report(workspace, None, html=tmp_path / "report.html")
    assert not list(tmp_path.glob("*report.html*"))


def test_a_report_that_fails_half_way_leaves_the_last_one_as_it_was(study, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("yesterday's")
    monkeypatch.setattr("sweeps.report.page._leaderboard", lambda record: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        report(study[1], None, html=path)
    assert path.read_text() == "yesterday's"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_an_empty_folder_says_what_to_type(tmp_path):
    with pytest.raises(InputError, match=r"no study here.*python -m sweeps run"):
        report(Workspace(tmp_path), None)


# --- the ensemble, and the corrected cost ---


def with_end(directory, **changes):
    """The page of a study whose last fact says something more."""
    written = WrittenStudy(directory / "study", 30)
    written.directory.mkdir()
    workspace = written.write()
    outbox = workspace.study_folder(written.name).outbox
    *lines, last = outbox.read_text().splitlines()
    outbox.write_text("".join(f"{line}\n" for line in [*lines, to_json(replace(from_json(last), **changes))]))
    report(workspace, None, html=directory / "report.html")
    return Reader((directory / "report.html").read_text())


ENSEMBLE = {
    "ensemble_file": "ensemble.h5",
    "ensemble_scores": [Score("accuracy", 0.97, 0.93, 0.99, {"constant": 0.6})],
    "ensemble_shares": [(4, 0.75), (7, 0.25)],
    "ensemble_steps": [(4, 0.125), (7, 0.11), (4, 0.1075), (4, 0.1062)],
}


@pytest.mark.parametrize(
    ("recommended", "said"),
    [
        ("ensemble", "It is the recommended model of this sweep."),
        ("winner", "The winner, not the ensemble, is the recommended model of this sweep."),
    ],
)
def test_the_page_shows_an_ensembles_members_what_each_step_adds_and_its_scores(tmp_path, recommended, said):
    page = with_end(tmp_path, **ENSEMBLE, recommended=recommended)
    assert [value for name, value in page.attributes if name == "id"][:3] == ["winner", "ensemble", "leaderboard"]
    assert "Fold models of 2 trials" in page.text
    assert said in page.text
    assert "winner 0.95 0.9 to 0.98 ensemble 0.97 0.93 to 0.99 constant 0.6" in page.text
    assert re.search(r"trial weight validation cost 4 75.0% 0\.\d+ 7 25.0% 0\.\d+ ", page.text)
    steps = "step adds trial cost out of fold gain 1 4 0.125 2 7 0.11 0.015 3 4 0.1075 0.0025 4 4 0.1062 0.0013 "
    assert steps in page.text
    (line,) = [figure["data"][0] for figure in page.figures if figure["data"][0].get("customdata") == [4, 7, 4, 4]]
    assert (line["x"], line["y"]) == ([1, 2, 3, 4], [0.125, 0.11, 0.1075, 0.1062])


def test_an_ensemble_of_one_step_has_a_table_without_gains(tmp_path):
    page = with_end(tmp_path, **ENSEMBLE | {"ensemble_shares": [(4, 1.0)], "ensemble_steps": [(4, 0.125)]})
    assert "Fold models of 1 trial," in page.text
    assert "step adds trial cost out of fold gain 1 4 0.125 Cost" in page.text


def test_a_page_without_an_ensemble_or_a_corrected_cost_says_nothing_of_them(page):
    assert "nsemble" not in page.text
    assert "corrected" not in page.text


def test_the_corrected_cost_is_on_the_first_screen(tmp_path):
    page = with_end(tmp_path, corrected=CorrectedCost(0.0791, 0.051, 0.112))
    tiles, _, _ = page.text.partition("What won")
    assert "0.0791 that value, corrected for being the best of 30 trials; 95 % interval 0.051 to 0.112" in tiles
