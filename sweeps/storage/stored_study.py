"""A study as its storage holds it: its trials and what is noted about it, durably."""

from dataclasses import dataclass
from typing import Any

from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from engine.objectives import Objective
from sweeps.configuration.search_space import SearchSpace
from sweeps.storage.journal import Journal
from sweeps.storage.study_attributes import StudyAttributes, key_of
from sweeps.trials.stored_trial import StoredTrial, ranked


@dataclass(frozen=True, slots=True)
class StoredStudy:
    """One study in a storage."""

    storage: BaseStorage
    study_id: int
    name: str

    @classmethod
    def create(cls, storage: BaseStorage, name: str, attributes: StudyAttributes) -> "StoredStudy":
        """A new study, which minimizes or maximizes its objective."""
        is_higher_better = Objective(attributes.objective).is_higher_better
        direction = StudyDirection.MAXIMIZE if is_higher_better else StudyDirection.MINIMIZE
        try:
            study_id = storage.create_new_study([direction], name)
        except DuplicatedStudyError:  # another folder's, in a database, begun within the same second
            return cls.create(storage, f"{name}-2", attributes)
        stored = cls(storage, study_id, name)
        for key, value in attributes.to_storage().items():
            storage.set_study_user_attr(study_id, key, value)
        stored.sync()
        return stored

    @classmethod
    def all_of(cls, storage: BaseStorage, sweep_name: str | None = None) -> list["StoredStudy"]:
        """Studies of this product (of one sweep, if named), the newest last."""
        found = []
        for study in storage.get_all_studies():
            attributes = StudyAttributes.read(study.user_attrs)
            if attributes is not None and sweep_name in (None, attributes.name):
                found.append(cls(storage, storage.get_study_id_from_name(study.study_name), study.study_name))
        return sorted(found, key=lambda stored: stored.study_id)

    @property
    def attributes(self) -> StudyAttributes:
        """What is noted about the study, read anew each time."""
        attributes = StudyAttributes.read(self.storage.get_study_user_attrs(self.study_id))
        assert attributes is not None, "only our own studies are opened"
        return attributes

    def set_attribute(self, name: str, value: Any) -> None:  # noqa: ANN401  # anything JSON can hold
        """Change one of `StudyAttributes`, durably."""
        self.storage.set_study_user_attr(self.study_id, key_of(name), value)
        self.sync()

    def sync(self) -> None:
        """Return when everything written so far would survive a power cut; a database does so at every write."""
        if isinstance(self.storage, Journal):
            self.storage.sync()

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials by number, as Optuna has them."""
        return self.storage.get_all_trials(self.study_id, deepcopy=False)

    def leaderboard(self, space: SearchSpace | None = None) -> list[StoredTrial]:
        """All trials, best first, see `ranked`; read in the space of the study, unless another is given."""
        attributes = self.attributes
        space = space or attributes.space
        return ranked((StoredTrial.read(trial, space) for trial in self.trials), Objective(attributes.objective))

    def ended_trials(self, space: SearchSpace | None = None) -> list[StoredTrial]:
        """Those that are over for good, best first.

        What an early end cut is run again up to there where a kill came before the winner, and else never.
        """
        is_cut_over = self.attributes.early_end is None or self.has_ended
        trials = self.leaderboard(space)
        return [trial for trial in trials if trial.has_ended or (is_cut_over and trial.state.is_finished())]

    @property
    def has_ended(self) -> bool:
        """Whether all of it is done, with a winner or without."""
        return self.attributes.state in ("FINISHED", "FAILED")
