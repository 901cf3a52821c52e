"""Which examples are held out: at random, group by group, the latest, or those that a column names.

Groups (the patients of whom there are several rows each) stay together: new ones are what a model will meet. Along time
a fold trains on what was before the examples that it holds out, and on nothing that came after.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import InputError, how_many

Rows = NDArray[np.intp]


LEAST_GROUPS = 5
"""Groups of a test set below which nothing is stated of others: of four, 35 resamples differ, and one in 64 is one
group alone."""

_MOST_PARTS = 20  # of equal size, of which some are the second part of a split


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """What relates examples to each other, beside their features.

    Attributes:
        column: Its name.
        groups: Which group each belongs to, (m,) text.
        times: When each was, (m,) float64.
        folds: Which of the folds 0, 1, … holds each out, (m,); -1 is none of them. One of the three is given.
    """

    column: str
    groups: NDArray[np.str_] | None = None
    times: NDArray[np.float64] | None = None
    folds: Rows | None = None

    def of(self, rows: Rows) -> Relation:
        """That of some examples."""
        given = {name: getattr(self, name) for name in ("groups", "times", "folds")}
        return Relation(self.column, **{name: own[rows] for name, own in given.items() if own is not None})

    @property
    def values(self) -> NDArray[Any]:
        """Groups, times or folds, (m,)."""
        return next(own for own in (self.groups, self.times, self.folds) if own is not None)

    @property
    def codes(self) -> Rows:
        """Numbers 0, 1, … for the distinct groups or times in their order, (m,)."""
        return np.unique(self.values, return_inverse=True)[1].astype(np.intp)

    @property
    def n_distinct(self) -> int:
        """How many groups or times there are."""
        return len(np.unique(self.values))

    @property
    def words(self) -> str:
        """What is split: "groups of 'patient'"."""
        kind = "groups" if self.groups is not None else "folds" if self.folds is not None else "times"
        return f"{kind} of '{self.column}'"


@dataclass(frozen=True, slots=True)
class Split:
    """How examples are split in two.

    Attributes:
        fraction: Share of the second part.
        seed: Decides what chance decides.
        option: The key that holds the fraction, for messages.
        place: How messages name the examples.
    """

    fraction: float
    seed: int
    option: str
    place: str


def split_related(y: NDArray[Any] | None, relation: Relation, how: Split) -> tuple[Rows, Rows]:
    """Split examples in two so that no group is in both parts, or so that the second part is the latest.

    Args:
        y: Class codes, (m,), for parts with like shares of the classes; None for a regression.
        relation: Of the m examples.
        how: Its fraction is met nearly, because groups and moments are not cut.

    Returns:
        Sorted row numbers of the first and of the second part.

    Raises:
        InputError: There are too few groups or times.
    """
    codes, fraction = relation.codes, how.fraction
    if codes.max() < 1:
        raise InputError(
            f"{how.place}: all examples have one value of '{relation.column}', and {how.option} = {fraction} splits "
            "by it.",
            "There must be two at least.",
            f"Name another column, or give both parts as files and remove '{relation.column}'.",
        )
    if relation.groups is None:
        before = np.cumsum(np.bincount(codes))[:-1]  # how many examples would be in the first part
        cut = int(np.abs(before - (1 - fraction) * len(codes)).argmin())
        return np.flatnonzero(codes <= cut), np.flatnonzero(codes > cut)
    from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold

    parts = Fraction(fraction).limit_denominator(min(_MOST_PARTS, int(codes.max()) + 1))
    if y is None or not 0 < parts < 1:
        first, second = next(GroupShuffleSplit(1, test_size=fraction, random_state=how.seed).split(codes, y, codes))
        return np.sort(first), np.sort(second)
    splitter = StratifiedGroupKFold(parts.denominator, shuffle=True, random_state=how.seed)
    held = [second for _, second in splitter.split(codes, y, codes)][: parts.numerator]
    second = np.sort(np.concatenate(held))
    return np.setdiff1d(np.arange(len(codes)), second), second


def related_folds(
    y: NDArray[Any] | None, relation: Relation, folds: int, seed: int, place: str
) -> tuple[list[Rows], list[Rows]]:
    """What each fold trains on and what it holds out; along time, what comes later is neither.

    Raises:
        InputError: There are too few groups or times, or a fold that is given leaves nothing to train on.
    """
    if relation.folds is not None:
        return _given_folds(relation.folds, relation.column, place)
    codes, n = relation.codes, relation.n_distinct
    is_time = relation.groups is None
    if n < folds + is_time:
        folds_that_fit = f"folds = {n - is_time} or " if n - is_time >= 2 else ""
        fix = f"Write {folds_that_fit}validation_fraction = 0.2 in its place."
        raise InputError(
            f"{place}: {n} {relation.words} for folds = {folds}.",
            "Each fold holds out others" + (", and the first trains on some before." if is_time else "."),
            fix if n > 1 else "Add others, or name another column.",
        )
    if is_time:
        from sklearn.model_selection import TimeSeriesSplit

        parts = list(TimeSeriesSplit(folds).split(np.arange(n)))
        return (
            [np.flatnonzero(np.isin(codes, train)) for train, _ in parts],
            [np.flatnonzero(np.isin(codes, held)) for _, held in parts],
        )
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    splitter = (GroupKFold if y is None else StratifiedGroupKFold)(folds, shuffle=True, random_state=seed)
    parts = list(splitter.split(codes, y, codes))
    if min(len(held) for _, held in parts) == 0:
        raise InputError(
            f"{place}: folds = {folds} leaves a fold without examples, because some {relation.words} are so large.",
            "Each fold holds out whole groups.",
            "Write fewer folds.",
        )
    return [train for train, _ in parts], [held for _, held in parts]


def refuse_repeats(relation: Relation, repeats: int, place: str) -> None:
    """Refuse folds that would be the same again: along time, and those that are given.

    Raises:
        InputError: They would.
    """
    if relation.groups is None:
        key = "time" if relation.folds is None else "fold"
        raise InputError(
            f"{place}: repeats = {repeats}, and {key} = '{relation.column}'.",
            "Folds are repeated with other examples in each, and these are the same every time.",
            "Remove repeats.",
        )


def _given_folds(folds: Rows, column: str, place: str) -> tuple[list[Rows], list[Rows]]:
    """What each fold trains on and what it holds out, where the examples say which fold that is."""
    held = [np.flatnonzero(folds == fold) for fold in np.unique(folds[folds >= 0]).tolist()]
    if not held or len(held[0]) == len(folds):
        raise InputError(
            f"{place}: all examples have one value of '{column}', and fold = '{column}' holds out value by value.",
            "There must be two values, or some rows without one, which are trained on in every fold.",
            "Name another column, or remove fold.",
        )
    return [np.setdiff1d(np.arange(len(folds)), part) for part in held], held


def groups_of(relation: Relation | None) -> Rows | None:
    """Which of the groups 0, 1, … each example belongs to, (m,); None where examples belong to none."""
    return None if relation is None or relation.groups is None else relation.codes


def sealed_in_words(relation: Relation, held: Rows, place: str) -> str:
    """Which part of the examples is the test set."""
    rows = f"{len(held):,} of {how_many(len(relation.values), 'example')}"
    if relation.folds is not None:
        n_always = int((relation.folds < 0).sum())
        always = f", {how_many(n_always, 'example is', 'examples are')} in none" if n_always else ""
        return f"{place}: folds are those of '{relation.column}'{always}; the test set is {rows}, at random."
    if relation.groups is None:
        return f"{place}: the test set is the latest by '{relation.column}', {rows}."
    n_held = relation.of(held).n_distinct
    which = f"{n_held} of {relation.n_distinct} {relation.words}"
    intervals = "intervals are those of groups" if n_held >= LEAST_GROUPS else "too few to state intervals"
    return f"{place}: the test set is {which}, {rows}; {intervals}."


def shared_groups(train: Relation | None, test: Relation | None, place: str) -> list[str]:
    """What a person should know of a test set that was split off elsewhere: groups that were trained on, or times."""
    if train is None or test is None:
        return []
    if train.groups is not None:
        shared = np.intersect1d(train.values, test.values)
        if len(shared):
            return [
                f"{place}: {len(shared)} of its {test.n_distinct} {test.words} {'is' if len(shared) == 1 else 'are'} "
                "in the training examples too, so test scores are too good for new ones."
            ]
    elif train.times is not None and test.values.min() <= train.values.max():
        n = int((test.values <= train.values.max()).sum())
        return [
            f"{place}: {n} of its {len(test.values)} examples {'is' if n == 1 else 'are'} no later than the last "
            f"training example by '{test.column}', so test scores say less of what is to come."
        ]
    return []
