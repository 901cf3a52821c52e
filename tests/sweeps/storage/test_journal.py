import os

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState

from sweeps.storage.journal import Journal


def written(journal):
    study_id = journal.create_new_study([StudyDirection.MINIMIZE], "study")
    trial_id = journal.create_new_trial(study_id)
    journal.set_trial_intermediate_value(trial_id, 10, 0.5)
    journal.set_trial_user_attr(trial_id, "best_iteration", 10)
    journal.set_trial_state_values(trial_id, TrialState.COMPLETE, [0.5])


def test_it_waits_for_the_disk_when_told_and_only_if_something_is_new(tmp_path, monkeypatch):
    waited = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (waited.append(os.fstat(descriptor).st_ino), fsync(descriptor)))
    journal = Journal(tmp_path / "journal.log")
    written(journal)
    assert waited == []
    journal.sync()
    journal.sync()
    file, folder = (os.stat(path).st_ino for path in (tmp_path / "journal.log", tmp_path))
    assert waited == [folder, file]  # a new file's name too
    journal.set_study_user_attr(0, "sweeps.state", "FINISHED")
    journal.sync()
    assert waited == [folder, file, file]


def test_optuna_reads_what_we_write_and_we_go_on_with_what_it_writes(tmp_path):
    path = tmp_path / "journal.log"
    written(Journal(path))
    theirs = JournalStorage(JournalFileBackend(str(path)))
    assert optuna.load_study(study_name="study", storage=theirs).trials[0].intermediate_values == {10: 0.5}
    theirs.set_study_user_attr(0, "note", "from a dashboard")
    ours = Journal(path)
    assert ours.get_study_user_attrs(0) == {"note": "from a dashboard"}
    assert [trial.value for trial in ours.get_all_trials(0)] == [0.5]
