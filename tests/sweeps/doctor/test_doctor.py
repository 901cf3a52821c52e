"""Folders with something wrong in them, and what the doctor says and does about it."""

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from experiments.delivery import deliver
from experiments.outbox import Outbox
from sweeps.doctor import machine
from sweeps.doctor.examination import examine
from sweeps.doctor.finding import Verdict, exit_code_of
from sweeps.results.status import all_studies
from sweeps.storage.journal import Journal
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_lease import place_of
from sweeps.storage.workspace import Workspace
from tests.support.sql import query
from tests.sweeps.support.command_line import CommandLine
from tests.sweeps.support.small_sweep import new_study
from tests.sweeps.support.written_study import WrittenStudy

NAME = WrittenStudy.name


@pytest.fixture
def folder(tmp_path, with_store):
    """An own folder with an empty mlflow.db."""
    return with_store(tmp_path / "work")


def told(workspace, *, has_to_mend=False):
    """What is to be done and where, of all findings but notes; the exit code."""
    findings = examine(workspace, has_to_mend=has_to_mend)
    serious = [finding for finding in findings if finding.verdict is not Verdict.NOTE]
    assert all(finding.fix for finding in serious if finding.verdict is not Verdict.MENDED), "each says what to type"
    return [(finding.verdict.value, finding.place, finding.what) for finding in serious], exit_code_of(findings)


