"""From a few numbers a night to an interval and a verdict: a difference counts if it exceeds a margin.

One rule for everything: *moved* if the whole interval lies beyond the margin, *did not move* if it lies within, else
*too early to say*. So neither many studies make a difference that nobody minds into drift, nor few studies make their
silence into constancy.

Source: equivalence and minimum-effect tests by inclusion of an interval, Schuirmann 1987; Murphy and Myors 1999.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Verdict = Literal["moved", "did not move", "too early to say"]
LEAST_NIGHTS = 3
"""On each side of a comparison: of fewer, an interval says nothing."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A change, or a price.

    Attributes:
        low, high: The interval of `estimate`; infinite where nights are too few.
        margin: What is too small to count.
    """

    estimate: float
    low: float
    high: float
    margin: float

    @property
    def verdict(self) -> Verdict:
        """What the interval and the margin come to."""
        if self.low > self.margin or self.high < -self.margin:
            return "moved"
        return "did not move" if -self.margin <= self.low and self.high <= self.margin else "too early to say"


def mean_shift(values: Sequence[float], margin: float, alpha: float) -> Shift:
    """The mean of one value a night, by Student's t; at least one value."""
    from scipy import stats

    mean = float(np.mean(values))
    if len(values) < LEAST_NIGHTS:
        return Shift(mean, -math.inf, math.inf, margin)
    error = float(stats.sem(values))
    half = float(stats.t.isf(alpha / 2, len(values) - 1)) * error
    return Shift(mean, mean - half, mean + half, margin)


def shift_between(earlier: Sequence[float], later: Sequence[float], margin: float, alpha: float) -> Shift:
    """The mean of later nights minus that of earlier ones, by Welch's t; at least one value each."""
    from scipy import stats

    difference = float(np.mean(later) - np.mean(earlier))
    if min(len(earlier), len(later)) < LEAST_NIGHTS:
        return Shift(difference, -math.inf, math.inf, margin)
    errors = [float(stats.sem(values)) ** 2 for values in (earlier, later)]
    if sum(errors) == 0:
        return Shift(difference, difference, difference, margin)
    terms = zip(errors, (earlier, later), strict=True)
    freedom = sum(errors) ** 2 / sum(error**2 / (len(values) - 1) for error, values in terms)
    half = float(stats.t.isf(alpha / 2, freedom)) * math.sqrt(sum(errors))
    return Shift(difference, difference - half, difference + half, margin)


def share_shift(before: tuple[int, int], after: tuple[int, int], margin: float, alpha: float) -> Shift:
    """The change of a share, of (hits, rows), from Wilson's intervals of both.

    Source: Newcombe 1998, method 10. Rows that are in both only make it too careful.
    """
    from scipy import stats

    shares = [hits / n for hits, n in (before, after)]
    intervals = [stats.binomtest(*counts).proportion_ci(1 - alpha, method="wilson") for counts in (before, after)]
    difference = shares[1] - shares[0]
    down = math.hypot(shares[1] - intervals[1].low, intervals[0].high - shares[0])
    up = math.hypot(intervals[1].high - shares[1], shares[0] - intervals[0].low)
    return Shift(difference, difference - down, difference + up, margin)


def interval_shift(
    earlier: Sequence[tuple[float, float, float]],
    later: Sequence[tuple[float, float, float]],
    margin: float,
    alpha: float,
) -> Shift:
    """The change of the mean of values that have 95 % intervals, (value, low, high), of sets of rows that overlap.

    What is common to the rows of several nights does not cancel in their mean, so an interval is as wide as those of
    two single nights.
    """
    from scipy import stats

    difference = float(np.mean([v for v, _, _ in later]) - np.mean([v for v, _, _ in earlier]))
    if min(len(earlier), len(later)) < LEAST_NIGHTS:
        return Shift(difference, -math.inf, math.inf, margin)
    widen = float(stats.norm.isf(alpha / 2) / stats.norm.isf(0.025))
    down = widen * math.hypot(np.mean([v - low for v, low, _ in later]), np.mean([high - v for v, _, high in earlier]))
    up = widen * math.hypot(np.mean([high - v for v, _, high in later]), np.mean([v - low for v, low, _ in earlier]))
    return Shift(difference, difference - down, difference + up, margin)
