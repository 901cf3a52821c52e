"""Two models on the same rows: what is kept of them, and how sure it makes that the challenger is better.

Gains are the champion's loss minus the challenger's, row by row; positive where the challenger is better. Where rows
belong to groups, as a patient's, chance draws groups: then a gain is a group's. What is kept is enough to repeat every
test bit for bit, and tells nothing about single rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.splits import Relation, groups_of

ACCURACY = "accuracy"
"""The objective that asks of each row whether it is right; every other one is a loss."""

ROWS = "rows"

MOST_RESAMPLED = 8_000
"""Rows up to which gains are kept and resampled; of more, Student's t has their mean and deviation."""

LEAST_ROWS = 100
"""Rows below which the tail of a mean says nothing."""

N_CLASSES_KEPT = 100
"""Classes whose counts are kept, those that the challenger does worst on: a document has a limited length."""

POWER = 0.8
_ENOUGH_EXCEEDANCES = 20
_RESAMPLES_PER_ALPHA = 4
_BATCH_ELEMENTS = 1_000_000  # resampled values held at once
_LONGEST_NAME = 100
_ROUNDING = 1e-12
_LARGEST_GAIN = 1e15  # float32 holds its square


class Counts(NamedTuple):
    """The 2 x 2 table of two models that are right or wrong on the same rows."""

    both: int
    only_champion: int
    only_challenger: int
    neither: int

    @property
    def discordant(self) -> int:
        """Rows that tell the two apart."""
        return self.only_champion + self.only_challenger


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a model made of m rows.

    Attributes:
        losses: (m,), of each row; finite.
        is_right: (m,), None for a regression.
    """

    losses: NDArray[np.float64]
    is_right: NDArray[np.bool_] | None


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Sufficient statistics of a comparison.

    Attributes:
        objective: "accuracy", or the name of the loss.
        total: Of all rows; None for a regression.
        classes: By class, of those that the challenger does worst on; of groups, where rows belong to some: which of
            the two is right on more of a group's rows of the class, "both" where neither is.
        n_classes: How many classes there are.
        gains: Sorted, float32, (n_rows,); None where counts of rows decide, or of more than `MOST_RESAMPLED`.
        mean, deviation: Of the gains (n - 1 degrees of freedom); nan where counts of rows decide.
        unit: What `n_rows` counts: "rows", or what the rows belong to, as "groups of 'patient'".
    """

    objective: str
    n_rows: int
    total: Counts | None
    classes: Mapping[str, Counts]
    n_classes: int
    gains: NDArray[np.float32] | None
    mean: float
    deviation: float
    unit: str = ROWS

    @property
    def hits_of_champion(self) -> tuple[int, int] | None:
        """Rows that the champion got right, and all rows, whatever `n_rows` counts; None for a regression."""
        return None if self.total is None else (self.total.both + self.total.only_champion, sum(self.total))

    @classmethod
    def of(
        cls,
        objective: str,
        champion: Scored,
        challenger: Scored,
        y: NDArray[Any],
        class_names: tuple[str, ...],
        relation: Relation | None = None,
    ) -> Evidence:
        """Compare what the two made of the same rows.

        Args:
            objective: What decides: "accuracy", or the name of `Scored.losses`.
            champion, challenger: On the same m rows.
            y: Class codes (m,); of a regression it is not looked at.
            class_names: What the codes mean; empty for a regression.
            relation: Of the same rows; only groups matter.
        """
        total, classes = None, {}
        groups = groups_of(relation)
        if champion.is_right is not None and challenger.is_right is not None:
            total = _counts(champion.is_right, challenger.is_right)
            by_class = {
                name[:_LONGEST_NAME]: _counts_of(y == code, champion.is_right, challenger.is_right, groups)
                for code, name in enumerate(class_names)
            }
            worst = sorted(by_class, key=lambda name: (p_of_worse(by_class[name]), name))
            classes = {name: by_class[name] for name in worst[:N_CLASSES_KEPT]}
        differences = np.clip(champion.losses - challenger.losses, -_LARGEST_GAIN, _LARGEST_GAIN)
        unit = ROWS
        if relation is not None and groups is not None:
            unit = relation.words
            of_groups = np.bincount(groups, weights=differences)
            differences = of_groups * len(of_groups) / max(1, len(differences))  # their mean is that of the rows
        gains, mean, deviation = None, math.nan, math.nan
        if objective != ACCURACY or unit != ROWS:
            every = np.sort(differences).astype(np.float32)
            mean, deviation = moments(every)
            gains = every if len(every) <= MOST_RESAMPLED else None
        return cls(objective, len(differences), total, classes, len(class_names), gains, mean, deviation, unit)


