"""A folder with an MLflow database and its files is moved, copied or split; a real SQLite store each time."""

import shutil
from pathlib import Path

import pytest
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from experiments.artifact_places import follow, moved_from
from experiments.delivery import deliver
from experiments.mlflow_connection import sqlite_uri
from experiments.model_lookup import ModelName, fetch_model
from experiments.outbox import Outbox
from tests.experiments.support.models import model_of
from tests.experiments.support.study_facts import STUDY, finished, started, trial
from tests.support.sql import query

ADDRESSES = (
    "SELECT artifact_location FROM experiments UNION ALL SELECT artifact_uri FROM runs "
    "UNION ALL SELECT artifact_location FROM logged_models UNION ALL SELECT source FROM model_versions "
    "UNION ALL SELECT storage_location FROM model_versions"
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, with_store):
    """A folder that is wholly delivered: a study, a trial, a winner in the registry; whoever wants it copies it."""
    folder = with_store(tmp_path_factory.mktemp("recorded"))
    model_of("binary", folder, seed=1, study=STUDY)[1].save(folder / "model.h5")
    outbox = Outbox(folder / "outbox.jsonl")
    for fact in (started(), trial(0), finished(model_file="model.h5")):
        outbox.append(fact)
    assert deliver(outbox, f"sqlite:///{folder}/mlflow.db").n_pending == 0
    return folder


@pytest.fixture
def moved(recorded, tmp_path):
    """The folder at a place that its database does not know; what it does know is gone."""
    before = shutil.copytree(recorded, tmp_path / "before")
    follow(before / "mlflow.db")
    _artifact_repos_cache.clear()  # MLflow's, by the id of a run alone: another process has none
    return before.rename(tmp_path / "it's new")


def addresses(folder: Path) -> set[str]:
    return {address.rpartition("/mlruns/")[0] for (address,) in query(f"sqlite:///{folder}/mlflow.db", ADDRESSES)}


def test_after_a_move_models_are_found_and_new_facts_are_written_here_and_not_at_the_old_place(moved, tmp_path):
    uri = sqlite_uri(moved / "mlflow.db")
    fetch_model(ModelName("cats", alias="candidate"), uri).save(moved / "fetched.h5")
    assert (moved / "fetched.h5").read_bytes() == (moved / "model.h5").read_bytes()
    outbox = Outbox(moved / "outbox.jsonl")
    (moved / "report.html").write_text("<p>won</p>")
    for fact in (trial(1), finished(2, artifacts={"report.html": "report.html"}, model_file="model.h5")):
        outbox.append(fact)
    result = deliver(outbox, uri)
    assert (result.n_pending, result.error) == (0, None)
    assert [path.read_text() for path in (moved / "mlruns").rglob("report.html")] == ["<p>won</p>"]
    assert [path.name for path in tmp_path.iterdir()] == [moved.name], "the old place is not made anew"
    assert len(addresses(moved) - {moved.as_uri()}) <= 1, "what is not ours stays"


def test_it_is_done_once_and_said_from_where(moved, tmp_path):
    assert moved_from(moved / "mlflow.db") == [(tmp_path / "before").as_uri()]
    assert follow(moved / "mlflow.db") == [(tmp_path / "before").as_uri()]
    assert (moved_from(moved / "mlflow.db"), follow(moved / "mlflow.db")) == ([], [])


def test_a_copy_is_a_record_of_its_own_and_the_original_stays_as_it_is(recorded, tmp_path):
    copy = shutil.copytree(recorded, tmp_path / "copy")
    before = (recorded / "mlflow.db").read_bytes()
    assert follow(copy / "mlflow.db") == [recorded.as_uri()]
    assert copy.as_uri() in addresses(copy)
    assert recorded.as_uri() not in addresses(copy)
    assert (recorded / "mlflow.db").read_bytes() == before


def test_files_that_were_not_moved_with_their_database_stay_where_they_are(recorded, tmp_path):
    shutil.copyfile(recorded / "mlflow.db", tmp_path / "mlflow.db")
    assert follow(tmp_path / "mlflow.db") == []
    assert recorded.as_uri() in addresses(tmp_path)


def test_a_database_alone_goes_on_where_it_is_when_the_old_place_is_gone(moved):
    shutil.rmtree(moved / "mlruns")
    assert len(follow(moved / "mlflow.db")) == 1
    assert moved.as_uri() in addresses(moved)


def test_what_is_no_database_or_not_there_is_left_to_mlflow_to_tell(tmp_path):
    assert follow(tmp_path / "mlflow.db") == []
    assert not (tmp_path / "mlflow.db").exists()
    (tmp_path / "mlflow.db").touch()
    assert follow(tmp_path / "mlflow.db") == []
