"""Old studies go everywhere, and never what is champion, named by an alias, unfinished, or not wholly in MLflow."""

import json
import shutil
import sqlite3
import time
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from experiments.errors import InputError
from experiments.outbox import Outbox
from sweeps.cli import app
from sweeps.doctor.examination import examine
from sweeps.doctor.finding import Verdict
from sweeps.promotion.by_hand import history_of, promote
from sweeps.promotion.documents import find_verdict
from sweeps.results.status import all_studies, find_study
from sweeps.retention.pruning import prune
from sweeps.retention.rule import Retention
from sweeps.run import run_sweep
from sweeps.storage.workspace import LeaseHeldError, Workspace
from tests.support.servers import mlflow_server
from tests.support.sql import query
from tests.sweeps.support.small_sweep import small_config, table
from tests.sweeps.support.warm import forked_deliveries, pages_without_figures, warm_up

pytestmark = pytest.mark.usefixtures("quiet_optuna")
N_NIGHTS = 6


def night(folder, seed, n_iterations=3, **sections):
    """Two trials of a weak model, in a study of its own."""
    config = small_config(
        folder,
        sweep={"name": "digits", "n_trials": 2, "seed": seed},
        data={"train": "sklearn:iris"},
        search={"n_iterations": n_iterations, "learning_rate": {"low": 0.1, "high": 0.2}, "depth": 0},
        study={"ensemble": 0, "memory": False} | sections.pop("study", {}),
        **sections,
    )
    return run_sweep(config, directory=folder)


@pytest.fixture(scope="module")
def written(tmp_path_factory, with_store):
    """Six nights; the model of the second is champion since, by force."""
    folder = with_store(tmp_path_factory.mktemp("nights"))
    warm_up()
    with forked_deliveries(), pages_without_figures():
        results = [
            night(folder, number, promotion={"promote": "force" if number <= 2 else "never"})
            for number in range(1, N_NIGHTS + 1)
        ]
    assert all(result.delivery.n_pending == 0 for result in results)
    return folder, [result.study for result in results]


@pytest.fixture
def nights(written, tmp_path):
    """A copy; MLflow's artifacts are where they were, so each test copies them too."""
    folder, studies = written
    work = tmp_path / "work"
    shutil.copytree(folder, work)
    connection = f"sqlite:///{work}/mlflow.db"
    for table_name, column in (
        ("runs", "artifact_uri"),
        ("logged_models", "artifact_location"),
        ("model_versions", "source"),
        ("model_versions", "storage_location"),
        ("experiments", "artifact_location"),
    ):
        execute(connection, f"update {table_name} set {column} = replace({column}, '{folder}', '{work}')")  # noqa: S608
    return Workspace(work), studies


def execute(uri, sql):
    connection = sqlite3.connect(uri.removeprefix("sqlite:///"))
    with connection:
        connection.execute(sql)
    connection.close()


def left(workspace):
    """Names of the studies that are left: folders, storage, MLflow's runs, models."""
    uri = workspace.tracking_uri()
    runs = query(uri, "select distinct value from tags where key = 'sweeps.study'")
    models = query(uri, "select distinct tag_value from logged_model_tags where tag_key = 'sweeps.study'")
    return (
        {folder.study_name for folder in workspace.study_folders()},
        {study.name for study in all_studies(workspace)},
        {name for (name,) in runs},
        {name for (name,) in models},
    )


def sound(workspace):
    """Whether the doctor has nothing to say."""
    said = [str(finding) for finding in examine(workspace, has_to_mend=False) if finding.verdict is not Verdict.NOTE]
    assert said == []
    return True


def test_the_newest_stay_and_the_champion_and_the_one_before_it_and_all_else_goes(nights):
    workspace, studies = nights
    before = {study.name: table(study) for study in all_studies(workspace)}
    n_bytes = sum(file.stat().st_size for file in workspace.directory.rglob("*") if file.is_file())
    database = (workspace.directory / "mlflow.db").stat().st_size

    pruned = prune(workspace, "digits", Retention(keep=2), is_dry=False)

    gone = set(studies[2:4])
    assert {study.study for study in pruned.removed} == gone
    assert {(study.n_trials, study.n_versions, study.n_runs) for study in pruned.removed} == {(2, 1, 3)}
    assert "is champion" in pruned.stays[studies[1]]
    assert "rollback" in pruned.stays[studies[0]]
    kept = set(studies) - gone
    assert left(workspace) == (kept, kept, kept, kept)
    assert {study.name: table(study) for study in all_studies(workspace)} == {name: before[name] for name in kept}
    after = sum(file.stat().st_size for file in workspace.directory.rglob("*") if file.is_file())
    grown = (workspace.directory / "mlflow.db").stat().st_size - database
    assert n_bytes - after + grown == pruned.n_bytes > 0
    assert sound(workspace)
    assert [reign.version for reign in history_of(workspace, "digits", None)[1]] == ["1", "2"]
    assert find_verdict(workspace, "digits").holds
    assert find_verdict(workspace, "digits/2").holds
    with pytest.raises(InputError, match=r"digits/3: no such version"):
        find_verdict(workspace, "digits/3")
    assert prune(workspace, None, Retention(keep=2), is_dry=False).removed == []


