"""A stored study: found again with all that was noted about it, whichever storage it is in."""

from dataclasses import asdict, replace

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection

from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_attributes import EarlyEnd, StudyAttributes
from tests.sweeps.support.small_sweep import new_study
from tests.sweeps.support.storages import reopened

pytestmark = pytest.mark.usefixtures("quiet_optuna")


def test_a_study_is_found_again_with_its_attributes(place):
    attributes = StudyAttributes(name="small", search={"depth": [1, 2]}, n_trials=3, started_at=1.5, state="X")
    stored = StoredStudy.create(place.open(), "small/1", attributes)
    assert reopened(place).name == stored.name
    assert reopened(place).attributes == attributes
    end = EarlyEnd(7, "the sweep's time was over")
    stored.set_attribute("early_end", asdict(end))
    assert reopened(place).attributes == replace(attributes, early_end=end)


def test_studies_come_in_the_order_they_began_and_those_of_others_are_left_out(place):
    storage = place.open()
    for name in ("small/2", "small/1"):
        new_study(storage, name)
    optuna.create_study(storage=storage, study_name="somebody else's")
    StoredStudy.create(storage, "other/1", StudyAttributes(name="other"))
    assert [study.name for study in StoredStudy.all_of(storage, "small")] == ["small/2", "small/1"]
    assert [study.name for study in StoredStudy.all_of(storage)] == ["small/2", "small/1", "other/1"]


def test_a_study_whose_creation_was_cut_short_is_nobodys_study():
    class CutShortError(Exception):
        pass

    class CutsShort(InMemoryStorage):
        def set_study_user_attr(self, study_id, key, value):
            if self.n_left == 0:
                raise CutShortError("cut short")
            self.n_left -= 1
            super().set_study_user_attr(study_id, key, value)

    storage = CutsShort()
    attributes = StudyAttributes(name="small", fingerprint="f")
    n_attributes = len(attributes.to_storage())
    for n_written in range(n_attributes):
        storage.n_left = n_written
        with pytest.raises(CutShortError, match="cut short"):
            StoredStudy.create(storage, f"small/{n_written}", attributes)
        assert StoredStudy.all_of(storage, "small") == [], f"after {n_written} attributes"
    storage.n_left = n_attributes
    whole = StoredStudy.create(storage, "small/whole", attributes)
    assert StoredStudy.all_of(storage, "small") == [whole]


def test_a_study_from_before_an_attribute_was_noted_is_read_without_it():
    storage = InMemoryStorage()
    study_id = storage.create_new_study([StudyDirection.MINIMIZE], "small/1")
    for key, value in {"sweeps.name": "small", "sweeps.started_at": 3.0, "sweeps.state": "RUNNING"}.items():
        storage.set_study_user_attr(study_id, key, value)
    (stored,) = StoredStudy.all_of(storage)
    assert stored.attributes == StudyAttributes(name="small", started_at=3.0)
