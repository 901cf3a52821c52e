"""`delete STUDY`: one study goes, the others stay as they were; never one in use or at work."""

import mlflow
import pytest
from typer.testing import CliRunner

from experiments.delivery import deliver
from experiments.errors import InputError
from experiments.outbox import Outbox
from sweeps.cli import app
from sweeps.results.status import all_studies
from sweeps.retention.deletion import delete
from sweeps.storage.journal import Journal, read_journal
from sweeps.storage.stored_study import StoredStudy
from tests.support.sql import query
from tests.sweeps.support.small_sweep import table
from tests.sweeps.support.written_study import WrittenStudy

NAME = WrittenStudy.name


@pytest.fixture
def recorded(tmp_path, with_store):
    """A study that is wholly in MLflow."""
    workspace = WrittenStudy(with_store(tmp_path / "work"), 3).write()
    assert deliver(Outbox(workspace.study_folder(NAME).outbox), workspace.tracking_uri()).error is None
    return workspace


def runs(workspace):
    return query(workspace.tracking_uri(), "select run_uuid from runs")


@pytest.mark.parametrize("has_ended", [True, False])
def test_the_folder_and_the_trials_go_and_the_other_study_stays_as_it_was(tmp_path, has_ended):
    workspace = WrittenStudy(tmp_path, 5, has_ended=has_ended).write()
    with workspace.lease("made"):
        journal = Journal(workspace.journal("made"))
        (written,) = StoredStudy.all_of(journal)
        kept = StoredStudy.create(journal, "made/20270101-000000", written.attributes)
        journal.create_new_trial(kept.study_id, written.trials[0])
    workspace.study_folder(kept.name).create()
    before = table(StoredStudy(read_journal(workspace.journal("made")), kept.study_id, kept.name))

    dry = delete(workspace, NAME, with_runs=False, is_dry=True)
    assert len(all_studies(workspace)) == 2
    deleted = delete(workspace, NAME, with_runs=False, is_dry=False)

    assert deleted.removed[0].n_trials == dry.removed[0].n_trials == 5
    (left,) = all_studies(workspace)
    assert (left.name, table(left)) == (kept.name, before)
    assert [folder.study_name for folder in workspace.study_folders()] == [kept.name]
    assert NAME.encode() not in workspace.journal("made").read_bytes()


def test_a_study_whose_folder_somebody_removed_is_not_listed_and_its_trials_can_be_deleted(tmp_path):
    workspace = WrittenStudy(tmp_path, 3).write()
    workspace.study_folder(NAME).remove()
    assert all_studies(workspace) == []
    assert delete(workspace, NAME, with_runs=True, is_dry=False).removed[0].n_trials == 3
    assert read_journal(workspace.journal("made")).get_all_studies() == []


@pytest.mark.parametrize("with_runs", [False, True])
def test_its_runs_in_mlflow_go_when_asked(recorded, with_runs):
    assert len(runs(recorded)) == 4
    deleted = delete(recorded, NAME, with_runs=with_runs, is_dry=False)
    assert deleted.removed[0].n_runs == (4 if with_runs else 0)
    assert len(runs(recorded)) == (0 if with_runs else 4)


def test_its_run_is_found_in_mlflow_where_its_folder_is_gone(recorded):
    recorded.study_folder(NAME).remove()
    assert delete(recorded, NAME, with_runs=True, is_dry=False).removed[0].n_runs == 4
    assert runs(recorded) == []


@pytest.mark.parametrize("alias", ["champion", "candidate"])
def test_a_study_whose_model_an_alias_names_is_refused(recorded, alias):
    client = mlflow.MlflowClient(recorded.tracking_uri())
    client.create_registered_model("made")
    client.create_model_version("made", "somewhere", tags={"sweeps.study": NAME})
    client.set_registered_model_alias("made", alias, "1")
    with pytest.raises(InputError, match=f"{NAME}: stays, its model, version 1, is {alias}"):
        delete(recorded, NAME, with_runs=True, is_dry=False)
    assert len(all_studies(recorded)) == 1
    assert len(runs(recorded)) == 4


def test_a_study_that_is_alive_or_not_there_is_refused_with_exit_2(tmp_path, monkeypatch):
    workspace = WrittenStudy(tmp_path, 3).write()
    monkeypatch.chdir(tmp_path)
    with workspace.lease("made"):
        alive = CliRunner().invoke(app, ["delete", NAME])
    assert (alive.exit_code, alive.stdout) == (2, "")
    assert "a run of made is alive" in alive.stderr
    for name in ("made", "made/1", "other/1", "../work", "made/../..", "/etc/x", ""):
        gone = CliRunner().invoke(app, ["delete", name])
        assert (gone.exit_code, gone.stdout) == (2, ""), name
        assert "no such study" in gone.stderr
    assert len(all_studies(workspace)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [".sweeps"]