def test_nothing_of_the_removed_is_left_among_the_artifacts(nights):
    workspace, studies = nights
    runs = {study: Outbox(workspace.study_folder(study).outbox).run_id for study in studies}
    prune(workspace, "digits", Retention(keep=2), is_dry=False)
    names = {path.name for path in (workspace.directory / "mlruns").rglob("*")}
    assert runs[studies[5]] in names
    assert not names & {runs[studies[2]], runs[studies[3]]}
    models = {path.name for path in (workspace.directory / "mlruns").rglob("m-*")}
    assert models == {name for (name,) in query(workspace.tracking_uri(), "select model_id from logged_models")}


def test_a_dry_run_says_the_same_and_does_nothing(nights, monkeypatch):
    workspace, studies = nights
    monkeypatch.chdir(workspace.directory)
    before = left(workspace)
    dry = CliRunner().invoke(app, ["prune", "--keep", "2", "--dry-run", "--json"])
    assert dry.exit_code == 0
    assert left(workspace) == before
    wet = CliRunner().invoke(app, ["prune", "digits", "--keep", "2", "--json"])
    removed, told = json.loads(wet.stdout)["removed"], json.loads(dry.stdout)
    assert told["removed"] == removed
    assert told["is_dry_run"]
    assert {study["study"] for study in removed} == set(studies[2:4])
    words = CliRunner().invoke(app, ["prune", "--keep", "1"])
    assert f"removed {studies[4]}: 2 trials, 1 model version, 3 runs in MLflow" in words.stdout
    assert words.stdout.endswith("MB.\n")


def test_what_was_champion_within_the_retention_stays_though_it_is_not_now(nights):
    workspace, studies = nights
    for version in ("3", "4"):  # now the champions were 1, 2, 3, 4
        promote(workspace, f"digits/{version}", None, is_forced=True)
    end = Outbox(workspace.study_folder(studies[5]).outbox).last_finish().ended_at
    days = (time.time() - end) / 86400  # back to the end of the last night; the promotions came later
    pruned = prune(workspace, "digits", Retention(days=days), is_dry=True)
    assert {study.study for study in pruned.removed} == {studies[0], studies[4]}
    assert "within the retention" in pruned.stays[studies[1]]
    assert "within the retention" in pruned.stays[studies[2]]


def test_a_study_that_is_champion_interrupted_or_pending_is_refused_by_name_with_exit_2(nights, monkeypatch):
    workspace, studies = nights
    monkeypatch.chdir(workspace.directory)
    before = left(workspace)
    refused = CliRunner().invoke(app, ["prune", studies[1]])
    assert refused.exit_code == 2
    assert f"{studies[1]}: stays, its model, version 2, is champion. What is champion," in refused.stderr
    assert "Name another study" in refused.stderr
    Outbox(workspace.study_folder(studies[2]).outbox).forget_delivered()
    find_study(workspace, studies[3]).set_attribute("state", "RUNNING")
    for study, why in ((studies[2], "5 facts of it are not in MLflow yet"), (studies[3], "it was interrupted")):
        refused = CliRunner().invoke(app, ["prune", study])
        assert (refused.exit_code, why in refused.stderr) == (2, True)
    assert CliRunner().invoke(app, ["prune", "--keep", "1"]).exit_code == 0
    assert left(workspace)[0] == before[0] - {studies[4]}
    gone = CliRunner().invoke(app, ["prune", "digits/20000101-000000"])
    assert (gone.exit_code, "no such study" in gone.stderr) == (2, True)
    assert CliRunner().invoke(app, ["prune", studies[5]]).exit_code == 2  # @winner and @candidate


