"""What the winner of a sweep will score on new examples, although it was chosen by its score on these.

The best of K measured scores is too good: part of what made it the best is luck. Bootstrap bias-corrected
cross-validation (BBC-CV) repeats the choice on resamples of the examples and scores each resample's winner on the
examples that the resample left out. It needs the held-out outputs of the K candidates, and no training.

A candidate is whatever could have been chosen. Where each trial stops at its best iteration, every recorded iteration
of every trial is one: keeping only the best of each hides half of the luck (tests/benchmarks/RESULTS.md).

Notation: K candidates, m examples, B resamples. Weights (B, m) say how often each example counts. A resample is its
counts; the examples that it left out are those with count 0, with weight 1 each.

Source: Tsamardinos, Greasidou, Borboudakis 2018, "Bootstrapping the out-of-sample predictions for efficient and
accurate cross-validation", Machine Learning 107 (BBC-CV and its percentile interval).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Score = Callable[[FloatArray], FloatArray]
"""Weights (B, m) to the scores of the K candidates, (B, K); nan where these leave a score undefined, as all 0 do."""

N_RESAMPLES = 1000
_BLOCK_ELEMENTS = 2_000_000  # weights held at once: 16 MB, whatever m is


@dataclass(frozen=True, slots=True)
class Estimate:
    """The winner's score on new examples.

    Attributes:
        winner: Index of the candidate whose score on all m examples is best, the first of equals.
        uncorrected: That score: too good, because it decided the choice.
        value: The bias-corrected score; with a single candidate, which nobody chose, `uncorrected`.
        interval: (low, high), 95 %.
    """

    winner: int
    uncorrected: float
    value: float
    interval: tuple[float, float]


def estimate(
    score: Score,
    n_examples: int,
    seed: int,
    *,
    groups: NDArray[np.intp] | None = None,
    is_higher_better: bool = False,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """Estimate the score of the best of K candidates on new examples.

    Resamples whose score is undefined, because they left nothing out or lack a class, are skipped.

    Args:
        score: From `of_means`, `roc_auc` or `mean_over_folds`.
        n_examples: m, the columns of the weights that `score` takes; 2 or more.
        seed: Decides the resamples.
        groups: Which of the groups 0, 1, … each example belongs to, (m,): whole groups are drawn and left out, because
            examples of one group say less than as many new ones. None: each example is one.
        is_higher_better: Whether the winner is the candidate with the highest score.
        n_resamples: B. The value varies between seeds by about 1 / sqrt(B) of a quarter of the interval's length.

    Raises:
        ValueError: There are fewer than two examples, a score on all examples is not finite, or every resample
            was skipped.
    """
    if n_examples < 2:
        raise ValueError(
            f"n_examples = {n_examples}: a resample leaves nothing out. 2 or more are needed; "
            "give no estimate for fewer."
        )
    on_all = score(np.ones((1, n_examples)))[0]
    if not np.isfinite(on_all).all():
        index = int(np.flatnonzero(~np.isfinite(on_all))[0])
        raise ValueError(
            f"candidate {index}: its score on all {n_examples} examples is {on_all[index]}. Scores must be finite; "
            "leave out candidates that failed."
        )
    sign = -1.0 if is_higher_better else 1.0
    winner = int((sign * on_all).argmin())
    new = np.concatenate(
        [_scores_of_winners(score, counts, sign) for counts in _resamples(n_examples, n_resamples, seed, groups)]
    )
    if not len(new):
        raise ValueError(
            f"none of {n_resamples} resamples of {n_examples} examples has a defined score on both sides. "
            "Each class must be common enough to be drawn and left out; give no estimate here."
        )
    low, high = np.percentile(new, [2.5, 97.5])
    value = float(new.mean()) if len(on_all) > 1 else float(on_all[0])
    return Estimate(winner, float(on_all[winner]), value, (float(low), float(high)))


def of_means(*values: NDArray[np.floating], combine: Callable[..., FloatArray] | None = None) -> Score:
    """A score that is a mean over the examples, or is made of such means.

    `of_means(losses)` is the cost and `of_means(squared_errors, combine=np.sqrt)` the RMSE. Of arrays that hold 1
    where an example is a true positive, and where it is wrong, `combine=lambda t, w: 2 * t / (2 * t + w)` makes f1.

    Args:
        values: One or more arrays (K, m), summed in float64.
        combine: From the means, one array (B, K) for each of `values`, to the scores (B, K). None for a single mean.
            0 / 0 in it makes the score undefined.
    """
    columns = [np.ascontiguousarray(array.T, dtype=np.float64) for array in values]

    def score(weights: FloatArray) -> FloatArray:
        n = weights.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            means = [weights @ array / n for array in columns]
            return combine(*means) if combine is not None else means[0]

    return score


def roc_auc(is_positive: NDArray[np.bool_], outputs: NDArray[np.floating]) -> Score:
    """Area under the ROC curve: the weighted share of (positive, negative) pairs in the right order, ties one half.

    Args:
        is_positive: (m,).
        outputs: (K, m), higher means positive.
    """
    positives, negatives = outputs[:, is_positive], outputs[:, ~is_positive]
    orders = np.argsort(negatives, axis=1, kind="stable")
    first = [np.searchsorted(n[o], p, "left") for n, o, p in zip(negatives, orders, positives, strict=True)]
    last = [np.searchsorted(n[o], p, "right") for n, o, p in zip(negatives, orders, positives, strict=True)]

    def score(weights: FloatArray) -> FloatArray:
        # Resamples are columns here, so that a candidate's order gathers whole rows.
        of_positive = np.ascontiguousarray(weights[:, is_positive].T)
        of_negative = np.ascontiguousarray(weights[:, ~is_positive].T)
        below = np.zeros((len(of_negative) + 1, len(weights)))  # of the n lowest negatives, the sum of weights
        areas = np.empty((len(orders), len(weights)))
        for area, order, low, high in zip(areas, orders, first, last, strict=True):
            np.cumsum(of_negative[order], axis=0, out=below[1:])
            area[:] = np.einsum("pb,pb->b", of_positive, below[low])
            if (low != high).any():  # some output is both a positive's and a negative's
                area[:] = (area + np.einsum("pb,pb->b", of_positive, below[high])) / 2
        with np.errstate(invalid="ignore"):
            areas /= of_positive.sum(axis=0) * of_negative.sum(axis=0)
        return areas.T

    return score


def mean_over_folds(scores: Sequence[Score], validated: NDArray[np.bool_]) -> Score:
    """The mean of each fold's score, as a trial's value is; folds whose score is undefined do not count.

    Args:
        scores: F of them; that of fold f takes the weights of the columns that fold f holds out.
        validated: (F, m), as in `PreparedData`.
    """

    def score(weights: FloatArray) -> FloatArray:
        of_folds = np.stack([part(weights[:, own]) for part, own in zip(scores, validated, strict=True)])
        is_defined = np.isfinite(of_folds)
        with np.errstate(invalid="ignore"):
            mean: FloatArray = np.where(is_defined, of_folds, 0).sum(axis=0) / is_defined.sum(axis=0)
        return mean

    return score


def _resamples(m: int, n_resamples: int, seed: int, groups: NDArray[np.intp] | None = None) -> Iterator[FloatArray]:
    """Counts (at most B, m) of m draws with replacement, in blocks that fit the memory; or of as many as groups."""
    if groups is not None:
        for counts in _resamples(int(groups.max()) + 1, n_resamples, seed):
            yield counts[:, groups]
        return
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK_ELEMENTS // m)
    for start in range(0, n_resamples, block):
        n = min(block, n_resamples - start)
        drawn = rng.integers(0, m, size=(n, m)) + m * np.arange(n)[:, np.newaxis]
        yield np.bincount(drawn.ravel(), minlength=n * m).reshape(n, m).astype(np.float64)


def _scores_of_winners(score: Score, counts: FloatArray, sign: float) -> FloatArray:
    """What the winner of each resample scores on the examples left out, (at most B,): undefined ones are left away."""
    inside, outside = score(counts), score((counts == 0).astype(np.float64))
    ranked = np.where(np.isnan(inside), np.inf, sign * inside)
    winners = ranked.argmin(axis=1)
    rows = np.arange(len(winners))
    of_winners = outside[rows, winners]
    is_defined = np.isfinite(of_winners) & np.isfinite(ranked[rows, winners])
    defined: FloatArray = of_winners[is_defined]
    return defined
