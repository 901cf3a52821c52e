"""What moved over the studies of a name: every hyperparameter by what staying would have cost, and the scores."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from experiments.drift.night import Night
from experiments.drift.shift import LEAST_NIGHTS, Shift, interval_shift, mean_shift, share_shift, shift_between
from experiments.drift.staying import Region, halves, prices

LEAST_STUDIES = 2 * LEAST_NIGHTS
"""With which a verdict is possible."""

ALPHA = 0.05
"""Probability of any false "moved" in a table, Bonferroni over its rows."""

IMPORTANCE_MARGIN = 0.1
TIME_MARGIN = math.log(1.25)
"""The bounds 80 to 125 %, as bioequivalence has them."""


@dataclass(frozen=True, slots=True)
class HyperparameterRow:
    """How one hyperparameter moved.

    Attributes:
        earlier, later: Where the best tenths of the two groups of studies had it.
        price: Of leaving it in the first place, in the objective's units; it decides.
        importance: The change of its importance; None where it is not known.
    """

    name: str
    earlier: str
    later: str
    price: Shift
    importance: Shift | None


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """How a score moved.

    Attributes:
        earlier, later: Its means; None where it is a price, a difference already.
        shift: Of a time, the logarithm of the ratio.
    """

    name: str
    earlier: float | None
    later: float | None
    shift: Shift
    is_ratio: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two groups of studies beside each other.

    Attributes:
        earlier, later: How many studies each has.
    """

    what: str
    earlier: int
    later: int
    hyperparameters: tuple[HyperparameterRow, ...]
    scores: tuple[ScoreRow, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """All that is said of a name's studies.

    Attributes:
        margin: What is too small a difference of values to count.
        over_time: The later half beside the earlier one.
        by_machine: The newest study's kind of machine beside the others; None where all are of one kind.
    """

    margin: float
    over_time: Comparison
    by_machine: Comparison | None

    @property
    def hyperparameters(self) -> tuple[HyperparameterRow, ...]:
        """Those of the studies over time."""
        return self.over_time.hyperparameters


def drift_of(nights: Sequence[Night], margin: float | None = None, *, is_higher_better: bool = False) -> Drift:
    """What moved.

    Args:
        nights: Two at least, the oldest first, all judged alike.
        margin: What is too small a difference of values to count; None is what separates a study's best trial from the
            middle of its best tenth, in the median over the studies.
        is_higher_better: Whether values are told with the other sign than costs have.
    """
    if margin is None:
        margin = statistics.median(night.indifference for night in nights)
    sign = -1 if is_higher_better else 1
    machine = nights[-1].machine
    here = [night for night in nights if night.machine == machine]
    elsewhere = [night for night in nights if night.machine != machine]
    by_machine = None
    if elsewhere:
        scores = [row for row in (_value(elsewhere, here, margin, sign), _time(elsewhere, here)) if row is not None]
        by_machine = _comparison("other machines beside this kind", elsewhere, here, scores, margin)
    earlier, later = halves(nights)
    scores = [
        row
        for row in (
            _value(earlier, later, margin, sign),
            _corrected(earlier, later, margin, sign),
            _memory(nights, margin),
            *_champion(nights),
            _time(earlier, later),
        )
        if row is not None
    ]
    return Drift(margin, _comparison("earlier half beside the later", earlier, later, scores, margin), by_machine)


def searched(nights: Sequence[Night]) -> list[str]:
    """Hyperparameters that took more than one value in a study, in the order of a trial's parameters."""
    names = dict.fromkeys(name for night in nights for tried in night.tried for name in tried.params)
    return [
        name for name in names if any(len({tried.params.get(name) for tried in night.tried}) > 1 for night in nights)
    ]


def _comparison(
    what: str, earlier: Sequence[Night], later: Sequence[Night], scores: Sequence[ScoreRow], margin: float
) -> Comparison:
    names = searched([*earlier, *later])
    alpha = ALPHA / max(len(names), 1)
    rows = tuple(
        HyperparameterRow(
            name,
            Region.of(earlier, name).in_words,
            Region.of(later, name).in_words,
            _price(earlier, later, name, margin, alpha),
            _importance(earlier, later, name, alpha),
        )
        for name in names
    )
    return Comparison(what, len(earlier), len(later), rows, tuple(scores))


def _price(earlier: Sequence[Night], later: Sequence[Night], name: str, margin: float, alpha: float) -> Shift:
    found = prices(earlier, later, name)
    if not found:
        return Shift(math.nan, -math.inf, math.inf, margin)
    if len(earlier) < LEAST_NIGHTS:  # a region of too few studies is too narrow to have been left
        return Shift(statistics.mean(found), -math.inf, math.inf, margin)
    return mean_shift(found, margin, alpha)


def _importance(earlier: Sequence[Night], later: Sequence[Night], name: str, alpha: float) -> Shift | None:
    groups = [[night.importances[name] for night in nights if name in night.importances] for nights in (earlier, later)]
    return shift_between(groups[0], groups[1], IMPORTANCE_MARGIN, alpha) if all(groups) else None


N_SCORES = 6
"""Rows that there are at most; each has its part of `ALPHA`."""


def _value(earlier: Sequence[Night], later: Sequence[Night], margin: float, sign: int) -> ScoreRow:
    values = [[sign * night.best.cost for night in nights] for nights in (earlier, later)]
    shift = shift_between(values[0], values[1], margin, ALPHA / N_SCORES)
    return ScoreRow("best value", statistics.mean(values[0]), statistics.mean(values[1]), shift)


def _corrected(earlier: Sequence[Night], later: Sequence[Night], margin: float, sign: int) -> ScoreRow | None:
    known = [
        [astuple(night.corrected.with_sign(sign)) for night in nights if night.corrected is not None]
        for nights in (earlier, later)
    ]
    if not all(known):
        return None
    shift = interval_shift(known[0], known[1], margin, ALPHA / N_SCORES)
    means = [statistics.mean(value for value, _, _ in of_half) for of_half in known]
    return ScoreRow("best value, corrected", means[0], means[1], shift)


def _memory(nights: Sequence[Night], margin: float) -> ScoreRow | None:
    found = [price for night in nights if (price := night.price_of_memory) is not None]
    if not found:
        return None
    return ScoreRow("earlier best, tried again", None, None, mean_shift(found, margin, ALPHA / N_SCORES))


def _champion(nights: Sequence[Night]) -> list[ScoreRow]:
    """The newest champion, on the first night that it was scored on and on the last one."""
    scored = [night.champion for night in nights if night.champion is not None]
    scored = [score for score in scored if score.digest == scored[-1].digest]
    if not scored:
        return []
    first, last = scored[0], scored[-1]
    name = f"champion {last.version}".rstrip()
    rows = []
    if len(scored) > 1 and first.accuracy is not None and last.accuracy is not None:
        shares = [hits / n for hits, n in (first.accuracy, last.accuracy)]
        shift = share_shift(first.accuracy, last.accuracy, 0.0, ALPHA / N_SCORES)
        if first.rows == last.rows:
            shift = Shift(0.0, 0.0, 0.0, 0.0)
        rows.append(ScoreRow(f"{name}: accuracy on the night's rows", shares[0], shares[1], shift))
    if last.loss is not None:
        mean, deviation, n = last.loss
        half = _t(n) * deviation / math.sqrt(n) if n > 1 else math.inf
        what = f"{name}: {last.what} above tonight's model"
        rows.append(ScoreRow(what, None, None, Shift(mean, mean - half, mean + half, 0.0)))
    return rows


def _t(n: int) -> float:
    from scipy import stats

    return float(stats.t.isf(ALPHA / N_SCORES / 2, n - 1))


def _time(earlier: Sequence[Night], later: Sequence[Night]) -> ScoreRow | None:
    known = [
        [math.log(night.seconds_per_iteration) for night in nights if night.seconds_per_iteration]
        for nights in (earlier, later)
    ]
    if not all(known):
        return None
    shift = shift_between(known[0], known[1], TIME_MARGIN, ALPHA / N_SCORES)
    means = [math.exp(statistics.mean(of_half)) for of_half in known]
    return ScoreRow("seconds an iteration", means[0], means[1], shift, is_ratio=True)
