"""The winner's out-of-fold value, corrected for having decided the choice, and with an interval.

The best of many values is too good: part of what made it the best is luck. `experiments.estimate` repeats the choice on
resamples of the examples that were held out. The candidates are the kept trials at their best iterations and at the
ends of their rungs, because the iteration was chosen, too.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine import TrainingData
from engine.heads import HEADS
from engine.objectives import COST, Objective
from experiments.estimate import N_RESAMPLES, Estimate, Score, estimate, mean_over_folds, of_means
from experiments.resampled_objective import WITHOUT, score_of, weighted
from sweeps.storage.kept_trials import KeptTrial
from sweeps.trials.stored_trial import StoredTrial

MAX_EXAMPLES = 200_000
"""Held-out examples of which 100 resamples take a second; of more there is no estimate."""

MAX_DRAWS = 10_000_000
MIN_RESAMPLES = 100


def corrected_value(
    winner: StoredTrial,
    kept: Sequence[KeptTrial],
    data: TrainingData,
    head: str,
    seed: int,
    objective: Objective = COST,
    groups: NDArray[np.intp] | None = None,
) -> Estimate | None:
    """The winner's value on new examples, mean over the folds; None where the kept trials cannot tell.

    Args:
        winner: The trial that was chosen.
        kept: Best first. Without the winner among them there is no estimate.
        data, head: As the trials had them. The cost of a regression is the squared error of scaled targets.
        seed: Decides the resamples.
        groups: Which group each example belongs to, (m,), where whole groups are new; None is none.
        objective: What decided. Of some there is no estimate: `experiments.resampled_objective`.
    """
    is_validated = data.validated.any(axis=0)
    n_examples = int(is_validated.sum())
    if not kept or kept[0].trial.number != winner.number or not 2 <= n_examples <= MAX_EXAMPLES:
        return None
    if objective.name in WITHOUT:
        return None
    could_win = [one for one in kept if not objective.is_better(one.best.value, kept[0].best.value)]  # it was pruned
    candidates = [logits for one in could_win for logits in (one.best.logits, *one.rung_ends)]
    scores = _costs(candidates, data, head) if objective.is_cost else _values(candidates, data, head, objective)
    n_resamples = min(N_RESAMPLES, max(MIN_RESAMPLES, MAX_DRAWS // n_examples))
    score = mean_over_folds(scores, data.validated[:, is_validated])
    try:
        higher = objective.is_higher_better
        own = None if groups is None else np.unique(groups[is_validated], return_inverse=True)[1]
        return estimate(score, n_examples, seed, groups=own, is_higher_better=higher, n_resamples=n_resamples)
    except ValueError:  # no resample leaves out an example and draws another
        return None


def _costs(candidates: Sequence[NDArray[np.floating]], data: TrainingData, head: str) -> list[Score]:
    losses = losses_of_folds(candidates, data, head)
    is_finite = np.all([np.isfinite(of_fold).all(axis=1) for of_fold in losses], axis=0)
    scores = [of_means(of_fold[is_finite]) for of_fold in losses]
    if data.weights is None:
        return scores
    return [weighted(score, data.weights[1, own]) for score, own in zip(scores, data.validated, strict=True)]


def _values(
    candidates: Sequence[NDArray[np.floating]], data: TrainingData, head: str, objective: Objective
) -> list[Score]:
    """A score of each network: the objective of all candidates' answers to what it holds out."""
    finite = [logits for logits in candidates if np.isfinite(logits).all()]
    of_candidates = [list(data.answers(logits, HEADS[head])) for logits in finite]
    scores = []
    for of_fold in zip(*of_candidates, strict=True):
        _, Y, weights = of_fold[0]
        scores.append(score_of(objective, np.stack([A for A, *_ in of_fold]), Y, weights))
    return scores


def losses_of_folds(
    candidates: Sequence[NDArray[np.floating]], data: TrainingData, head: str
) -> list[NDArray[np.floating]]:
    """Losses of the examples that each network holds out, in their order: F arrays, (K, number of them).

    Args:
        candidates: Z[L] of the columns that each network holds out, K of (F, n[L], m_v).
        data: The examples.
        head: Its loss.
    """
    columns = data.validation_columns
    Y = data.targets_of(columns)
    losses = np.stack([HEADS[head].losses(logits, Y) for logits in candidates], axis=1)  # (F, K, m_v)
    return [
        of_network[:, validated[own]]  # where folds differ in size, columns of another network fill up
        for of_network, validated, own in zip(losses, data.validated, columns, strict=True)
    ]
