"""`run_sweep` as a library: real data, real MLflow, in this process."""

import errno
import json
import os
import re
import signal
import threading
import tomllib
from dataclasses import replace
from importlib.metadata import version
from itertools import count

import numpy as np
import pytest
from optuna.trial import TrialState
from sklearn.linear_model import LogisticRegression

from engine import TrainingData, advance, finish, load_weights, start
from engine.remote import software
from engine.threads import machine_kind, one_blas_thread
from engine.worker import initial_parameters
from experiments.errors import InputError
from experiments.model import Model
from experiments.outbox import Outbox
from experiments.scores import decided, scores
from sweeps.configuration.config_file import load_config, override, parse_config
from sweeps.data import load_data, problem_of
from sweeps.interrupts import InterruptedSweepError
from sweeps.prediction.named_model import find_model
from sweeps.recording.record import Audience, Record
from sweeps.results.progress import SilentProgress
from sweeps.results.status import all_studies, find_study, study_statuses
from sweeps.results.summary import summary
from sweeps.results.sync import sync_all
from sweeps.run import run_sweep
from sweeps.storage.workspace import LeaseHeldError, Workspace
from sweeps.trials.problem import Problem
from tests.experiments.support.models import houses as table_with_text_and_missing_values
from tests.support.sql import query
from tests.sweeps.support.command_line import mlflow_runs
from tests.sweeps.support.small_sweep import small_config, table

pytestmark = pytest.mark.usefixtures("warm_deliveries")

SEARCH = {
    "learning_rate": {"low": 1e-2, "high": 1.0, "log": True},
    "n_iterations": {"low": 10, "high": 60},
    "depth": {"low": 0, "high": 2},
    "hidden_units": {"low": 3, "high": 6},
}


@pytest.fixture
def folder(tmp_path, with_store, no_figures):
    """A working directory that already has its mlflow.db."""
    return with_store(tmp_path / "work")


def iris(**sections):
    return small_config(search=SEARCH, **{"sweep": {"name": "small", "n_trials": 8}, **sections})


def houses(directory, n_test=20, flip=False, seed=3):
    """A regression in two CSV files, with a column of text; `flip` changes nothing but the test set."""
    generator = np.random.default_rng(seed)
    size = generator.uniform(20, 200, 80 + n_test).tolist()
    place = generator.choice(["north", "south"], 80 + n_test)
    price = 3 * np.array(size) + 100 * (place == "south") + generator.standard_normal(80 + n_test) * 5

    def write(name, rows, targets):
        cells = [f"{size[i]!r},{place[i]},{target!r}" for i, target in zip(rows, targets, strict=True)]
        (directory / name).write_text("\n".join(["size,place,price", *cells]) + "\n")

    write("train.csv", range(80), price[:80].tolist())
    size = size if not flip else [1000 - 3 * value for value in size]
    sealed = price[80:] if not flip else price[80:][::-1] * 7 - 500
    write("test.csv", range(80, 80 + n_test), sealed.tolist())
    return small_config(
        directory,
        sweep={"name": "houses", "n_trials": 6},
        data={"train": "train.csv", "test": "test.csv", "target": "price"},
        search=SEARCH | {"learning_rate": {"low": 1e-2, "high": 0.3, "log": True}},
    )


def study_of(directory, name=None):
    return find_study(Workspace(directory), name)


class InterruptAfter(SilentProgress):
    """Ctrl-C, or whichever signal, when so many trials have ended."""

    def __init__(self, n_trials, signal_number=signal.SIGINT):
        self.n_left, self.signal_number = n_trials, signal_number
        self.said = []

    def say(self, text):
        self.said.append(text)

    tell = say

    def trial_ended(self, result):
        self.n_left -= 1
        if self.n_left == 0:
            os.kill(os.getpid(), self.signal_number)


def interrupted(config, directory, after=3, signal_number=signal.SIGINT):
    """A sweep that was interrupted; the name of its study."""
    with pytest.raises(InterruptedSweepError, match=signal.Signals(signal_number).name) as caught:
        run_sweep(config, directory=directory, progress=InterruptAfter(after, signal_number))
    assert caught.value.exit_code == 128 + signal_number
    return study_of(directory).name


@pytest.fixture(scope="module")
def finished(tmp_path_factory, with_store):
    """One undisturbed sweep on iris: result, configuration, folder."""
    directory = with_store(tmp_path_factory.mktemp("run") / "iris")
    config = iris()
    return run_sweep(config, directory=directory), config, directory


def test_the_result_says_what_happened(finished):
    result, _, directory = finished
    assert (result.sweep, result.state, result.task, result.exit_code) == ("small", "FINISHED", "multiclass", 0)
    assert result.study.startswith("small/")
    assert len(result.rows) == 8
    assert sum(result.count(state) for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)) == 8
    assert result.n_test == 30
    assert result.delivery.n_pending == 0
    assert result.delivery.error is None
    assert result.tracking_uri == f"sqlite:///{directory}/mlflow.db"
    assert (directory / result.model_file).is_file()
    assert result.elapsed_seconds > 0