def content(folder):
    """All files of a folder but SQLite's and locks, with their bytes."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.suffix not in (".lock", ".db-wal", ".db-shm")}


def statuses(folder):
    """Of the runs in MLflow."""
    return sorted(status for (status,) in query(f"sqlite:///{folder}/mlflow.db", "select status from runs"))


def delivered(workspace):
    """Everything of the study is in MLflow."""
    assert deliver(Outbox(workspace.study_folder(NAME).outbox), workspace.tracking_uri()).error is None


def test_a_sound_folder_is_sound_and_nothing_is_written(folder):
    workspace = WrittenStudy(folder, 4).write()
    delivered(workspace)
    before = content(folder)
    assert told(workspace) == ([], 0)
    assert content(folder) == before
    assert told(workspace, has_to_mend=True) == ([], 0)


def test_a_killed_study_is_shown_as_killed_in_mlflow_and_can_still_go_on(folder):
    workspace = WrittenStudy(folder, 4, has_ended=False).write()
    delivered(workspace)
    assert statuses(folder).count("RUNNING") == 1
    what = "was killed, and MLflow shows it as running."
    assert told(workspace) == ([("mendable", NAME, what)], 2)
    assert statuses(folder).count("RUNNING") == 1
    findings, exit_code = told(workspace, has_to_mend=True)
    assert (findings[0], exit_code) == (("mended", NAME, what), 0)
    assert statuses(folder).count("KILLED") == 1
    assert "RUNNING" not in statuses(folder)
    assert not all_studies(workspace)[0].has_ended
    assert told(workspace) == ([], 0)


def test_what_is_pending_is_delivered(folder):
    workspace = WrittenStudy(folder, 3).write()
    assert told(workspace) == ([("mendable", NAME, "5 facts are not in MLflow yet.")], 2)
    assert told(workspace, has_to_mend=True) == ([("mended", NAME, "5 facts are not in MLflow yet.")], 0)
    assert len(statuses(folder)) == 4


def test_a_run_that_is_alive_is_left_alone(folder):
    workspace = WrittenStudy(folder, 3, has_ended=False).write()
    workspace.study_folder(NAME).checkpoint.write_bytes(b"being written")
    with workspace.lease("made"):
        before = content(folder)
        assert told(workspace, has_to_mend=True) == ([], 0)
        assert content(folder) == before
    assert told(workspace)[1] == 2


def test_trials_that_run_in_a_study_that_has_ended_and_its_checkpoints_are_put_away(folder):
    workspace = WrittenStudy(folder, 3).write()
    delivered(workspace)
    journal = Journal(workspace.journal("made"))
    (study,) = StoredStudy.all_of(journal)
    asked = create_trial(
        state=TrialState.RUNNING,
        params=dict(study.trials[0].params),
        distributions=dict(study.trials[0].distributions) or {"learning_rate": FloatDistribution(0, 1)},
    )
    journal.create_new_trial(study.study_id, asked)
    its = workspace.study_folder(NAME)
    its.checkpoint.write_bytes(b"old")
    its.kept_trials.mkdir()
    findings, exit_code = told(workspace)
    assert ([finding[0] for finding in findings], exit_code) == (["mendable", "mendable"], 2)
    assert "trials 3 are still said to run" in findings[0][2]
    assert told(workspace, has_to_mend=True)[1] == 0
    (study,) = all_studies(workspace)
    (failed,) = [trial for trial in study.leaderboard() if trial.number == 3]
    assert (failed.state, failed.notes.reason) == (TrialState.FAIL, "The sweep ended without it.")
    assert not its.checkpoint.exists()
    assert its.kept_trials.exists()  # of the newest study, which goes on when more trials are asked for
    assert told(workspace) == ([], 0)


def test_fold_models_of_a_study_that_is_not_the_newest_are_put_away(folder):
    workspace = WrittenStudy(folder, 3).write()
    delivered(workspace)
    its = workspace.study_folder(NAME)
    its.kept_trials.mkdir()
    assert told(workspace) == ([], 0)
    workspace.study_folder("made/20991231-235959").create()
    assert [finding[0] for finding in told(workspace)[0]] == ["mendable"]
    assert told(workspace, has_to_mend=True)[1] == 0
    assert not its.kept_trials.exists()


def test_runs_that_mlflow_forgot_the_end_of_are_told_it_again(folder):
    workspace = WrittenStudy(folder, 3).write()
    delivered(workspace)
    before = statuses(folder)
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        database.execute("update runs set status = 'RUNNING'")  # as a backup of it may say
        database.commit()
    assert told(workspace) == ([("mendable", NAME, "has ended, and MLflow shows 4 of its runs as running.")], 2)
    assert told(workspace, has_to_mend=True)[1] == 0
    assert statuses(folder) == before


@pytest.mark.parametrize(
    ("file", "damage", "what"),
    [
        ("model.h5", lambda text: b"no HDF5", "cannot be read"),
    ],
)
def test_damaged_files_are_a_persons_to_restore_and_stay_as_they_are(folder, file, damage, what):
    workspace = WrittenStudy(folder, 3).write()
    delivered(workspace)
    path = workspace.study_folder(NAME).path / file
    path.write_bytes(damage(path.read_bytes() if path.exists() else b""))
    before = path.read_bytes()
    for has_to_mend in (False, True):
        findings, exit_code = told(workspace, has_to_mend=has_to_mend)
        assert ([finding[0] for finding in findings], exit_code) == (["person"], 2)
        assert what in findings[0][2]
    assert path.read_bytes() == before


def test_a_damaged_record_goes_on_without_its_damaged_lines_and_is_kept(folder):
    workspace = WrittenStudy(folder, 3).write()
    path = workspace.study_folder(NAME).outbox
    damaged = path.read_bytes().replace(b'"number":1,', b'"number":2,', 1)
    path.write_bytes(damaged)
    findings, exit_code = told(workspace)
    assert ([finding[0] for finding in findings], exit_code) == (["mendable", "mendable"], 2)
    assert "outbox.jsonl line 3: damaged. 4 facts are sound and can be delivered" in findings[0][2]
    assert findings[1][2] == "4 facts are not in MLflow yet."
    told(workspace, has_to_mend=True)
    assert told(workspace) == ([], 0)
    assert path.with_name("outbox.jsonl.damaged").read_bytes() == damaged
    assert len(statuses(folder)) == 3  # the study and the two trials whose facts are sound


def test_a_damaged_journal_goes_back_to_the_line_before_and_is_kept(folder):
    workspace = WrittenStudy(folder, 3).write()
    delivered(workspace)
    path = workspace.journal(NAME.partition("/")[0])
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:-1], lines[-1].replace(b'"', b"'", 1)])
    path.write_bytes(damaged)
    findings, exit_code = told(workspace)
    assert (findings[0][0], exit_code, path.read_bytes()) == ("mendable", 2, damaged)
    assert f"journal.log line {len(lines)}: damaged in {NAME}." in findings[0][2]
    told(workspace, has_to_mend=True)
    assert path.read_bytes().startswith(b"".join(lines[:-1]))
    assert told(workspace)[1] == 0
    assert path.with_name("journal.log.damaged").read_bytes() == damaged


@pytest.mark.parametrize(
    ("revision", "what"), [("451aebb31d03", "an older MLflow"), ("ffffffffffff", "a newer MLflow")]
)
def test_a_database_of_another_mlflow_is_told_and_not_touched(folder, revision, what):
    workspace = WrittenStudy(folder, 3, has_outbox=False).write()
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        database.execute("update alembic_version set version_num = ?", [revision])
        database.commit()
    findings, exit_code = told(workspace, has_to_mend=True)
    assert ([finding[:2] for finding in findings], exit_code) == ([("person", str(folder / "mlflow.db"))], 2)
    assert what in findings[0][2]
    assert query(f"sqlite:///{folder}/mlflow.db", "select version_num from alembic_version") == [(revision,)]


def test_a_database_that_is_none_is_told(folder):
    workspace = WrittenStudy(folder, 3, has_outbox=False).write()
    (folder / "mlflow.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    findings, exit_code = told(workspace)
    assert ([finding[0] for finding in findings], exit_code) == (["person"], 2)
    assert "cannot be read" in findings[0][2]


@pytest.mark.parametrize(("is_ours", "n_serious"), [(True, 1), (False, 0)])
def test_a_lease_in_a_database_is_given_back_only_where_a_run_of_this_folder_left_it(folder, is_ours, n_serious):
    workspace = WrittenStudy(folder, 3, has_outbox=False).write()
    url = f"sqlite:///{folder}/studies.db"
    its = workspace.study_folder("small/20261123-020000")
    its.create()
    its.keep_storage_url(url)
    stored = new_study(workspace.open_storage("small", url), "small/20261123-020000")
    place = place_of(workspace) if is_ours else "elsewhere:/work"
    stored.set_attribute("lease", f"token 17 {place}")
    assert told(workspace)[1] == (2 if is_ours else 0)
    findings, _ = told(workspace, has_to_mend=True)
    assert len(findings) == n_serious
    assert stored.attributes.lease == ("" if is_ours else f"token 17 {place}")


def test_a_full_disk_a_wrong_clock_and_a_small_container_are_told(folder, monkeypatch):
    workspace = WrittenStudy(folder, 3, has_outbox=False).write()
    monkeypatch.setattr(machine, "LEAST_FREE_BYTES", 1e18)
    monkeypatch.setattr(machine, "n_cores_seen", lambda: 16)
    monkeypatch.setattr(machine, "n_cores", lambda: 2)
    monkeypatch.setattr(machine, "cpu_quota", lambda: 2.5)
    future = workspace.study_folder(NAME).path / "report.html"
    future.touch()
    os.utime(future, (time.time() + 4000,) * 2)
    findings, exit_code = told(workspace)
    assert [(verdict, Path(place).name) for verdict, place, _ in findings] == [
        ("person", "work"),
        ("person", "report.html"),
    ]
    assert exit_code == 2
    notes = [str(finding) for finding in examine(workspace, has_to_mend=False) if finding.place == "processors"]
    assert notes == ["note      processors: 16 can be seen, and the container may use 2.5: 2 workers are started."]


def test_the_command_of_an_empty_folder_is_sound_and_writes_nothing(tmp_path):
    document = CommandLine(tmp_path).json("doctor")
    assert document["exit_code"] == 0
    assert {finding["verdict"] for finding in document["findings"]} <= {"note"}
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".sweeps" / "made").mkdir(parents=True)
    (tmp_path / ".sweeps" / "made" / "journal.log").write_text("no JSON\n{}\n")
    (tmp_path / ".sweeps" / "made" / "20261123-020000").mkdir()
    done = CommandLine(tmp_path).run("doctor", "--json")
    assert (done.returncode, json.loads(done.stdout)["exit_code"]) == (2, 2)


def test_a_folder_that_was_moved_is_told_and_its_record_follows(folder):
    workspace = WrittenStudy(folder, 3).write()
    delivered(workspace)
    moved = Workspace(folder.rename(folder.with_name("moved")))
    what = f"says that files beside it are still in {folder.as_uri()}, from where they were moved or copied."
    place = str(moved.directory / "mlflow.db")
    assert told(moved) == ([("mendable", place, what)], 2)
    assert told(moved, has_to_mend=True) == ([("mended", place, what)], 0)
    assert told(moved) == ([], 0)
