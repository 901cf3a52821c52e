"""Bias-corrected estimates against hand-worked resamples, scikit-learn's metrics, and simulated sweeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from experiments import estimate as module
from experiments.estimate import Estimate, Score, estimate, mean_over_folds, of_means, roc_auc


def losses_of(n_candidates: int, m: int, seed: int = 0) -> NDArray:
    return np.random.default_rng(seed).exponential(size=(n_candidates, m))


def estimate_one_by_one(losses: NDArray, counts: NDArray) -> tuple[float, NDArray]:
    """BBC-CV as its paper says it: one resample after the other, as lists of examples."""
    values = []
    for row in counts.astype(int):
        drawn, left_out = np.repeat(np.arange(len(row)), row), np.flatnonzero(row == 0)
        if len(left_out):
            best = int(np.argmin([candidate[drawn].mean() for candidate in losses]))
            values.append(losses[best][left_out].mean())
    return float(np.mean(values)), np.percentile(values, [2.5, 97.5])


def test_two_candidates_and_three_resamples_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    # Means 2 and 2.5, so candidate 0 wins. Resamples: examples 0, 0, 1 (means 1/3 and 8/3: candidate 0; left out: 2,
    # loss 5); 2, 2, 2 (5 and 1: candidate 1; left out: 0 and 1, losses 3 and 2); 0, 1, 2 (nothing left out).
    losses = np.array([[0.0, 1.0, 5.0], [3.0, 2.0, 1.0]])
    counts = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 3.0], [1.0, 1.0, 1.0]])
    monkeypatch.setattr(module, "_resamples", lambda *_: iter([counts]))
    low, high = np.percentile([5, 2.5], [2.5, 97.5])
    assert estimate(of_means(losses), 3, seed=0) == Estimate(0, 2.0, 3.75, (low, high))
    flipped = estimate(of_means(-losses), 3, seed=0, is_higher_better=True)
    assert flipped == Estimate(0, -2.0, -3.75, (-high, -low))


def test_products_of_matrices_give_what_one_resample_after_the_other_gives() -> None:
    losses = losses_of(7, 25)
    counts = np.concatenate(list(module._resamples(25, 300, seed=4)))
    value, interval = estimate_one_by_one(losses, counts)
    found = estimate(of_means(losses), 25, seed=4, n_resamples=300)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.interval == pytest.approx(interval, rel=1e-12)


def test_resamples_are_multinomial_and_blocks_do_not_change_them(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(module._resamples(20, 4000, seed=1)))
    assert whole.shape == (4000, 20)
    assert (whole.sum(axis=1) == 20).all()
    assert (whole == 0).mean() == pytest.approx((1 - 1 / 20) ** 20, abs=0.005)
    monkeypatch.setattr(module, "_BLOCK_ELEMENTS", 150)
    np.testing.assert_array_equal(np.concatenate(list(module._resamples(20, 4000, seed=1))), whole)


@given(n_candidates=st.integers(1, 6), m=st.integers(2, 12), seed=st.integers(0, 500), scale=st.floats(0.1, 100))
def test_any_losses_give_finite_numbers_that_scale_with_them(
    n_candidates: int, m: int, seed: int, scale: float
) -> None:
    losses = losses_of(n_candidates, m, seed).astype(np.float32)
    found = estimate(of_means(losses), m, seed, n_resamples=60)
    assert losses.min() - 1e-6 <= found.interval[0] <= found.interval[1] <= losses.max() + 1e-6
    assert found.uncorrected == pytest.approx(losses.astype(np.float64).mean(axis=1).min())
    assert found.winner == losses.astype(np.float64).mean(axis=1).argmin()
    scaled = estimate(of_means(losses.astype(np.float64) * scale), m, seed, n_resamples=60)
    assert scaled.value == pytest.approx(found.value * scale, rel=1e-6)


def test_a_single_candidate_was_not_chosen_so_its_own_score_is_the_estimate() -> None:
    losses = losses_of(1, 200)
    found = estimate(of_means(losses), 200, seed=0)
    assert found.value == found.uncorrected == pytest.approx(losses.mean(), rel=1e-12)
    # The 74 examples left out of 200 vary as means of 74 drawn without replacement do.
    n_left_out = 200 * (1 - 1 / 200) ** 200
    error = losses.std(ddof=1) * np.sqrt((1 - n_left_out / 200) / n_left_out)
    assert found.interval == pytest.approx((losses.mean() - 1.96 * error, losses.mean() + 1.96 * error), rel=0.04)


def test_the_seed_alone_decides() -> None:
    score = of_means(losses_of(5, 30))
    first, again, other = (estimate(score, 30, seed) for seed in (1, 1, 2))
    assert first == again != other


def test_copies_of_a_candidate_change_nothing() -> None:
    losses = losses_of(4, 30)
    assert estimate(of_means(np.vstack([losses, losses])), 30, 0).value == estimate(of_means(losses), 30, 0).value


def weights_of(m: int) -> NDArray:
    rng = np.random.default_rng(3)
    return np.vstack([np.ones(m), rng.integers(0, 4, size=(5, m))]).astype(np.float64)


def scores_one_by_one(metric: object, y: NDArray, predictions: NDArray, weights: NDArray) -> NDArray:
    return np.array([[metric(y, one, sample_weight=w) for one in predictions] for w in weights])  # type: ignore[operator]


@pytest.mark.parametrize("n_levels", [None, 4])
def test_the_area_under_the_curve_is_scikit_learns_with_and_without_ties(n_levels: int | None) -> None:
    rng = np.random.default_rng(0)
    y = rng.random(40) < 0.3
    outputs = rng.random((3, 40)) if n_levels is None else rng.integers(0, n_levels, size=(3, 40)).astype(float)
    found = roc_auc(y, outputs)(weights_of(40))
    np.testing.assert_allclose(found, scores_one_by_one(roc_auc_score, y, outputs, weights_of(40)), rtol=1e-12)


def test_scores_made_of_means_are_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    y, decided = rng.random(40) < 0.4, rng.random((3, 40)) < 0.4
    f1 = of_means(decided & y, decided != y, combine=lambda true, wrong: 2 * true / (2 * true + wrong))
    np.testing.assert_allclose(f1(weights_of(40)), scores_one_by_one(f1_score, y, decided, weights_of(40)), rtol=1e-12)
    errors = rng.normal(size=(3, 40))
    rmse = of_means(np.square(errors), combine=np.sqrt)(np.ones((1, 40)))
    np.testing.assert_allclose(rmse[0], np.sqrt(np.square(errors).mean(axis=1)), rtol=1e-12)


def test_a_resample_that_lacks_a_class_has_no_area_and_is_skipped() -> None:
    rng = np.random.default_rng(5)
    is_positive, outputs = np.arange(12) < 2, rng.random((3, 12))
    counts = np.concatenate(list(module._resamples(12, 30, seed=0)))
    found = roc_auc(is_positive, outputs)(counts)
    lacks_positives = counts[:, :2].sum(axis=1) == 0
    assert 0 < lacks_positives.sum() < 30
    np.testing.assert_array_equal(np.isnan(found), np.repeat(lacks_positives[:, np.newaxis], 3, axis=1))
    expected = scores_one_by_one(roc_auc_score, is_positive, outputs, counts[~lacks_positives])
    np.testing.assert_allclose(found[~lacks_positives], expected, rtol=1e-12)
    assert 0 <= estimate(roc_auc(is_positive, outputs), 12, seed=0, is_higher_better=True).interval[0] <= 1


def test_a_candidate_without_a_score_on_a_resample_is_not_its_winner() -> None:
    losses = np.array([[1.0, 1.0, 1.0, 1.0, 9.0], [2.0, 2.0, 2.0, 2.0, 9.0]])

    def score(weights: NDArray) -> NDArray:
        means = of_means(losses)(weights)
        return np.where(weights[:, [4]] + [[0, 1]] == 0, np.nan, means)  # candidate 0 needs the last example

    # With the last example drawn, candidate 0 wins and has no score on the others; without it, candidate 1 wins.
    found = estimate(score, 5, seed=0)
    assert found.winner == 0
    assert found.interval[0] > 3.5  # the 9, and beside it at most three 2s


def test_the_mean_over_folds_is_a_trials_value_and_skips_folds_without_a_score() -> None:
    losses = losses_of(3, 5)
    held_out = np.array([[True, True, True, False, False], [False, False, False, True, True]])
    score: Score = mean_over_folds([of_means(losses[:, held]) for held in held_out], held_out)
    expected = (losses[:, :3].mean(axis=1) + losses[:, 3:].mean(axis=1)) / 2
    np.testing.assert_allclose(score(np.ones((1, 5)))[0], expected, rtol=1e-12)
    only_second = score(np.array([[0.0, 0.0, 0.0, 1.0, 2.0]]))[0]
    np.testing.assert_allclose(only_second, (losses[:, 3] + 2 * losses[:, 4]) / 3, rtol=1e-12)
    assert np.isfinite(estimate(score, 5, seed=0).value)


def test_what_gives_no_estimate_is_an_error() -> None:
    with pytest.raises(ValueError, match="n_examples = 1: a resample leaves nothing out"):
        estimate(of_means(losses_of(2, 1)), 1, seed=0)
    failed = losses_of(3, 10)
    failed[2, 4] = np.nan
    with pytest.raises(ValueError, match="candidate 2: its score on all 10 examples is nan"):
        estimate(of_means(failed), 10, seed=0)
    one_positive = np.arange(10) == 3
    with pytest.raises(ValueError, match="none of 1000 resamples of 10 examples has a defined score on both sides"):
        estimate(roc_auc(one_positive, losses_of(2, 10)), 10, seed=0, is_higher_better=True)


def test_of_guesses_the_best_looks_good_and_the_estimate_says_one_half() -> None:
    sweeps = [np.random.default_rng(seed).random((30, 200)) < 0.5 for seed in range(40)]  # where guesses are wrong
    found = [estimate(of_means(is_wrong), 200, seed) for seed, is_wrong in enumerate(sweeps)]
    # The least of 30 means with deviation 0.035 lies two deviations below one half.
    assert np.mean([made.uncorrected for made in found]) == pytest.approx(0.43, abs=0.01)
    assert np.mean([made.value for made in found]) == pytest.approx(0.5, abs=0.01)
    # Issue 14 asks for 90 %; the seeds are fixed, so this passes or fails for good. Uncorrected ones: 3 of 40.
    assert sum(made.interval[0] <= 0.5 <= made.interval[1] for made in found) >= 36


def test_rows_of_groups_are_worth_as_much_as_their_groups() -> None:
    losses = losses_of(4, 30)
    of_groups = estimate(of_means(losses), 30, 7)
    of_rows = estimate(of_means(np.repeat(losses, 8, axis=1)), 240, 7, groups=np.repeat(np.arange(30), 8))
    assert (of_rows.winner, of_rows.uncorrected) == (of_groups.winner, pytest.approx(of_groups.uncorrected))
    np.testing.assert_allclose(of_rows.interval, of_groups.interval)
    taken_for_many = estimate(of_means(np.repeat(losses, 8, axis=1)), 240, 7).interval
    assert np.ptp(taken_for_many) < np.ptp(of_rows.interval) / 2