def parent_run(directory, result):
    """The study's run, as MLflow hands it out, and the folder of its artifacts."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{directory}/mlflow.db")
    run = client.get_run(result.delivery.run_id)
    return run, {artifact.path for artifact in client.list_artifacts(run.info.run_id)}


def test_the_end_of_a_sweep_leaves_a_report_in_its_folder_and_among_the_artifacts_of_its_run(finished):
    result, _, directory = finished
    page = (directory / result.report_file).read_text()
    assert f"<title>{result.study}</title>" in page
    assert "What won" in page
    run, artifacts = parent_run(directory, result)
    assert {"report.html", "config.toml"} <= artifacts
    copy = next((directory / "mlruns").rglob(f"{run.info.run_id}/artifacts/report.html"))
    assert copy.read_text() == page
    assert result.to_dict()["report"] == result.report_file


def test_the_parent_run_says_what_won_what_was_searched_and_where_it_comes_from(finished):
    result, config, directory = finished
    run, _ = parent_run(directory, result)
    tags = run.data.tags
    description = tags["mlflow.note.content"]
    assert description.startswith(f"**Trial {result.winner.trial.number} won.**")
    assert "| searched | values |" in description
    assert tags["sweeps.packages.numpy"] == np.__version__
    assert tags["sweeps.machine"]
    toml = next((directory / "mlruns").rglob(f"{run.info.run_id}/artifacts/config.toml")).read_text()
    assert parse_config(tomllib.loads(toml), source="again", directory=directory).model_dump() == config.model_dump()


def test_search_runs_has_one_tidy_row_a_trial(finished, tmp_path):
    import mlflow

    result, _, directory = finished
    mlflow.set_tracking_uri(f"sqlite:///{directory}/mlflow.db")
    runs = mlflow.search_runs(result.delivery.experiment_id)
    mlflow.set_tracking_uri(None)
    studies = runs[runs["tags.sweeps.kind"] == "study"]
    trials = runs[runs["tags.sweeps.kind"] == "trial"].set_index("tags.sweeps.trial_number")
    assert {"params.hidden_units_1", "params.hidden_units_2"} <= set(trials)
    assert studies["run_id"].tolist() == [result.delivery.run_id] == trials["tags.mlflow.parentRunId"].unique().tolist()
    assert sorted(trials.index, key=int) == [str(number) for number in range(8)]
    for row in result.rows:
        trial = trials.loc[str(row.number)]
        assert trial["tags.sweeps.trial_state"] == row.state.name
        assert trial["status"] == ("FAILED" if row.state == "FAIL" else "FINISHED")
        assert trial["metrics.value"] == row.value or row.value is None
        logged = trial.filter(like="params.").dropna().rename(lambda name: name.removeprefix("params."))
        assert {name: logged[name] for name in logged.index if "." not in name} == {
            name: str(value) for name, value in row.params.items()
        }
    metrics = {re.split("[_/]", name.removeprefix("metrics."))[0] for name in runs if name.startswith("metrics.")}
    groups = {"train", "training", "validation", "value", "best", "test", "baseline", "ensemble", "winner"}
    assert metrics == groups, "they sort into groups"


def test_a_report_that_fails_is_told_and_costs_the_sweep_nothing(folder, monkeypatch):
    monkeypatch.setattr("sweeps.report.page.page_of", lambda *_: 1 / 0)
    progress = InterruptAfter(-1)
    result = run_sweep(iris(), directory=folder, progress=progress)
    (told,) = [line for line in progress.said if "report" in line]
    assert told.startswith("No report was made: ZeroDivisionError: division by zero")
    assert f"python -m sweeps report {result.study} --html report.html" in told
    assert (result.exit_code, result.report_file, result.delivery.n_pending) == (0, None, 0)
    assert not list(folder.rglob("*report.html*"))
    run, artifacts = parent_run(folder, result)
    assert run.info.status == "FINISHED"
    assert "report.html" not in artifacts | {run.data.tags["mlflow.note.content"]}


def test_the_json_document_of_the_result_is_plain_and_complete(finished):
    result, _, _ = finished
    document = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert set(document) == {
        "sweep", "study", "state", "n_trials", "n_complete", "n_pruned", "n_failed", "n_configurations", "best", "test",
        "out_of_fold", "baselines_out_of_fold", "ensemble", "model", "report", "mlflow", "elapsed_seconds", "exit_code",
        "objective", "promotion",
    }  # fmt: skip
    assert document["best"]["value"] == result.winner.trial.value
    low, high = document["test"]["ci95"]["accuracy"]
    assert low <= document["test"]["metrics"]["accuracy"] <= high
    assert list(document["test"]["metrics"]) == list(document["test"]["ci95"]) == ["accuracy", "log_loss"]
    assert set(document["test"]["baselines"]) == {"constant", "logistic regression"}
    assert set(document["baselines_out_of_fold"]) == {"constant", "logistic regression"}
    assert {"tracking_uri", "experiment_id", "run_id"} <= set(document["mlflow"])


def test_an_interval_that_is_not_known_is_null(finished):
    result, _, _ = finished
    (accuracy, cost) = result.winner.scores
    unknown = replace(cost, low=float("nan"), high=float("nan"))
    document = replace(result, winner=replace(result.winner, scores=[accuracy, unknown])).to_dict()
    assert json.loads(json.dumps(document, allow_nan=False))["test"]["ci95"]["log_loss"] == [None, None]


def test_how_long_a_trial_took_is_missing_where_only_the_storage_knows_the_trial(folder):
    name = interrupted(iris(), folder)
    (folder / ".sweeps" / name / "outbox.jsonl").unlink()
    is_known = run_sweep(iris(), directory=folder).trials["training_seconds"].notna()
    assert 3 <= (~is_known).sum() < 8
    assert is_known.any()


def test_the_leaderboard_has_complete_trials_by_value_then_pruned_ones_then_the_others(finished):
    result, _, directory = finished
    keys = [
        (
            {"COMPLETE": 0, "PRUNED": 1}.get(row.state.name, 2),
            row.value if row.value is not None else np.inf,
            row.number,
        )
        for row in result.rows
    ]
    assert keys == sorted(keys)
    assert result.winner.trial.number == result.rows[0].number
    assert study_of(directory).leaderboard() == result.rows


def assert_predicts_as_the_winner(result, config, directory):
    """Raw test examples through the file, against the scaled ones through the winner: bit for bit, and the score."""
    prepared = load_data(config)
    dataset = prepared.dataset
    model = Model.load(directory / result.model_file)
    assert model.study == result.study
    assert model.test_scores == result.winner.test_scores
    with one_blas_thread():
        outputs = result.winner.model.outputs(prepared.X_test)
        predicted = model.predict(dataset.X_test)
        probabilities = model.predict_proba(dataset.X_test) if dataset.class_names else None
    if dataset.class_names:
        assert model.class_names == dataset.class_names
        answers = np.array([dataset.class_names[code] for code in decided(dataset.task, outputs)])
        np.testing.assert_array_equal(predicted, answers)
        np.testing.assert_array_equal(probabilities[:, -1], outputs[-1])
        truth = np.array(dataset.class_names)[dataset.y_test]
        assert (predicted == truth).mean() == result.winner.test_scores["accuracy"]
    else:
        np.testing.assert_array_equal(predicted, outputs[0])
        assert scores("regression", dataset.y_test, predicted[np.newaxis]) == result.winner.test_scores


def test_the_winners_file_predicts_raw_test_examples_as_the_winner_did(finished):
    assert_predicts_as_the_winner(*finished)


@pytest.mark.parametrize(
    "data",
    [
        {"train": "sklearn:breast_cancer"},
        {"train": "houses.parquet", "target": "price"},
        {"train": "train_catvnoncat.h5", "test": "test_catvnoncat.h5"},
    ],
    ids=lambda data: data["train"],
)
def test_so_does_a_winner_of_every_kind_of_data(data, folder, request):
    table_with_text_and_missing_values(folder)
    home = request.getfixturevalue("cats_directory") if "cat" in data["train"] and "test" in data else folder
    search = {"learning_rate": 0.01, "n_iterations": 20, "depth": {"low": 1, "high": 2}, "hidden_units": 5}
    config = small_config(home, sweep={"n_trials": 2}, data=data, search=search)
    assert_predicts_as_the_winner(run_sweep(config, directory=folder), config, folder)


def test_on_the_courses_pictures_the_ready_made_sweep_answers_better_than_logistic_regression(
    cats_directory, folder, monkeypatch
):
    monkeypatch.chdir(cats_directory)
    result = run_sweep(override(load_config("cats"), sweep={"n_trials": 6}), directory=folder)
    accuracy = next(score for score in result.winner.ensemble.scores if score.name == "accuracy")
    assert accuracy.value > accuracy.baselines["logistic regression"]
    assert accuracy.value > 0.72, "what logistic regression has where it may answer from one half on"


def test_the_winner_is_refitted_on_all_examples_for_as_many_iterations_as_served_its_trial_best(folder):
    search = {"learning_rate": 3.0, "n_iterations": 300, "depth": 2, "hidden_units": 6, "activation": "tanh"}
    config, directory = small_config(search=search, sweep={"n_trials": 3}, data={"train": "sklearn:wine"}), folder
    result = run_sweep(config, directory=directory)
    assert result.winner.trial.best_iteration < 300, "it did not overfit, so this shows nothing"
    prepared = load_data(config)
    problem = problem_of(config, prepared)
    everything = TrainingData.of(
        prepared.X, prepared.Y, np.zeros((1, prepared.X.shape[1]), np.bool_), np.dtype(config.execution.dtype)
    )
    winner = result.winner
    hyperparameters = problem.hyperparameters(winner.trial.candidate, winner.trial.number)
    architecture = hyperparameters.architecture
    initial = initial_parameters(architecture, problem.initial_seed(winner.trial.number), everything.dtype)
    state, _ = advance(
        start(initial, everything, architecture), everything, hyperparameters, winner.trial.best_iteration
    )
    (saved,) = load_weights(directory / result.model_file).members
    for expected, found in zip(finish(state, initial, everything, architecture).W, saved.parameters.W, strict=True):
        np.testing.assert_array_equal(expected, found)


def counted_svds(monkeypatch):
    """A list that grows with every SVD from here on."""
    svds, svd = [], np.linalg.svd
    monkeypatch.setattr(np.linalg, "svd", lambda *args, **options: svds.append(1) or svd(*args, **options))
    return svds


def wide(directory, **training):
    """A regression of 24 examples by 40 features, in two folds."""
    rows = np.random.default_rng(0).standard_normal((34, 40))
    rows = np.column_stack([rows, rows[:, :3].sum(axis=1)])
    names = ",".join([*(f"x{i}" for i in range(40)), "y"])
    np.savetxt(directory / "wide.csv", rows, delimiter=",", header=names, comments="")
    search = {"learning_rate": {"low": 1e-3, "high": 3e-2}, "n_iterations": 40, "depth": 1, "hidden_units": 4}
    data = {"train": "wide.csv", "target": "y", "test_fraction": 0.3}
    return small_config(directory, sweep={"n_trials": 3}, data=data, search=search, training=training)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "momentum"])
def test_a_sweep_whose_trials_stay_in_the_span_of_wide_data_does_not_rotate_them(
    optimizer, tmp_path, with_store, monkeypatch
):
    svds, tables, networks = counted_svds(monkeypatch), [], []
    for n_svds in (0, 1):
        folder = with_store(tmp_path / str(n_svds))
        result = run_sweep(wide(folder, optimizer=optimizer), directory=folder)
        assert len(svds) == n_svds
        tables.append(table(study_of(folder)))
        (saved,) = load_weights(folder / result.model_file).members
        networks.append(saved.parameters)
        monkeypatch.setattr(Problem, "leaves_span", lambda *_: True)  # once more, with the form that is not needed
    assert tables[0] == tables[1]
    for one, other in zip(networks[0].W + networks[0].b, networks[1].W + networks[1].b, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("recipe", "n_svds"), [("textbook", 1), ("auto", 3)], ids=["shared", "two folds and a refit"])
def test_a_sweep_that_leaves_the_span_of_wide_data_rotates_them_once_a_scaling(folder, monkeypatch, recipe, n_svds):
    svds = counted_svds(monkeypatch)
    result = run_sweep(wide(folder, recipe=recipe, optimizer="adamw"), directory=folder)
    assert len(svds) == n_svds
    assert result.winner is not None
    assert {trial.state for trial in result.rows} <= {TrialState.COMPLETE, TrialState.PRUNED}


def test_mlflow_has_the_study_and_one_run_for_each_trial(finished):
    result, _, directory = finished
    runs = mlflow_runs(directory / "mlflow.db")
    parent = result.delivery.run_id
    assert [name for name, _, of in runs if of == parent] == [f"trial-{number:04d}" for number in range(8)]
    assert [(name, status) for name, status, of in runs if of is None] == [(result.study, "FINISHED")]
    assert {status for _, status, _ in runs} <= {"FINISHED", "FAILED"}


def test_when_a_study_ends_nothing_of_its_running_trials_is_left(finished):
    result, _, directory = finished
    left = {path.name for path in (directory / ".sweeps" / result.study).iterdir()}
    assert left >= {"outbox.jsonl", "model.h5"}
    assert not {name for name in left if "checkpoint" in name or name.endswith(".new")}


@pytest.mark.parametrize("name", ["my sweeps", pytest.param("p%41q?x", marks=pytest.mark.slow)])
def test_a_folder_may_have_any_name(tmp_path, with_store, name):
    directory = with_store(tmp_path / name)
    result = run_sweep(iris(sweep={"name": "small", "n_trials": 2}), directory=directory)
    assert (result.exit_code, result.delivery.error) == (0, None)
    assert len(mlflow_runs(directory / "mlflow.db")) == 3
    assert find_model("small@candidate", Workspace(directory)).class_names
    assert {path.name for path in tmp_path.iterdir() if any(path.iterdir())} == {name}


def test_a_regression_is_scored_in_original_units(folder):
    config = houses(folder)
    result = run_sweep(config, directory=folder)
    dataset = load_data(config).dataset
    predictions = Model.load(folder / result.model_file).predict(dataset.X_test)
    rmse = np.sqrt(np.mean((predictions - dataset.y_test) ** 2))
    assert result.task == "regression"
    assert result.winner.test_scores["rmse"] == pytest.approx(rmse, rel=1e-6)
    assert {"rmse", "r2"} == set(result.winner.test_scores)
    json.dumps(result.to_dict(), allow_nan=False)


def test_no_value_of_the_test_set_reaches_any_trial(tmp_path, with_store):
    tables, results, digests = [], [], []
    for flip in (False, True):
        directory = with_store(tmp_path / f"flip-{flip}")
        config = houses(directory, flip=flip)
        results.append(run_sweep(config, directory=directory))
        tables.append(table(study_of(directory)))
        digests.append(load_data(config).dataset.digest)
    assert tables[0] == tables[1]
    assert results[0].winner.test_scores != results[1].winner.test_scores
    assert digests[0] != digests[1]
    assert config.fingerprint(digests[0]) != config.fingerprint(digests[1])


@pytest.mark.parametrize("executor", ["processes"])
def test_processes_give_the_leaderboard_of_the_serial_executor(finished, folder, executor):
    result, config, _ = finished
    there = run_sweep(override(config, execution={"executor": executor, "workers": 2}), directory=folder)
    assert there.rows == result.rows
    assert there.winner.test_scores == result.winner.test_scores
    (there_member,), (member,) = there.winner.model.members, result.winner.model.members
    for one, other in zip(there_member.parameters.W, member.parameters.W, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_ensemble_beside_the_winner_is_kept_delivered_and_predicted_with(finished):
    result, config, directory = finished
    ensemble = result.ensemble
    end = Outbox(result.folder / "outbox.jsonl").last_finish()
    assert (end.model_file, end.ensemble_file, end.recommended) == ("model.h5", "ensemble.h5", "ensemble")
    assert end.ensemble_scores == ensemble.scores
    assert end.ensemble_shares == [(share.number, share.weight) for share in ensemble.shares]
    assert end.ensemble_steps == list(ensemble.steps)
    assert end.ensemble_out_of_fold == ensemble.out_of_fold
    X = load_data(config).dataset.X_test
    for name, model in (
        ("small@candidate", ensemble.model),
        (result.model_name, ensemble.model),
        ("small", ensemble.model),
        ("small@winner", result.winner.model),
        (str(directory / result.ensemble_file), ensemble.model),
    ):
        found = find_model(name, Workspace(directory)).predict_proba(X)
        np.testing.assert_array_equal(found, model.predict_proba(X))


def test_the_ensemble_of_the_json_document_is_that_of_the_result(finished):
    result, _, directory = finished
    document = json.loads(json.dumps(result.to_dict()["ensemble"], allow_nan=False))
    assert set(document) == {"trials", "out_of_fold", "metrics", "ci95", "model"}
    assert document["trials"] == [{"number": s.number, "weight": s.weight} for s in result.ensemble.shares]
    assert document["out_of_fold"] == result.ensemble.out_of_fold <= result.ensemble.steps[0][1]
    assert document["metrics"] == {score.name: score.value for score in result.ensemble.scores}
    assert document["ci95"] == {score.name: [score.low, score.high] for score in result.ensemble.scores}
    assert (directory / document["model"]).is_file()
    alone = replace(result, winner=replace(result.winner, ensemble=None), ensemble_file=None)
    assert alone.to_dict()["ensemble"] is None
    assert (alone.ensemble, alone.is_ensemble_recommended) == (None, False)


def test_where_delivery_is_pending_the_recommended_models_file_is_what_to_predict_with(finished):
    result, _, _ = finished
    lost = replace(result, delivery=replace(result.delivery, n_pending=1))
    not_recommended = replace(result.winner, ensemble=replace(result.ensemble, is_recommended=False))
    for one, what, name in (
        (result, "ensemble", "small@candidate"),
        (lost, "ensemble", result.ensemble_file),
        (replace(lost, winner=not_recommended), "winner", result.model_file),
        (replace(lost, winner=replace(result.winner, ensemble=None), ensemble_file=None), "winner", result.model_file),
    ):
        label = f"Predict with the {what}:"
        assert one.model_name == name
        assert f"{label:<33}python -m sweeps predict {name} INPUT" in summary(one)


def test_the_corrected_cost_stands_beside_the_winners_value_wherever_that_is_shown(finished):
    result, _, directory = finished
    estimate, value = result.winner.estimate, result.winner.trial.value
    low, high = estimate.interval
    assert estimate.uncorrected == pytest.approx(value, rel=1e-5)
    assert low < estimate.value < high
    assert result.to_dict()["out_of_fold"] == {"value": value, "corrected": estimate.value, "ci95": [low, high]}
    said = " ".join(summary(result).split())
    numbers = f"Cost out of fold {value:.4g}, and {estimate.value:.4g} (95 % interval {low:.4g} to {high:.4g})"
    assert f"{numbers} corrected for having chosen the best of 8 trials." in said
    first = next(i for i, line in enumerate(summary(result).splitlines()) if line.startswith("Cost out of fold"))
    assert max(map(len, summary(result).splitlines()[first : first + 2])) <= 79
    run, _ = parent_run(directory, result)
    assert run.data.metrics["value_corrected"] == estimate.value
    assert run.data.metrics["value_corrected_ci95_high"] == high
    assert f"**{estimate.value:.4g}**, 95 % interval" in run.data.tags["mlflow.note.content"]
    page = (directory / result.report_file).read_text()
    assert f"<strong>{estimate.value:.4g}</strong>" in page
    assert f"corrected for being the best of 8 trials; 95 % interval {low:.4g} to {high:.4g}" in page
    assert '<section id="ensemble">' in page


def test_without_an_estimate_nothing_is_said_of_it(finished):
    result, _, _ = finished
    silent = replace(result, winner=replace(result.winner, estimate=None))
    assert silent.to_dict()["out_of_fold"] is None
    assert "Cost out of fold" not in summary(silent)


def test_after_a_finished_sweep_a_new_one_is_a_new_study_with_the_same_trials(folder):
    config = iris(sweep={"n_trials": 3})
    first, second = (run_sweep(config, directory=folder, is_new=is_new) for is_new in (False, True))
    assert first.study != second.study
    assert first.rows == second.rows
    assert [study.name for study in all_studies(Workspace(folder))] == [first.study, second.study]


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_is_continued_and_comes_to_the_same_result(finished, folder, signal_number):
    result, config, _ = finished
    name = interrupted(config, folder, 3, signal_number)
    (status,) = study_statuses(Workspace(folder), None)[0]
    assert (status.state, status.n_trials) == ("INTERRUPTED", 8)
    assert 3 <= status.n_ended < 8
    progress = InterruptAfter(99)
    continued = run_sweep(config, directory=folder, progress=progress)
    assert continued.study == name
    assert progress.said[0] == f"Continuing {name}."
    assert continued.rows == result.rows
    assert continued.winner.test_scores == result.winner.test_scores
    assert list(continued.winner.baselines_out_of_fold) == ["constant", "logistic regression"]
    assert continued.winner.baselines_out_of_fold == result.winner.baselines_out_of_fold
    assert continued.winner.estimate == result.winner.estimate
    assert continued.ensemble.steps == result.ensemble.steps
    assert study_statuses(Workspace(folder), None)[0][0].state == "FINISHED"


def test_an_interrupted_sweep_is_killed_in_mlflow_and_running_trials_are_not_there(folder):
    config = iris()
    name = interrupted(config, folder)
    sync_all(Workspace(folder))  # an interrupt gives MLflow a few seconds only
    runs = mlflow_runs(folder / "mlflow.db")
    assert [(run, status) for run, status, of in runs if of is None] == [(name, "KILLED")]
    assert {status for _, status, _ in runs} <= {"KILLED", "FINISHED", "FAILED"}
    run_sweep(config, directory=folder)
    runs = mlflow_runs(folder / "mlflow.db")
    assert [(run, status) for run, status, of in runs if of is None] == [(name, "FINISHED")]
    assert len(runs) == 9


def test_the_next_run_delivers_what_an_earlier_study_could_not(folder, monkeypatch):
    config = iris(sweep={"n_trials": 2}, tracking={"uri": "${SWEEPS_WHERE}"})
    monkeypatch.setenv("SWEEPS_WHERE", "http://127.0.0.1:9")
    lost = run_sweep(config, directory=folder)
    again = run_sweep(config, directory=folder, is_new=True)
    assert (lost.exit_code, again.exit_code) == (4, 4)
    assert lost.study in again.older_pending
    assert f"Earlier studies that are not completely in MLflow: {lost.study}: http://127.0.0.1:9: " in summary(again)
    here = iris(sweep={"name": "another", "n_trials": 2})
    third = run_sweep(here, directory=folder)
    assert third.exit_code == 0, "its own record is complete, and the exit code speaks of no other"
    assert set(third.older_pending) == {lost.study, again.study}
    monkeypatch.setenv("SWEEPS_WHERE", f"sqlite:///{folder}/mlflow.db")
    with Workspace(folder).lease("small"):
        assert run_sweep(here, directory=folder).older_pending == {}
    assert lost.study not in [name for name, _, _ in mlflow_runs(folder / "mlflow.db")], "a run alive delivers itself"
    last = run_sweep(here, directory=folder)
    assert last.older_pending == {}
    runs = {name: status for name, status, parent in mlflow_runs(folder / "mlflow.db") if parent is None}
    assert runs[lost.study] == runs[again.study] == "FINISHED"


def test_a_sweep_that_is_continued_on_another_machine_or_with_another_engine_or_optuna_says_so(folder, monkeypatch):
    name = interrupted(iris(), folder)
    began = software()["engine"]
    here = machine_kind()
    monkeypatch.setattr("sweeps.study_of_run.machine_kind", lambda: "PDP-11")
    monkeypatch.setattr("sweeps.study_of_run.software", lambda: {"engine": "0123456789ab"})
    monkeypatch.setattr("optuna.__version__", "9.9.9")
    progress = InterruptAfter(99)
    assert run_sweep(iris(), directory=folder, progress=progress).study == name
    assert progress.said[:4] == [
        f"{name} began on another kind of machine ({here}); this is PDP-11. The last bits of its costs may differ.",
        f"{name} began with another engine ({began}); this is 0123456789ab. Its trials may differ from here on.",
        f"{name} began with another Optuna ({version('optuna')}); this is 9.9.9. Its trials may differ from here on.",
        f"Continuing {name}.",
    ]


@pytest.mark.parametrize(
    ("uri", "page"),
    [
        (None, "mlflow ui\n"),
        ("http://ada:***@host:5000", "open http://ada:***@host:5000\n"),
        ("sqlite:///other place.db", "mlflow ui --backend-store-uri 'sqlite:///other place.db'\n"),
        ("postgresql://ada:***@db/x", "mlflow ui --backend-store-uri 'postgresql://ada:***@db/x'\n"),
    ],
)
def test_the_summary_says_how_to_see_the_record_where_it_is(finished, uri, page):
    result, _, _ = finished
    result = replace(result, tracking_uri=uri or result.tracking_uri)
    assert f"See every trial and its curves:  {page}" in summary(result)


def test_new_starts_afresh_and_leaves_the_interrupted_sweep_to_be_continued_later(finished, folder):
    result, config, _ = finished
    name = interrupted(config, folder)
    fresh = run_sweep(config, directory=folder, is_new=True)
    assert fresh.study != name
    assert fresh.rows == result.rows
    assert {s.name: s.state for s in study_statuses(Workspace(folder), None)[0]} == {
        name: "INTERRUPTED",
        fresh.study: "FINISHED",
    }
    assert run_sweep(config, directory=folder).study == name


def test_a_sweep_with_another_configuration_leaves_the_interrupted_one_alone(folder):
    config = iris()
    name = interrupted(config, folder)
    before = table(study_of(folder, name))
    progress = InterruptAfter(99)
    other = run_sweep(iris(sweep={"seed": 3, "n_trials": 3}), directory=folder, progress=progress)
    assert other.study != name
    assert f"{name} was interrupted with another configuration or other data; it is left as it is." in progress.said
    assert table(study_of(folder, name)) == before


@pytest.mark.parametrize("how", ["another configuration", "--new"])
def test_a_killed_sweep_that_is_left_does_not_stay_running_in_mlflow(folder, monkeypatch, how):
    monkeypatch.setenv("SWEEPS_WHERE", "http://127.0.0.1:9")
    config = iris(tracking={"uri": "${SWEEPS_WHERE}"})
    name = interrupted(config, folder)
    record = folder / ".sweeps" / name / "outbox.jsonl"
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(lines[:-1]))  # as after kill -9
    monkeypatch.setenv("SWEEPS_WHERE", f"sqlite:///{folder}/mlflow.db")
    other = override(config, sweep={"n_trials": 2, "seed": 3 if how == "another configuration" else 2})
    run_sweep(other, directory=folder, is_new=how == "--new")
    runs = mlflow_runs(folder / "mlflow.db")
    assert [status for run, status, _ in runs if run == name] == ["KILLED"]
    assert "RUNNING" not in {status for _, status, _ in runs}
    assert Outbox(record).last_finish().state == "KILLED"
    assert run_sweep(config, directory=folder).study == name, "it can be continued all the same"
    assert Outbox(record).last_finish().state == "FINISHED"


def test_a_damaged_record_of_a_sweep_that_is_left_keeps_no_other_from_being_run(folder):
    name = interrupted(iris(), folder)
    record = folder / ".sweeps" / name / "outbox.jsonl"
    record.write_bytes(b"damaged\n" + record.read_bytes())
    assert run_sweep(iris(sweep={"n_trials": 2}), directory=folder, is_new=True).exit_code == 0
    progress = InterruptAfter(99)
    assert run_sweep(iris(), directory=folder, progress=progress).study == name
    assert any(f"{record} line 1: damaged" in said for said in progress.said), progress.said


def test_a_sweep_that_is_continued_with_another_tracking_uri_is_recorded_there_from_its_beginning(folder, tmp_path):
    name = interrupted(iris(), folder)
    sync_all(Workspace(folder))
    there = f"sqlite:///{tmp_path}/there.db"
    progress = InterruptAfter(99)
    result = run_sweep(iris(tracking={"uri": there}), directory=folder, progress=progress)
    assert (result.study, result.exit_code, result.tracking_uri) == (name, 0, there)
    assert f"{name}: its record went to the default mlflow.db before; all of it is delivered again, to {there}." in (
        progress.said
    )
    assert len(mlflow_runs(tmp_path / "there.db")) == 9
    workspace = Workspace(folder)
    assert workspace.tracking_uri(workspace.study_folder(name)) == there


def test_taking_the_tracking_uri_out_brings_the_record_back_to_the_default(folder):
    name = interrupted(iris(tracking={"uri": "http://127.0.0.1:9"}), folder)
    result = run_sweep(iris(), directory=folder)
    assert (result.study, result.exit_code) == (name, 0)
    assert len(mlflow_runs(folder / "mlflow.db")) == 9


def test_an_unreachable_mlflow_is_told_while_the_sweep_goes_on(folder, monkeypatch):
    monkeypatch.setenv("SWEEPS_PASSWORD", "hunter2")
    config = iris(tracking={"uri": "http://ada:${SWEEPS_PASSWORD}@127.0.0.1:9"}, sweep={"n_trials": 10_000})
    progress = InterruptWhenSaid("MLflow does not accept")
    with pytest.raises(InterruptedSweepError, match="SIGINT"):
        run_sweep(config, directory=folder, progress=progress)
    (line,) = [line for line in progress.said if line.startswith("MLflow")]
    assert line.startswith("MLflow does not accept the record now: http://ada:***@127.0.0.1:9: ")
    assert "hunter2" not in line
    assert re.fullmatch(r"\d+ facts are not in MLflow yet. To deliver them: python -m sweeps sync", progress.said[-1])


class InterruptWhenSaid(SilentProgress):
    """Ctrl-C when a word is said."""

    def __init__(self, word):
        self.word, self.said = word, []

    def say(self, text):
        self.said.append(text)
        if self.word in text:
            os.kill(os.getpid(), signal.SIGINT)

    tell = say


def test_a_disk_that_is_full_at_the_end_leaves_no_process_that_delivers(folder, monkeypatch):
    record = Record(iris(), "small/1", load_data(iris()), Workspace(folder), Audience(print, print))
    monkeypatch.setattr("sweeps.recording.record.sweep_finished", no_space)
    with pytest.raises(OSError, match="No space left"), record:
        process = record._delivery._process
    assert not is_running(process)
    assert record.delivered is not None


def no_space(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def is_running(process):
    process.join(timeout=0)
    return process.is_alive()


def test_an_interrupted_sweep_may_be_given_more_trials(folder):
    config = iris()
    name = interrupted(config, folder)
    longer = run_sweep(override(config, sweep={"n_trials": 11}), directory=folder)
    assert longer.study == name
    assert sorted(row.number for row in longer.rows) == list(range(11))
    (status,) = study_statuses(Workspace(folder), None)[0]
    assert (status.n_ended, status.n_trials) == (11, 11)


def test_an_interrupted_sweep_that_is_given_fewer_trials_leaves_none_running(folder):
    config = iris()
    name = interrupted(config, folder)
    shorter = run_sweep(override(config, sweep={"n_trials": 2}), directory=folder)
    assert shorter.study == name
    assert all(trial.state.is_finished() for trial in study_of(folder).trials)


def test_record_and_storage_agree_on_every_trial(finished):
    result, _, directory = finished
    facts = [fact for _, fact in Outbox(directory / ".sweeps" / result.study / "outbox.jsonl").facts()]
    ended = {fact.number: fact for fact in facts if fact.key.startswith("trial-")}
    assert sorted(ended) == list(range(8))
    for row in result.rows:
        fact = ended[row.number]
        assert (fact.state, fact.params) == (row.state.name, row.params)
        if row.value is not None:
            assert (fact.metrics["value"], fact.metrics["best_iteration"]) == (row.value, row.best_iteration)
            assert dict(fact.curves["validation_cost"])[row.best_iteration] == row.value
        assert all(len(points) <= 100 for points in fact.curves.values())


def test_two_runs_of_one_sweep_are_kept_apart_and_two_sweeps_are_not(folder):
    config = iris(sweep={"n_trials": 2})
    workspace = Workspace(folder)
    workspace.create()
    with workspace.lease("small"), pytest.raises(LeaseHeldError, match=r"small: another run of this sweep is alive in"):
        run_sweep(config, directory=folder)
    with workspace.lease("another"):
        assert run_sweep(config, directory=folder).exit_code == 0


def test_a_sweep_whose_every_trial_diverges_has_no_winner(folder):
    config = replace_search(houses(folder), learning_rate=1e8, n_iterations=60, depth=0)
    result = run_sweep(config, directory=folder)
    assert (result.state, result.exit_code, result.winner, result.model_file) == ("FAILED", 3, None, None)
    assert all(row.state == TrialState.FAIL and "not finite" in row.notes.reason for row in result.rows)
    failed = result.rows[0]
    said = " ".join(summary(result).split())
    assert f"No trial succeeded. Trial {failed.number}: {failed.notes.reason} See" in said, (
        "the cure is that of the reason"
    )
    runs = mlflow_runs(folder / "mlflow.db")
    assert {status for _, status, _ in runs} == {"FAILED"}
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["best"] is None
    assert study_statuses(Workspace(folder), None)[0][0].state == "FAILED"
    assert run_sweep(config, directory=folder).study != result.study, "it has ended, there is nothing to continue"


def replace_search(config, **search):
    return small_config(
        config.directory,
        sweep={"name": "houses", "n_trials": 4},
        data={"train": "train.csv", "test": "test.csv", "target": "price"},
        search=search,
        study={"pruner": "none"},
    )


def cancer(**sections):
    return iris(data={"train": "sklearn:breast_cancer"}, sweep={"name": "small", "n_trials": 4}, **sections)


def test_a_decision_is_that_of_all_models_and_scores_and_of_no_trial(folder):
    as_usual, config = cancer(), cancer(study={"decision": "prior", "ensemble": 3})
    name = interrupted(as_usual, folder, after=2)
    result = run_sweep(config, directory=folder)
    assert result.study == name, "a decision comes after the trials, so the sweep is continued"
    before = run_sweep(as_usual, directory=folder)
    assert before.rows == result.rows
    prepared = load_data(config)
    dataset = prepared.dataset
    prior = np.mean(dataset.y_train == 1)
    assert f"[study] decision: 'benign' from a probability of {prior:.4g} on." in summary(result)
    assert "[study] decision" not in summary(before)
    assert before.winner.model.threshold is None
    truth = np.array(dataset.class_names)[dataset.y_test]
    winner = result.winner
    for alias, its_scores in (("winner", winner.scores), ("candidate", winner.ensemble.scores)):
        model = find_model(f"small/{1 if alias == 'winner' else 2}", Workspace(folder))
        assert model.threshold == prior
        predicted = model.predict(dataset.X_test)
        p = model.predict_proba(dataset.X_test)[:, 1]
        np.testing.assert_array_equal(predicted, np.where(p >= prior, "benign", "malignant"))
        accuracy = its_scores[0]
        assert accuracy.value == (predicted == truth).mean()
        assert accuracy.low < accuracy.value < accuracy.high or accuracy.value == accuracy.high
    X, y = prepared.X.T, dataset.y_train
    linear = LogisticRegression(max_iter=10_000).fit(X, y).predict_proba(prepared.X_test.T)[:, 1]
    beside = winner.scores[0].baselines
    assert beside["logistic regression"] == ((linear >= prior) == dataset.y_test).mean()
    assert beside["constant"] == dataset.y_test.mean(), "its probability is the prior, from which on class 1 is said"


def test_when_time_is_up_the_best_so_far_is_refitted(folder):
    result = run_sweep(iris(sweep={"timeout_seconds": 1e-3}), directory=folder)
    assert result.exit_code == 3  # not one rung was over
    assert all(row.state == TrialState.PRUNED for row in result.rows)
    assert all(trial.state.is_finished() for trial in study_of(folder).trials)
    sync_all(Workspace(folder), None)  # the end did not wait much longer for MLflow than the limit
    statuses = {status for _, status, of in mlflow_runs(folder / "mlflow.db") if of is not None}
    assert statuses == {"KILLED"}


def test_when_time_is_short_nobody_waits_for_the_baselines_on_each_fold(folder, monkeypatch):
    fit, is_over, n_fits = LogisticRegression.fit, threading.Event(), count(1)

    def slow_on_folds(model, X, y, **weights):
        if next(n_fits) > 1:
            assert is_over.wait(60)
        return fit(model, X, y, **weights)

    monkeypatch.setattr(LogisticRegression, "fit", slow_on_folds)
    try:
        result = run_sweep(iris(sweep={"n_trials": 2, "timeout_seconds": 1000}), directory=folder)
    finally:
        is_over.set()
    assert set(result.winner.scores[0].baselines) == {"constant", "logistic regression"}
    assert "logistic regression" not in result.to_dict()["baselines_out_of_fold"]
    assert "out of fold (" not in summary(result)


def test_a_hold_out_split_is_a_stack_of_one(folder):
    config = iris(data={"train": "sklearn:wine", "folds": None, "validation_fraction": 0.3}, sweep={"n_trials": 3})
    result = run_sweep(config, directory=folder)
    assert result.exit_code == 0
    assert load_data(config).held_out.shape[0] == 1


def test_a_storage_elsewhere_is_used_and_continued(folder, tmp_path):
    config = iris(study={"storage": f"sqlite:///{tmp_path}/optuna.db"})
    with pytest.raises(InterruptedSweepError, match="SIGINT"):
        run_sweep(config, directory=folder, progress=InterruptAfter(3))
    result = run_sweep(config, directory=folder)
    assert len(result.rows) == 8
    ((states,),) = query(f"sqlite:///{tmp_path}/optuna.db", "select group_concat(distinct state) from trials")
    assert set(states.split(",")) <= {"COMPLETE", "PRUNED", "FAIL"}


def test_a_variable_of_a_uri_that_is_not_set_is_noticed_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.delenv("SWEEPS_NOWHERE", raising=False)
    for section in ({"tracking": {"uri": "http://${SWEEPS_NOWHERE}"}}, {"study": {"storage": "${SWEEPS_NOWHERE}"}}):
        with pytest.raises(InputError, match=r"\$\{SWEEPS_NOWHERE\} is not set"):
            run_sweep(iris(**section), directory=tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_objects_of_a_program_are_the_data_of_their_file_and_go_on_with_its_study(folder, monkeypatch):
    monkeypatch.chdir(folder)
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 3))
    y = (X[:, 0] > 0).astype(int)
    np.savez(folder / "a.npz", X=X, y=y)
    config = small_config(folder, data={"train": "a.npz"}, search=SEARCH, sweep={"name": "small", "n_trials": 2})
    of_file = run_sweep(config)
    of_objects = run_sweep(config, train=(X, y))
    assert of_objects.study == of_file.study
    assert of_objects.best == of_file.best
    np.testing.assert_array_equal(of_objects.model.predict(X), of_file.model.predict(X))
