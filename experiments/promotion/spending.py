"""How much a decision may err, so that all decisions of a year together err in at most so many of a hundred years.

Rule: each decision may spend the same, `alpha_per_year / decisions_per_year`, and only as long as the decisions of the
365 days before it, with itself, have spent no more than `alpha_per_year`. So whatever 365 days one looks at, the
probability that one of the promotions in it is false is at most the sum of what its decisions spent, by the union
bound: however the decisions depend on each other, on the same rows night after night too.

That needs each challenger to be made without its sealed rows and without the verdicts on them, which is so in a sweep:
nothing trains on sealed rows, and all that a later sweep learns of them is who is champion.

Source: alpha spending, Lan and DeMets 1983, with a linear spending function; the bound is Bonferroni's. Beside two
others, and why not those: tests/benchmarks/RESULTS.md, `bench_promotion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

YEAR_SECONDS = 365 * 24 * 3600.0
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the next decision may spend.

    Attributes:
        alpha: 0 when the year's is spent.
        spent: By the decisions of the last 365 days.
        free_at: Unix time when there is something again; None when there is.
    """

    alpha: float
    spent: float
    free_at: float | None = None


def allowance(
    past: Sequence[tuple[float, float]], now: float, alpha_per_year: float, decisions_per_year: int
) -> Allowance:
    """What a decision may spend now.

    Args:
        past: When each earlier decision was made (Unix time) and what it spent, in any order.
        now: Unix time.
        alpha_per_year: Probability of any false promotion in 365 days.
        decisions_per_year: How many decisions that is to be enough for.
    """
    recent = sorted((at, alpha) for at, alpha in past if at > now - YEAR_SECONDS and alpha > 0)
    spent = sum(alpha for _, alpha in recent)
    each = alpha_per_year / decisions_per_year
    if spent + each <= alpha_per_year * (1 + _ROUNDING):
        return Allowance(each, spent)
    free_at, left = now, spent
    for at, alpha in recent:
        left -= alpha
        free_at = at + YEAR_SECONDS
        if left + each <= alpha_per_year * (1 + _ROUNDING):
            break
    return Allowance(0.0, spent, free_at)
