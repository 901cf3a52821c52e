"""What was removed, and what stays although the retention does not reach it: for JSON and for a person."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

from experiments.errors import how_many


@dataclass(frozen=True, slots=True)
class Removed:
    """A study that is gone, or would be.

    Attributes:
        ended_at: Unix time, seconds.
        n_trials: In its storage.
        n_versions, n_runs: In MLflow.
        n_bytes: Of its files here and of MLflow's, as far as they are on this machine.
    """

    study: str
    ended_at: float
    n_trials: int
    n_versions: int
    n_runs: int
    n_bytes: int


@dataclass(slots=True)
class Pruned:
    """All of one command.

    Attributes:
        stays: Studies (or a sweep) that the retention does not reach and that stay, and why.
        n_bytes_of_journal: By which journals became shorter.
    """

    is_dry: bool
    removed: list[Removed] = field(default_factory=list)
    stays: dict[str, str] = field(default_factory=dict)
    n_bytes_of_journal: int = 0

    def __iadd__(self, other: "Pruned") -> Self:
        self.removed += other.removed
        self.stays |= other.stays
        self.n_bytes_of_journal += other.n_bytes_of_journal
        return self

    @property
    def n_bytes(self) -> int:
        """All that is free now; a database keeps its size, and uses the room again."""
        return sum(study.n_bytes for study in self.removed) + self.n_bytes_of_journal

    def to_dict(self) -> dict[str, Any]:
        """For `prune --json`."""
        return {
            "is_dry_run": self.is_dry,
            "removed": [asdict(study) for study in self.removed],
            "stays": self.stays,
            "n_bytes": self.n_bytes,
        }

    def in_words(self) -> str:
        """A line a study, and what it comes to."""
        verb = "would remove" if self.is_dry else "removed"
        lines = [
            f"{verb} {study.study}: {how_many(study.n_trials, 'trial')}, "
            f"{how_many(study.n_versions, 'model version')}, {how_many(study.n_runs, 'run')} in MLflow, "
            f"{_megabytes(study.n_bytes)}"
            for study in self.removed
        ]
        lines += [f"stays    {name}: {why}" for name, why in self.stays.items()]
        return "\n".join([*lines, self.in_short()])

    def in_short(self) -> str:
        """One line."""
        verb = "would be removed" if self.is_dry else "removed"
        return f"{how_many(len(self.removed), 'study', 'studies')} {verb}, {_megabytes(self.n_bytes)}."


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.2f} MB"
