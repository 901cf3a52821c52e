"""What `status` says of a folder in which not everything can be read."""

import json

from typer.testing import CliRunner

from sweeps.cli import app
from sweeps.doctor.examination import examine
from tests.sweeps.support.written_study import WrittenStudy


def test_a_damaged_journal_is_named_and_the_other_sweeps_are_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace = WrittenStudy(tmp_path, 3).write()
    WrittenStudy(tmp_path, 3, name="spoilt/20261121-101112").write()
    journal = workspace.journal("spoilt")
    journal.write_bytes(journal.read_bytes().replace(b'"op_code":0,', b'"op_code":9,', 1))

    done = CliRunner().invoke(app, ["status"])
    assert done.exit_code == 2
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["study", WrittenStudy.name]
    assert f"{journal} line 1: damaged" in done.stderr
    assert done.stderr.count("\n") == 1

    document = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
    assert [study["name"] for study in document["studies"]] == [WrittenStudy.name]
    assert "damaged" in document["unreadable"][0]


def test_a_study_whose_folder_somebody_deleted_is_not_listed_and_the_doctor_says_what_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace = WrittenStudy(tmp_path, 3).write()
    other = WrittenStudy(tmp_path, 2, name="other/20261121-101112").write()
    (study,) = workspace.study_folders("made")
    study.remove()
    done = CliRunner().invoke(app, ["status", "--json"])
    assert [found["name"] for found in json.loads(done.stdout)["studies"]] == ["other/20261121-101112"]
    assert json.loads(done.stdout)["unreadable"] == []
    said = " ".join(map(str, examine(other, has_to_mend=False)))
    assert "its 3 trials are still in the journal" in said
    assert f"delete {study.study_name}" in said
