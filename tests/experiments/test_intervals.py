"""Intervals against textbooks, other formulas and resamples scored one by one."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss, r2_score, roc_auc_score, root_mean_squared_error

from engine.objectives import OBJECTIVES, Objective
from experiments import intervals as module
from experiments.intervals import interval_95
from experiments.scores import scores


def pairs(positives: NDArray, negatives: NDArray) -> NDArray:
    """Whether each positive is above each negative; 1/2 where they are equal."""
    return (positives[:, None] > negatives) + (positives[:, None] == negatives) / 2


def test_the_wilson_interval_of_the_textbook() -> None:
    y = np.ones(50, dtype=int)
    predictions = (np.arange(50) < 40)[np.newaxis, :].astype(float)
    low, high = interval_95("binary", y, predictions, seed=0)["accuracy"]
    # Wilson 1927 by hand for 40 of 50, z = 1.95996: (0.8 + z²/100 ± z sqrt(0.16/50 + z²/10000)) / (1 + z²/50)
    assert (low, high) == (pytest.approx(0.66963, abs=1e-5), pytest.approx(0.88757, abs=1e-5))


def test_the_interval_of_the_auc_is_that_of_resampling_each_class() -> None:
    rng = np.random.default_rng(7)
    y = (np.arange(300) < 90).astype(int)
    p = np.round(rng.random(300) + 0.4 * y, 2) / 1.4
    is_right = pairs(p[:90], p[90:])
    assert is_right.mean() == pytest.approx(roc_auc_score(y, p))
    resampled = [is_right[rng.integers(0, 90, (90, 1)), rng.integers(0, 210, 210)].mean() for _ in range(2000)]
    low, high = interval_95("binary", y, p[np.newaxis], seed=0)["roc_auc"]
    deviation = np.std(resampled)
    assert (high - low) / (2 * 1.959964) == pytest.approx(deviation, rel=0.05)  # 2000 resamples tell it to 1.6 %
    assert (low + high) / 2 == pytest.approx(roc_auc_score(y, p))


def test_delongs_variance_of_a_sample_by_all_its_pairs() -> None:
    """The definition in O(m²): psi of every pair, its means over rows and columns, their sample variances."""
    rng = np.random.default_rng(3)
    positives, negatives = np.round(rng.random(7) + 0.3, 1), np.round(rng.random(9), 1)
    psi = pairs(positives, negatives)
    variance = psi.mean(axis=1).var(ddof=1) / 7 + psi.mean(axis=0).var(ddof=1) / 9
    y = np.repeat([1, 0], [7, 9])
    p = np.concatenate([positives, negatives])[np.newaxis] / 2
    low, high = interval_95("binary", y, p, seed=0)["roc_auc"]
    expected = psi.mean() - 1.959964 * variance**0.5, min(1, psi.mean() + 1.959964 * variance**0.5)
    assert (low, high) == (pytest.approx(expected[0]), pytest.approx(expected[1]))
    assert high < 1 or expected[1] == 1


@pytest.mark.parametrize("is_right", [True, False])
def test_an_auc_without_a_pair_in_the_other_order_is_as_certain_as_its_smaller_class(is_right: bool) -> None:
    y = np.repeat([1, 0], [10, 40])
    p = np.where(y == is_right, 0.9, 0.1)[np.newaxis]
    low, high = interval_95("binary", y, p, seed=0)["roc_auc"]
    ten = interval_95("binary", np.ones(10, int), np.full((1, 10), float(is_right)), seed=0)["accuracy"]
    assert (low, high) == ten
    assert high - low == pytest.approx(0.2775, abs=1e-4)  # Wilson 1927, by hand: z² / (10 + z²)


def test_a_class_with_one_example_says_nothing_about_the_auc() -> None:
    y, p = np.array([1, 0, 0, 0]), np.array([[0.5, 0.4, 0.3, 0.8]])
    assert interval_95("binary", y, p, seed=0)["roc_auc"] == (0, 1)


def test_the_interval_of_a_large_test_sets_log_loss_is_the_one_that_resampling_would_find(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, 3000)
    p = np.clip(0.4 * y + 0.6 * rng.random(3000), 0.01, 0.99)[np.newaxis]
    resampled = interval_95("binary", y, p, seed=0)["log_loss"]
    monkeypatch.setattr(module, "MOST_RESAMPLED", 2999)
    low, high = interval_95("binary", y, p, seed=0)["log_loss"]
    assert (low, high) != resampled
    tolerance = 0.05 * (high - low)
    assert (low, high) == (pytest.approx(resampled[0], abs=tolerance), pytest.approx(resampled[1], abs=tolerance))


def test_the_bootstrap_is_that_of_single_resamples_scored_one_by_one() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=30)
    predictions = y + rng.normal(size=30) / 2
    found = interval_95("regression", y, predictions[np.newaxis, :], seed=5)
    for name, metric in (("rmse", root_mean_squared_error), ("r2", r2_score)):
        drawn = np.random.default_rng(6).integers(0, 30, size=(2000, 30))
        resampled = [metric(y[rows], predictions[rows]) for rows in drawn]
        np.testing.assert_allclose(found[name], np.percentile(resampled, [2.5, 97.5]), atol=0.03)
    y, p = rng.integers(0, 2, 30), rng.random(30)
    low_and_high = interval_95("binary", y, p[np.newaxis], seed=5)["log_loss"]
    losses = np.array([log_loss(y[[i]], p[[i]], labels=[0, 1]) for i in range(30)])
    resampled = [losses[rows].mean() for rows in drawn]
    np.testing.assert_allclose(low_and_high, np.percentile(resampled, [2.5, 97.5]), atol=0.03)


def test_the_interval_holds_the_score_and_the_seed_alone_decides_it() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=80)
    predictions = (y + rng.normal(size=80))[np.newaxis, :]
    intervals = [interval_95("regression", y, predictions, seed=seed) for seed in (1, 1, 2)]
    assert intervals[0] == intervals[1] != intervals[2]
    for name, value in scores("regression", y, predictions).items():
        low, high = intervals[0][name]
        assert low < value < high


def test_a_larger_test_set_than_one_batch_gives_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.random.default_rng(0).normal(size=40)
    whole = interval_95("regression", y, y[np.newaxis, :] * 0.9, seed=0)
    monkeypatch.setattr("experiments.intervals._BATCH_ELEMENTS", 10_000)
    batched = interval_95("regression", y, y[np.newaxis, :] * 0.9, seed=0)
    assert batched["rmse"] == pytest.approx(whole["rmse"])
    assert batched["r2"] == pytest.approx(whole["r2"])


@pytest.mark.parametrize("y", [np.array([1.0]), np.array([1.0, 2.0]), np.array([1.0, 1.0, 1.0])])
@pytest.mark.parametrize("error", [0.0, 1.0])
def test_tiny_and_constant_test_sets_neither_crash_nor_warn(y: NDArray, error: float) -> None:
    predictions = y[np.newaxis, :] + error
    found = scores("regression", y, predictions)
    assert found["rmse"] == error
    assert set(found) == ({"rmse"} if y.min() == y.max() else {"rmse", "r2"})  # nothing to explain: no such score
    intervals = interval_95("regression", y, predictions, seed=0)
    assert set(intervals) == set(found)
    assert set(scores("regression", y, predictions, weights=np.ones(len(y)))) == set(found)
    assert np.isnan(intervals["rmse"]).all() == (len(y) == 1)


@pytest.mark.parametrize("right", [0, 1])
def test_the_accuracy_of_one_example_says_little_and_its_log_loss_nothing(right: int) -> None:
    intervals = interval_95("binary", np.array([right]), np.full((1, 1), 0.9), seed=0)
    low, high = intervals["accuracy"]
    assert high - low > 0.7
    assert np.isnan(intervals["log_loss"]).all()


TASKS = {"classes": ["binary", "multiclass"], "numbers": ["regression"]}


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for name, of in OBJECTIVES.items() for task in TASKS.get(of.kind or "", [])]
)
def test_the_score_of_an_objective_is_there_once_within_its_interval(task: str, name: str, is_weighted: bool) -> None:
    rng = np.random.default_rng(6)
    y = rng.normal(size=60) if task == "regression" else rng.integers(0, 3 if task == "multiclass" else 2, 60)
    predictions = (y + rng.normal(size=60))[np.newaxis] if task == "regression" else rng.random((1, 60))
    if task == "multiclass":
        predictions = rng.dirichlet([1, 1, 1], 60).T
    weights = rng.uniform(0.5, 2, 60) if is_weighted else None
    judged = {"objective": Objective(name), "weights": weights}
    found = scores(task, y, predictions, **judged)
    intervals = interval_95(task, y, predictions, 1, **judged)
    assert set(found) == set(intervals)
    for score, (low, high) in intervals.items():
        assert low <= found[score] <= high
    usual = scores(task, y, predictions, weights=weights)
    assert {key: value for key, value in found.items() if key in usual} == usual
    assert set(found) - set(usual) == {name} - set(usual)


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_examples_of_weight_0_say_nothing_wherever_a_resample_draws_them_alone(task: str) -> None:
    rng = np.random.default_rng(9)
    y = rng.integers(0, 2, 6) if task == "binary" else rng.normal(size=6)
    predictions, weights = rng.random((1, 6)), np.array([1.0, 1, 0, 0, 0, 0])  # one resample in eleven draws no 1
    for name, (low, high) in interval_95(task, y, predictions, seed=0, weights=weights).items():
        assert low <= scores(task, y, predictions, weights=weights)[name] <= high


def test_a_class_or_a_target_of_weight_0_is_as_if_it_were_not_there() -> None:
    p, weights = np.linspace(0.1, 0.9, 8)[np.newaxis], np.repeat([0.0, 1.0], 4)
    for task, y in (("binary", np.repeat([0, 1], 4)), ("regression", np.repeat([2.0, 5.0], 4))):
        found = scores(task, y, p, weights=weights)
        assert found == pytest.approx(scores(task, y[4:], p[:, 4:]))
        assert set(interval_95(task, y, p, seed=0, weights=weights)) == set(found)