def test_nothing_is_removed_while_mlflow_does_not_say_who_is_champion(nights, monkeypatch):
    workspace, _ = nights
    monkeypatch.chdir(workspace.directory)
    database = workspace.directory / "mlflow.db"
    database.rename(database.with_name("away.db"))
    refused = CliRunner().invoke(app, ["prune", "--keep", "1"])
    assert refused.exit_code == 2
    assert "there is no such database" in refused.stderr
    assert len(workspace.study_folders()) == N_NIGHTS
    assert len(all_studies(workspace)) == N_NIGHTS


def test_a_run_that_is_alive_keeps_its_sweep(nights):
    workspace, _ = nights
    with workspace.lease("digits"):
        pruned = prune(workspace, None, Retention(keep=1), is_dry=False)
        assert (pruned.removed, pruned.stays) == ([], {"digits": "a run of it is alive"})
        with pytest.raises(LeaseHeldError):
            prune(workspace, "digits", Retention(keep=1), is_dry=False)


class Killed(BaseException):
    """As SIGKILL: nothing catches it."""


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("experiments.retention", "_remove_files"),
        ("sweeps.retention.pruning", "forget_in_storage"),
        ("sweeps.storage.journal", "write_durably"),
        ("sweeps.storage.study_folder", "shutil"),
        ("sweeps.storage.study_folder", "StudyFolder.remove"),
    ],
)
def test_a_kill_anywhere_confuses_nobody_and_the_next_time_ends_what_was_begun(nights, monkeypatch, module, name):
    workspace, studies = nights

    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"{module}.{name}", SimpleNamespace(rmtree=killed) if name == "shutil" else killed)
        with pytest.raises(Killed):
            prune(workspace, "digits", Retention(keep=2), is_dry=False)
    assert all(len(table(study)) == 2 for study in all_studies(workspace))
    assert find_verdict(workspace, "digits").holds
    findings = [finding for finding in examine(workspace, has_to_mend=False) if finding.verdict is not Verdict.NOTE]
    assert [finding.what for finding in findings] == (
        ["studies were being removed when that was killed."] if name == "shutil" else []
    )
    prune(workspace, "digits", Retention(keep=2), is_dry=False)
    kept = set(studies) - set(studies[2:4])
    assert left(workspace) == (kept, kept, kept, kept)
    assert sound(workspace)
    assert not list(workspace.root.rglob(".*removed"))


def test_the_end_of_a_run_keeps_to_the_configuration(nights, warm_deliveries, no_figures):
    workspace, studies = nights
    result = night(workspace.directory, 7, promotion={"promote": "never"}, retention={"keep": 3})
    assert result.delivery.n_pending == 0
    kept = {studies[0], studies[1], studies[4], studies[5], result.study}
    assert left(workspace) == (kept, kept, kept, kept)
    assert len(result.trials) == 2
    assert sound(workspace)
    again = night(workspace.directory, 7, promotion={"promote": "never"}, retention={"keep": 3})
    assert again.study == result.study  # the journal that was written anew still has it
    assert again.rows == result.rows


@pytest.mark.usefixtures("warm_deliveries", "no_figures")
def test_a_study_goes_out_of_a_database_and_at_a_server_it_is_deleted_and_another_folders_stays(tmp_path, with_store):
    """Its operator's `mlflow gc` does the rest: nobody else may take anything out of a server for good."""
    store = f"sqlite:///{with_store(tmp_path / 'server')}/mlflow.db"
    folders = [tmp_path / "here", tmp_path / "there"]
    with mlflow_server(tmp_path / "server", store) as address:
        sections = {
            "study": {"storage": f"sqlite:///{tmp_path}/studies.db"},
            "tracking": {"uri": address},
            "promotion": {"promote": "never"},
        }
        for folder in folders:
            folder.mkdir()
        old, new = (night(folders[0], seed, **sections).study for seed in (1, 2))
        other = night(folders[1], 3, **sections).study
        pruned = prune(Workspace(folders[0]), "digits", Retention(keep=1), is_dry=False)
        assert prune(Workspace(folders[0]), None, Retention(keep=1), is_dry=False).removed == []
    assert [(study.study, study.n_trials, study.n_runs) for study in pruned.removed] == [(old, 2, 3)]
    assert [study.name for folder in folders for study in all_studies(Workspace(folder))] == [new, other]
    assert [folder.study_name for folder in Workspace(folders[0]).study_folders()] == [new]
    stages = query(
        store,
        "select distinct value, lifecycle_stage from runs join tags using (run_uuid) where key = 'sweeps.study'",
    )
    assert sorted(stages) == sorted([(old, "deleted"), (new, "active"), (other, "active")])
