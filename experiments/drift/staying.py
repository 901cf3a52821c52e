"""What it would have cost to leave a hyperparameter where it was: the price of staying.

The best value of a hyperparameter wanders without any drift: where the score is flat, one value is as good as another,
and what did best once is tried first in every later study. So it counts as moved only by score: in the later half of
the studies, how much worse is the best trial that kept it within what did best in the earlier half than the best trial?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.drift.night import Hyperparameter, Night


@dataclass(frozen=True, slots=True)
class Region:
    """Values of a hyperparameter in the best tenths of some studies: from one number to another, or a set of texts."""

    values: tuple[Hyperparameter, ...]

    @classmethod
    def of(cls, nights: Sequence[Night], name: str) -> Region:
        """What did best; empty where no study has this hyperparameter."""
        found = {tried.params[name] for night in nights for tried in night.best_tenth if name in tried.params}
        return cls(tuple(sorted(found, key=lambda value: (isinstance(value, str), value))))

    @property
    def in_words(self) -> str:
        """ "0.01 to 0.3", "relu, tanh"; "" where it is empty."""
        if not self.values or isinstance(self.values[0], str):
            return ", ".join(map(str, self.values))
        low, high = (f"{value:.3g}" for value in (self.values[0], self.values[-1]))
        return low if low == high else f"{low} to {high}"

    def holds(self, value: Hyperparameter) -> bool:
        """Whether a value is one of the texts, or between the numbers."""
        if isinstance(value, str) or not self.values:
            return value in self.values
        low, high = self.values[0], self.values[-1]
        return not isinstance(low, str) and not isinstance(high, str) and low <= value <= high


def halves(nights: Sequence[Night]) -> tuple[Sequence[Night], Sequence[Night]]:
    """The earlier half and the later one, which has one more of an odd number."""
    middle = len(nights) // 2
    return nights[:middle], nights[middle:]


def prices(earlier: Sequence[Night], later: Sequence[Night], name: str) -> list[float]:
    """Of each later study that tried what did best in the earlier ones; in the objective's units, never negative."""
    region = Region.of(earlier, name)
    kept = [[t.cost for t in night.tried if name in t.params and region.holds(t.params[name])] for night in later]
    return [max(0.0, min(costs) - night.best.cost) for costs, night in zip(kept, later, strict=True) if costs]
