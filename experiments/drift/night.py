"""What is compared of one study: its trials, what they came to, and what the champion came to on its rows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from experiments.facts import CorrectedCost

BEST_SHARE = 0.1
LEAST_BEST = 3

Hyperparameter = float | str


@dataclass(frozen=True, slots=True)
class Tried:
    """One configuration and what it came to.

    Attributes:
        cost: The trial's value, with its sign changed where a higher one is better: lower is better.
        params: Name to value; texts are told apart, numbers are ordered.
        is_complete: Whether it was trained to its end; the pruner ended the others.
        is_remembered: Whether it did best in an earlier study and was tried again first (`StudyAttributes.remembered`).
    """

    cost: float
    params: Mapping[str, Hyperparameter]
    is_complete: bool = True
    is_remembered: bool = False


@dataclass(frozen=True, slots=True)
class ChampionScore:
    """What the champion came to on a night's sealed rows, as the verdict's document has it.

    Attributes:
        version: The champion's; with its digest it says whose score this is.
        rows: Digest of the rows.
        accuracy: Rows it got right, and all of them; None for a regression.
        loss: By how much its mean loss is above that of the night's model on the same rows, the deviation of that
            difference from row to row, and the number of rows; None where accuracy decides.
        what: The name of that loss.
    """

    version: str
    digest: str
    rows: str
    accuracy: tuple[int, int] | None
    loss: tuple[float, float, int] | None
    what: str


@dataclass(frozen=True, slots=True)
class Night:
    """One study that has ended.

    Attributes:
        tried: Its trials with a value, best first, at least one of them complete.
        corrected: Its best value corrected for having been chosen, as a cost; None where it is not on record.
        importances: PED-ANOVA; empty where trials are too few.
        seconds_per_iteration: Median over its trials; None where it is not on record.
        champion: None where no verdict was reached against a champion.
    """

    study: str
    started_at: float
    machine: str
    tried: Sequence[Tried]
    corrected: CorrectedCost | None = None
    importances: Mapping[str, float] = field(default_factory=dict)
    seconds_per_iteration: float | None = None
    champion: ChampionScore | None = None

    @property
    def best(self) -> Tried:
        """The best complete trial."""
        return next(tried for tried in self.tried if tried.is_complete)

    @property
    def best_tenth(self) -> list[Tried]:
        """The best tenth of the complete trials, three at least where there are so many."""
        complete = [tried for tried in self.tried if tried.is_complete]
        return complete[: max(LEAST_BEST, round(BEST_SHARE * len(complete)))]

    @property
    def indifference(self) -> float:
        """What separates the best trial from the middle of the best tenth."""
        return statistics.median(tried.cost for tried in self.best_tenth) - self.best.cost

    @property
    def price_of_memory(self) -> float | None:
        """How much worse the best earlier configuration, trained again, is than the best trial; None without one."""
        costs = [tried.cost for tried in self.tried if tried.is_remembered]
        return min(costs) - self.best.cost if costs else None
