"""What moved, as tables of texts: for a terminal and for a page; and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from experiments.drift.drift import LEAST_STUDIES, Comparison, Drift, ScoreRow
from experiments.drift.shift import Shift

Table = list[tuple[str, ...]]


def margin_in_words(drift: Drift) -> str:
    """What is too small to count, and from how many studies on anything does."""
    studies = drift.over_time.earlier + drift.over_time.later
    early = f" With {studies} studies it is too early to say; a verdict takes {LEAST_STUDIES}."
    return f"Values that differ by {drift.margin:.3g} or less count as equal.{early if studies < LEAST_STUDIES else ''}"


def price_table(comparison: Comparison) -> Table:
    """What keeping each hyperparameter where it was best costs, in the objective's units."""
    return [
        ("hyperparameter", "best earlier", "best later", "keeping costs", "interval", "verdict"),
        *(
            (row.name, row.earlier, row.later, _number(row.price.estimate), _interval(row.price), row.price.verdict)
            for row in comparison.hyperparameters
        ),
    ]


def importance_table(comparison: Comparison) -> Table:
    """How the importances changed; [] where none is known."""
    rows = [
        (row.name, f"{shift.estimate:+.2f}", _interval(shift, "+.2f"), shift.verdict)
        for row in comparison.hyperparameters
        if (shift := row.importance) is not None
    ]
    return [("importance of", "change", "interval", "verdict"), *rows] if rows else []


def score_table(comparison: Comparison) -> Table:
    """How the scores moved."""
    return [
        ("score", "earlier", "later", "change", "interval", "verdict"),
        *(
            (row.name, _number(row.earlier), _number(row.later), *_change(row), row.shift.verdict)
            for row in comparison.scores
        ),
    ]


def to_dict(drift: Drift) -> dict[str, Any]:
    """For JSON; numbers that are not finite are None. A ratio is told as its natural logarithm."""
    return {
        "margin": drift.margin,
        "over_time": _comparison(drift.over_time),
        "by_machine": None if drift.by_machine is None else _comparison(drift.by_machine),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "n_earlier": comparison.earlier,
        "n_later": comparison.later,
        "hyperparameters": [
            {
                "name": row.name,
                "earlier": row.earlier,
                "later": row.later,
                "price": _shift(row.price),
                "importance": None if row.importance is None else _shift(row.importance),
            }
            for row in comparison.hyperparameters
        ],
        "scores": [
            {
                "name": row.name,
                "earlier": row.earlier,
                "later": row.later,
                "is_log_ratio": row.is_ratio,
                **_shift(row.shift),
            }
            for row in comparison.scores
        ],
    }


def _shift(shift: Shift) -> dict[str, Any]:
    numbers = {name: value if math.isfinite(value) else None for name, value in asdict(shift).items()}
    return {**numbers, "verdict": shift.verdict}


def _change(row: ScoreRow) -> tuple[str, str]:
    if row.is_ratio:
        shift = row.shift
        ratios = [math.exp(min(value, 700.0)) for value in (shift.estimate, shift.low, shift.high)]
        return f"x {ratios[0]:.3g}", _interval(Shift(ratios[0], ratios[1], ratios[2], 0.0)) if _is_known(shift) else ""
    return f"{row.shift.estimate:+.3g}", _interval(row.shift, "+.3g")


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def _is_known(shift: Shift) -> bool:
    return math.isfinite(shift.low) and math.isfinite(shift.high)


def _interval(shift: Shift, form: str = ".3g") -> str:
    return f"{shift.low:{form}} to {shift.high:{form}}" if _is_known(shift) else ""


def moved(drift: Drift) -> Sequence[str]:
    """Names of all that moved over time."""
    rows = [(row.name, row.price) for row in drift.over_time.hyperparameters]
    rows += [(row.name, row.shift) for row in drift.over_time.scores]
    return [name for name, shift in rows if shift.verdict == "moved"]
