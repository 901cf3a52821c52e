"""The configurations of a search space: which hyperparameters they have, whether they can be counted, and how many."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from sweeps.configuration.config import Config
from sweeps.configuration.search_space import SearchSpace
from sweeps.trials.space import suggest

Values = Callable[[str, BaseDistribution], Sequence[Any]]
"""Which values of a hyperparameter a walk through the space tries."""


@dataclass(frozen=True, slots=True)
class Space:
    """The hyperparameters that are searched, with their distributions.

    Attributes:
        common: Those that every trial has.
        all: Also those that only some have, as the width of a fourth layer.
    """

    common: dict[str, BaseDistribution]
    all: dict[str, BaseDistribution]

    @property
    def is_finite(self) -> bool:
        """Whether its configurations can be counted: no hyperparameter is searched over a range of reals."""
        return not any(isinstance(item, FloatDistribution) for item in self.all.values())


def space_of(search: SearchSpace) -> Space:
    """The hyperparameters with more than one value, whatever the depth and the choices of a trial."""

    def values(name: str, distribution: BaseDistribution) -> Sequence[Any]:
        if isinstance(distribution, CategoricalDistribution):
            return distribution.choices
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        return (distribution.low, distribution.high) if name == "depth" else (distribution.low,)

    every = [
        {name: item for name, item in distributions.items() if not item.single()}
        for distributions in _walks(search, values)
    ]
    union = {name: item for distributions in every for name, item in distributions.items()}
    return Space({name: union[name] for name in union if all(name in some for some in every)}, union)


def n_configurations(search: SearchSpace, at_most: int) -> int | None:
    """How many configurations the space has; None where they are more than `at_most` or cannot be counted."""
    if not space_of(search).is_finite:
        return None

    def values(name: str, distribution: BaseDistribution) -> Sequence[Any]:
        if isinstance(distribution, CategoricalDistribution):
            return distribution.choices
        if isinstance(distribution, IntDistribution):
            return range(distribution.low, distribution.high + 1, distribution.step)
        assert isinstance(distribution, FloatDistribution), name
        return (distribution.low,)

    n_found = sum(1 for _ in islice(_walks(search, values), at_most + 1))
    return n_found if n_found <= at_most else None


def n_trials_of(config: Config) -> int:
    """How many trials the sweep is to have: as many as were asked for, and no more than there are configurations."""
    return n_configurations(config.space, config.sweep.n_trials) or config.sweep.n_trials


def _walks(search: SearchSpace, values: Values) -> Iterator[dict[str, BaseDistribution]]:
    """All ways through the space that these values allow, as the hyperparameters that one meets on them."""
    way: list[int] | None = []
    while way is not None:
        walk = _Walk(way, values)
        suggest(walk, search)
        yield walk.met
        way = walk.next_way()


class _Walk(FixedTrial):
    """One way through the space: at each hyperparameter the value with the given index, the first beyond them."""

    def __init__(self, way: Sequence[int], values: Values) -> None:
        super().__init__({})
        self._way = way
        self._values = values
        self._taken: list[tuple[int, int]] = []  # index of the value, and of how many
        self.met: dict[str, BaseDistribution] = {}

    def next_way(self) -> list[int] | None:
        """The way that differs in the last hyperparameter that has another value; None after the last way."""
        indices = [index for index, _ in self._taken]
        for position in reversed(range(len(indices))):
            if indices[position] + 1 < self._taken[position][1]:
                return [*indices[:position], indices[position] + 1]
        return None

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """As the interface says."""
        return float(self._take(name, FloatDistribution(low, high, log=log, step=step)))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """As the interface says."""
        return int(self._take(name, IntDistribution(low, high, log=log, step=step)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:  # noqa: ANN401  # one of the choices
        """As the interface says."""
        return self._take(name, CategoricalDistribution(choices))

    def _take(self, name: str, distribution: BaseDistribution) -> Any:  # noqa: ANN401  # a parameter's value
        values = self._values(name, distribution)
        position = len(self._taken)
        index = self._way[position] if position < len(self._way) else 0
        self._taken.append((index, len(values)))
        self.met[name] = distribution
        return values[index]
