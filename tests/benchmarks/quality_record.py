"""What one contender did on one data set: a line of JSON, so that a benchmark that was stopped goes on where it was."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

Key = tuple[str, int, str, float]


@dataclass(frozen=True)
class Outcome:
    """One contender on one set with one seed.

    Attributes:
        size: The set's, in words.
        limit: Seconds it was given.
        seconds: What it took, from packages loaded to model refitted.
        processor_seconds: Of its whole process with all that it started, imports and predictions too.
        process_seconds: Wall time of the same.
        other_cores: How much of the machine others used meanwhile.
        validation: The winner's, mean over the folds: log-loss, or squared error in the target's units. None where no
            trial is complete.
        ensemble: The same of what is registered, out of fold; None where there is no ensemble.
        curve: Seconds and the best validation cost by then.
        test: Scores by name; the first is what contenders are compared by.
        losses: Of each test example, for paired intervals.
        error: Why there are no scores; "" if there are.
    """

    data: str
    task: str
    size: str
    seed: int
    contender: str
    limit: float
    seconds: float = float("nan")
    processor_seconds: float = float("nan")
    process_seconds: float = float("nan")
    other_cores: float = float("nan")
    n_trials: int = 0
    n_complete: int = 0
    n_failed: int = 0
    validation: float | None = None
    ensemble: float | None = None
    curve: tuple[tuple[float, float], ...] = ()
    params: Any = None
    test: dict[str, float] | None = None
    losses: tuple[float, ...] = ()
    error: str = ""

    @property
    def key(self) -> Key:
        """What makes it the same run."""
        return self.data, self.seed, self.contender, self.limit

    @property
    def score(self) -> float:
        """Log-loss or RMSE on the test set."""
        assert self.test is not None
        return next(iter(self.test.values()))


def read(path: Path) -> list[Outcome]:
    """All of a file, the newest of each key; none where there is no file. A line cut short by a kill is left out."""
    found: dict[Key, Outcome] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            outcome = Outcome(**json.loads(line))
        except json.JSONDecodeError:
            continue
        found[outcome.key] = outcome
    return list(found.values())


def append(path: Path, outcome: Outcome) -> None:
    """Add a line, after the end of one that a kill cut short."""
    is_cut = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * is_cut + json.dumps(asdict(outcome)) + "\n")


def scored(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those that have scores."""
    return [outcome for outcome in outcomes if outcome.test is not None]