@dataclass(frozen=True, slots=True)
class TestResult:
    """How sure rows make that the challenger is better.

    Attributes:
        improvement: By how much it is better on these rows, in the objective's units.
        p_value: One-sided; of models that are equally good at most alpha of such comparisons have one of at most alpha.
        least_p_value: The smallest that rows like these could have given, whoever had won them; above alpha, nothing
            could be proved and nothing was tried.
        n_rows_needed: Rows that prove an improvement as large as this one, 4 times in 5; None where there is none.
    """

    __test__ = False  # no test case of pytest's

    name: str
    improvement: float
    p_value: float
    least_p_value: float
    n_rows_needed: int | None


def compare(evidence: Evidence, alpha: float, seed: int) -> TestResult:
    """Test whether the challenger is better: McNemar's test where accuracy of rows decides, otherwise on the gains.

    Args:
        evidence: At least one row.
        alpha: Where p-values matter: a bootstrap resamples as often as it takes to tell on which side of it p is.
        seed: Of the resamples.
    """
    if evidence.objective == ACCURACY and evidence.unit == ROWS:
        assert evidence.total is not None, "accuracy is of classes"
        return mcnemar(evidence.total, evidence.n_rows, alpha)
    return paired_means(evidence, alpha, seed)


def mcnemar(counts: Counts, n_rows: int, alpha: float) -> TestResult:
    """McNemar's exact test, one-sided: of rows that one alone gets right, are more the challenger's than chance gives?

    Source: McNemar 1947; the number of rows: Connor 1987, equation 2.
    """
    from scipy import stats
    from scipy.special import ndtri

    n, gained = counts.discordant, counts.only_challenger
    improvement = (gained - counts.only_champion) / n_rows
    p_value = float(stats.binomtest(gained, n, 0.5, alternative="greater").pvalue) if n else 1.0
    needed = None
    if improvement > 0 and alpha > 0:
        share = n / n_rows
        deviates = -ndtri(alpha) * math.sqrt(share) + ndtri(POWER) * math.sqrt(share - improvement**2)
        needed = math.ceil((deviates / improvement) ** 2)
    return TestResult("exact McNemar", improvement, p_value, 0.5**n, needed)


def paired_means(evidence: Evidence, alpha: float, seed: int) -> TestResult:
    """Test whether the mean of the gains is above 0: by a paired bootstrap-t, of many rows by Student's t.

    Losses are skewed, rarely much worse, so the bootstrap is of the studentized mean, which knows the skewness. Far out
    in the tail of few rows it promises too much, so what it finds must stand sign flips too, which are exact where two
    equally good models could be exchanged; the larger p-value counts.

    Source: Efron and Tibshirani 1993, chapters 12 and 15; Hall 1992.
    """
    from scipy import stats
    from scipy.special import ndtri

    n, mean, deviation = evidence.n_rows, evidence.mean, evidence.deviation
    needed = None
    if mean > 0 and alpha > 0:
        deviates = ndtri(POWER) - ndtri(alpha)
        needed = max(math.ceil((deviates * deviation / mean) ** 2), LEAST_ROWS)
    least = 0.0 if n >= LEAST_ROWS else 1.0
    t = mean / deviation * math.sqrt(n) if deviation > 0 else 0.0
    if evidence.gains is None:
        return TestResult("Student's paired t", mean, float(stats.t.sf(t, n - 1)), least, needed)
    p_value = 1.0
    if least < 1 and t > 0:
        gains = evidence.gains.astype(np.float64)
        p_value = bootstrap_p(gains, t, alpha, seed)
        if p_value <= alpha:
            p_value = max(p_value, sign_flip_p(gains, alpha, seed))
    return TestResult("paired bootstrap", mean, p_value, least, needed)


