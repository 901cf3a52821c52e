"""What a study in a storage says of itself, besides its trials."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from sweeps.configuration.search_space import SearchSpace

_PREFIX = "sweeps."


@dataclass(frozen=True, slots=True)
class EarlyEnd:
    """That a sweep ends before all its trials have: after how many rungs, in the order of the schedule, and why."""

    n_applied: int
    reason: str


@dataclass(frozen=True, slots=True)
class StudyAttributes:
    """User attributes of a study; in the storage their names begin with `sweeps.`.

    Attributes:
        name: The sweep's.
        fingerprint: Identity of configuration and data, see `Config.fingerprint`.
        machine, engine, optuna: What the study began with; "" where it began before that was noted.
        search: The `SearchSpace`, as JSON; `[search]` alone where the study began before there were recipes.
        objective: What its trials are judged by.
        remembered: Configurations of earlier sweeps to try first, as `[[enqueue]]` tables; decided when it begins.
        trials_in_flight: How many its schedule has; 0 before that is decided.
        n_trials: How many the sweep is to have, those of earlier runs included.
        started_at: Unix time, seconds.
        lease: In a database, who is at work on the study (`study_lease.py`); "" is nobody.
        early_end: None while the sweep has not ended early.
        state: RUNNING, FINISHED or FAILED (no trial succeeded). Written last: it makes a study one of ours.
    """

    name: str
    fingerprint: str = ""
    machine: str = ""
    engine: str = ""
    optuna: str = ""
    search: Mapping[str, Any] = field(default_factory=dict)
    objective: str = "cost"
    remembered: list[dict[str, Any]] = field(default_factory=list)
    trials_in_flight: int = 0
    n_trials: int = 0
    started_at: float = 0.0
    lease: str = ""
    early_end: EarlyEnd | None = None
    state: str = "RUNNING"

    @classmethod
    def read(cls, attributes: Mapping[str, Any]) -> Self | None:
        """From a study's user attributes; None where it is not one of ours, or not wholly created."""
        if key_of("state") not in attributes:
            return None
        found = {name: attributes[key] for name in _names() if (key := key_of(name)) in attributes}
        if found.get("early_end") is not None:
            found["early_end"] = EarlyEnd(**found["early_end"])
        return cls(**found)

    def to_storage(self) -> dict[str, Any]:
        """As user attributes, in the order in which they are to be written; what is None is left out."""
        return {key_of(name): value for name, value in asdict(self).items() if value is not None}

    @property
    def space(self) -> SearchSpace:
        """The search space, checked."""
        return SearchSpace.model_validate(self.search)


def key_of(name: str) -> str:
    """The storage's name of an attribute."""
    assert name in _names(), name
    return f"{_PREFIX}{name}"


def _names() -> list[str]:
    return [item.name for item in fields(StudyAttributes)]
