"""A finished study goes on: what is on record is recalled, what is missing is trained; new data begin with memory."""

import mlflow
import pytest
from optuna.trial import TrialState

from sweeps.results.progress import SilentProgress
from sweeps.results.status import find_study
from sweeps.run import run_sweep
from sweeps.storage.workspace import Workspace
from tests.support.sql import query
from tests.sweeps.support.small_sweep import small_config, table


class Said(SilentProgress):
    """Keeps what a person is told."""

    def __init__(self):
        self.lines, self.n_trained = [], 0

    def say(self, text):
        self.lines.append(text)

    tell = say

    def trial_ended(self, trial):
        self.n_trained += 1


def run(directory, *, is_new=False, **sections):
    said = Said()
    return run_sweep(small_config(**sections), directory=directory, progress=said, is_new=is_new), said


@pytest.fixture(scope="module")
def nights(tmp_path_factory, with_store):
    """Eight trials, the same again, twelve, and then other data: the results, and what was said."""
    directory = with_store(tmp_path_factory.mktemp("going-on") / "nights")
    first = run(directory, sweep={"n_trials": 8})
    before = table(find_study(Workspace(directory), first[0].study))
    again = run(directory, sweep={"n_trials": 8})
    points = "SELECT key, count(*) FROM metrics JOIN runs USING (run_uuid) WHERE name = '{}' GROUP BY key"
    points = dict(query(f"sqlite:///{directory}/mlflow.db", points.format(first[0].study)))
    more = run(directory, sweep={"n_trials": 12})
    after = table(find_study(Workspace(directory), first[0].study))
    other = run(directory, sweep={"n_trials": 10}, data={"train": "sklearn:wine"})
    return {
        "first": first,
        "again": again,
        "more": more,
        "other": other,
        "tables": (before, after),
        "points": points,
    }, directory


def test_the_same_command_again_trains_nothing_and_says_so(nights):
    (result, said), first = nights[0]["again"], nights[0]["first"][0]
    assert said.n_trained == 0
    assert any("all of its 8 trials" in line and "nothing new is trained" in line for line in said.lines)
    assert result.study == first.study
    assert result.rows == first.rows
    assert result.winner.test_scores == first.winner.test_scores
    assert result.ensemble.shares == first.ensemble.shares


def test_the_same_end_again_adds_nothing_to_the_run_in_mlflow(nights):
    points = nights[0]["points"]
    assert {"value", "test_accuracy"} <= points.keys()
    assert set(points.values()) <= {1, 2}, "winner and ensemble may have a score of one name"
    assert points["value"] == 1


def test_more_trials_are_trained_in_the_same_study_and_the_old_ones_stay_as_they_were(nights):
    (result, said), first = nights[0]["more"], nights[0]["first"][0]
    assert result.study == first.study
    assert said.n_trained == 4
    assert any(
        line.startswith("Going on with") and "8 trials are on record, 4 to be trained" in line for line in said.lines
    )
    before, after = nights[0]["tables"]
    assert after[:8] == before
    assert len(after) == 12
    assert result.best.value <= first.best.value


def test_a_model_that_is_the_same_is_not_registered_twice(nights):
    results, directory = nights
    client = mlflow.MlflowClient(f"sqlite:///{directory}/mlflow.db")
    versions = client.search_model_versions("name = 'small'")
    studies = [version.tags["sweeps.study"] for version in versions]
    distinct = {(version.tags["sweeps.study"], version.tags["sweeps.model_digest"]) for version in versions}
    assert len(distinct) == len(versions)
    assert set(studies) == {results["first"][0].study, results["other"][0].study}
    runs = client.search_runs([results["first"][0].delivery.experiment_id], "tags.`mlflow.parentRunId` = ''")
    assert all(run.info.status == "FINISHED" for run in runs)


def test_other_data_begin_with_what_did_best_before(nights):
    (result, said), more = nights[0]["other"], nights[0]["more"][0]
    assert result.study != more.study
    assert "First the configurations that did best in earlier sweeps of small: 1." in said.lines
    (first,) = [row for row in result.rows if row.number == 0]
    best = next(row for row in more.rows if row.state == TrialState.COMPLETE)
    assert first.candidate == best.candidate
    assert not (Workspace(nights[1]).study_folder(more.study).kept_trials).exists()  # only the newest goes on


def test_new_is_afresh_and_memory_can_be_left_out(tmp_path, with_store):
    directory = with_store(tmp_path)
    first, _ = run(directory, sweep={"n_trials": 3})
    afresh, said = run(directory, sweep={"n_trials": 3}, is_new=True)
    assert afresh.study != first.study
    assert afresh.rows == first.rows
    assert not any("earlier sweeps" in line for line in said.lines)
    other, said = run(directory, sweep={"n_trials": 3, "seed": 5}, study={"memory": False})
    assert not any("earlier sweeps" in line for line in said.lines)
    assert find_study(Workspace(directory), other.study).attributes.remembered == []


def test_a_study_that_a_clock_ended_goes_on(tmp_path, with_store):
    directory = with_store(tmp_path)
    result, _ = run(directory, sweep={"n_trials": 6})
    stored = find_study(Workspace(directory), result.study)
    stored.set_attribute("early_end", {"n_applied": 10**6, "reason": "the sweep's time was over"})
    again, said = run(directory, sweep={"n_trials": 8})
    assert (again.study, len(again.rows)) == (result.study, 8)
    assert find_study(Workspace(directory), result.study).attributes.early_end is None
    assert any("Going on" in line for line in said.lines)


def test_where_patience_ended_a_study_not_even_the_trials_that_it_cut_are_trained_again(tmp_path, with_store):
    directory = with_store(tmp_path)
    first, _ = run(directory, sweep={"n_trials": 12, "patience": 1})
    assert any(row.notes.is_interrupted for row in first.rows)
    early_end = find_study(Workspace(directory), first.study).attributes.early_end
    again, said = run(directory, sweep={"n_trials": 14, "patience": 1})
    assert said.n_trained == 0
    assert (again.rows, again.study) == (first.rows, first.study)
    assert any("nothing new is trained" in line for line in said.lines)
    assert again.winner.test_scores == first.winner.test_scores
    assert find_study(Workspace(directory), first.study).attributes.early_end == early_end


def test_a_study_that_began_with_another_engine_is_left_and_remembered(tmp_path, with_store):
    directory = with_store(tmp_path)
    first, _ = run(directory, sweep={"n_trials": 3})
    find_study(Workspace(directory), first.study).set_attribute("engine", "another")
    second, said = run(directory, sweep={"n_trials": 3})
    assert second.study != first.study
    assert any("earlier sweeps" in line for line in said.lines)


def test_a_kill_while_a_studys_fold_models_are_removed_leaves_it_with_none(tmp_path, with_store, monkeypatch):
    directory = with_store(tmp_path)
    first, _ = run(directory, sweep={"n_trials": 3})
    folder = Workspace(directory).study_folder(first.study)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("sweeps.storage.study_folder.shutil.rmtree", killed)
        folder.remove_kept_trials()
    again, _ = run(directory, sweep={"n_trials": 3})
    assert again.study != first.study  # not with some of them
    assert not list(folder.path.glob("kept*"))
