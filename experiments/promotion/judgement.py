"""From evidence and terms to a decision, and why: a pure function, so that anybody can repeat it from its document."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from experiments.promotion.comparison import Evidence, compare, p_of_worse

Decision = Literal["promote", "keep", "insufficient"]
CLASS_ALPHA = 0.05
"""Probability of holding a promotion back for a class that is not worse, over all classes together."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a decision is made on.

    Attributes:
        alpha: What this decision may err with; 0 when the year's allowance is spent.
        spent: By the decisions of the 365 days before it.
        alpha_per_year: What all of them may spend.
        margin: The least improvement, in the objective's units.
        seed: Of resamples.
        free_at: Unix time when alpha is above 0 again; None when it is.
    """

    alpha: float
    spent: float
    alpha_per_year: float
    margin: float
    seed: int
    free_at: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of it.

    Attributes:
        reason: In words.
        test: Its name; "" where nothing was compared, and then the numbers are None.
        alpha_spent: 0 where rows could prove nothing, so that nothing was tried.
        worse_class: The class that gets clearly worse; None where none does.
    """

    decision: Decision
    reason: str
    test: str = ""
    improvement: float | None = None
    p_value: float | None = None
    n_rows_needed: int | None = None
    alpha_spent: float = 0.0
    worse_class: str | None = None


def judge(evidence: Evidence, terms: Terms, *, has_classes_to_keep: bool = True, than: str = "the champion") -> Finding:
    """Decide whether the challenger takes the champion's place.

    It does if it is better on the same rows beyond chance (p at most alpha), by at least the margin, and no class gets
    clearly worse (exact, Bonferroni over the classes). Ties keep the champion.

    Args:
        evidence: What the two made of the rows.
        terms: What is asked for.
        has_classes_to_keep: Whether a class may not get worse; not beside a constant, which is always right on one.
        than: Whom it is compared with, for the words.
    """
    if terms.alpha == 0:
        when = time.strftime("%Y-%m-%d", time.gmtime(terms.free_at or 0))
        return Finding(
            "insufficient",
            f"the decisions of the last 365 days have spent the year's {terms.alpha_per_year:g}; there is something "
            f"to spend again on {when}",
        )
    if evidence.n_rows == 0:
        return Finding("insufficient", "there is no row that neither model, or both, were trained on")
    result = compare(evidence, terms.alpha, terms.seed)
    is_tried = result.least_p_value <= terms.alpha
    worse = _worse_class(evidence) if has_classes_to_keep else None
    decision, reason = _decided(evidence, terms, result.improvement, result.p_value, is_tried, worse, than)
    if decision == "insufficient" and result.n_rows_needed is not None:
        reason += f"; about {result.n_rows_needed:,} {evidence.unit} would do for a difference like this one"
    return Finding(
        decision,
        reason,
        result.name,
        result.improvement,
        result.p_value,
        result.n_rows_needed,
        terms.alpha if is_tried else 0.0,
        worse,
    )


def _decided(
    evidence: Evidence, terms: Terms, improvement: float, p_value: float, is_tried: bool, worse: str | None, than: str
) -> tuple[Decision, str]:
    on_rows = f"on {evidence.n_rows:,} {evidence.unit}"
    better = f"{evidence.objective} better than {than} by {improvement:.4g} {on_rows}"
    if improvement == 0:
        return "keep", f"a tie in {evidence.objective} {on_rows}, and ties keep {than}"
    if improvement < 0:
        return "keep", f"{evidence.objective} worse than {than} by {-improvement:.4g} {on_rows}"
    if improvement < terms.margin:
        return "keep", f"{better}, less than the margin of {terms.margin:g}"
    if not is_tried:
        return "insufficient", f"{better}, too few to prove anything at alpha {terms.alpha:.2g}"
    if p_value > terms.alpha:
        return "insufficient", f"{better}, which may be chance (p = {p_value:.2g}, alpha {terms.alpha:.2g})"
    if worse is not None:
        return "keep", f"{better}, but class '{worse}' gets clearly worse"
    return "promote", f"{better} (p = {p_value:.2g}, alpha {terms.alpha:.2g})"


def _worse_class(evidence: Evidence) -> str | None:
    """The class that is worse beyond chance, the clearest one where there are more."""
    if not evidence.classes:
        return None
    name = min(evidence.classes, key=lambda name: p_of_worse(evidence.classes[name]))
    return name if p_of_worse(evidence.classes[name]) <= CLASS_ALPHA / evidence.n_classes else None