def bootstrap_p(gains: NDArray[np.float64], t: float, alpha: float, seed: int) -> float:
    """Share of resamples of the gains whose studentized mean, about the mean of the gains, is at least t.

    Resampling stops when enough are: a p-value that is far above alpha need not be known exactly.

    Source: Efron and Tibshirani 1993, section 12.5; stopping: Besag and Clifford 1991.
    """
    n, rng = len(gains), np.random.default_rng(seed)
    centred = gains - gains.mean()

    def n_exceeding(n_resamples: int) -> int:
        resamples = centred[rng.integers(0, n, (n_resamples, n), dtype=np.int32)]
        means = resamples.mean(axis=1)
        variances = np.einsum("rm,rm->r", resamples, resamples) / n - means**2
        return int((means * math.sqrt(n - 1) >= t * np.sqrt(np.maximum(variances, 0))).sum())

    return _monte_carlo_p(n_exceeding, n, alpha)


def sign_flip_p(gains: NDArray[np.float64], alpha: float, seed: int) -> float:
    """Share of random signs that give the gains a sum at least as large as theirs.

    Source: Efron and Tibshirani 1993, chapter 15; stopping as in `bootstrap_p`.
    """
    n, rng, total = len(gains), np.random.default_rng(seed), gains.sum()

    def n_exceeding(n_flips: int) -> int:
        is_kept = np.unpackbits(rng.integers(0, 256, (n_flips, -(-n // 8)), dtype=np.uint8), axis=1, count=n)
        return int((2 * (is_kept @ gains) - total >= total * (1 - _ROUNDING)).sum())

    return _monte_carlo_p(n_exceeding, n, alpha)


def _monte_carlo_p(n_exceeding: Callable[[int], int], n_rows: int, alpha: float) -> float:
    """Draw until it is known on which side of alpha the p-value is."""
    n_most = math.ceil(_RESAMPLES_PER_ALPHA / alpha)
    n_drawn, n_found, batch = 0, 0, 128
    while n_drawn < n_most and n_found < _ENOUGH_EXCEEDANCES:
        batch = min(2 * batch, n_most - n_drawn, max(1, _BATCH_ELEMENTS // n_rows))
        n_found += n_exceeding(batch)
        n_drawn += batch
    return n_found / n_drawn if n_found >= _ENOUGH_EXCEEDANCES else (n_found + 1) / (n_drawn + 1)


def p_of_worse(counts: Counts) -> float:
    """One-sided p-value of the challenger's being worse on the rows of one class (exact, as McNemar's)."""
    from scipy import stats

    n = counts.discordant
    return float(stats.binomtest(counts.only_champion, n, 0.5, alternative="greater").pvalue) if n else 1.0


def _counts_of(
    rows: NDArray[np.bool_],
    champion: NDArray[np.bool_],
    challenger: NDArray[np.bool_],
    groups: NDArray[np.intp] | None,
) -> Counts:
    """The table of some rows, or of the groups that have any of them."""
    if groups is None:
        return _counts(champion[rows], challenger[rows])
    of_rows = groups[rows]
    lead = np.bincount(of_rows, weights=challenger[rows].astype(float) - champion[rows])[np.unique(of_rows)]
    return Counts(int((lead == 0).sum()), int((lead < 0).sum()), int((lead > 0).sum()), 0)


def _counts(champion: NDArray[np.bool_], challenger: NDArray[np.bool_]) -> Counts:
    return Counts(
        int((champion & challenger).sum()),
        int((champion & ~challenger).sum()),
        int((~champion & challenger).sum()),
        int((~champion & ~challenger).sum()),
    )


def moments(gains: NDArray[np.float32]) -> tuple[float, float]:
    """Mean and deviation (n - 1 degrees of freedom) of gains; 0 where there are too few."""
    if len(gains) < 2:
        return float(gains.mean()) if len(gains) else 0.0, 0.0
    exact = gains.astype(np.float64)
    return float(exact.mean()), float(exact.std(ddof=1))
