"""Scores against hand-worked examples, intervals against coverage."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss, r2_score, roc_auc_score, root_mean_squared_error

from engine.objectives import OBJECTIVES, Objective
from experiments import scores as module
from experiments.scores import decided, interval_95, scores


def accuracy(y: NDArray, predictions: NDArray, threshold: float | None = None) -> float:
    """Of two classes."""
    return scores("binary", y, predictions, threshold)["accuracy"]


def pairs(positives: NDArray, negatives: NDArray) -> NDArray:
    """Whether each positive is above each negative; 1/2 where they are equal."""
    return (positives[:, None] > negatives) + (positives[:, None] == negatives) / 2


def test_one_row_of_probabilities_means_class_1_from_one_half_on() -> None:
    predictions = np.array([[0.5, 0.49, 0.9, 0.1]], dtype=np.float32)
    assert accuracy(np.array([1, 1, 1, 0]), predictions) == 0.75


def test_several_rows_of_probabilities_mean_the_most_probable_class() -> None:
    predictions = np.array([[0.2, 0.5, 0.1], [0.3, 0.4, 0.1], [0.5, 0.1, 0.8]])
    assert scores("multiclass", np.array([2, 1, 2]), predictions)["accuracy"] == pytest.approx(2 / 3)


def test_two_rows_for_two_classes_agree_with_one() -> None:
    p = np.random.default_rng(0).random((1, 50))
    y = np.arange(50) % 2
    assert scores("binary", y, p) == scores("binary", y, np.vstack([1 - p, p]))
    assert interval_95("binary", y, p, seed=0) == interval_95("binary", y, np.vstack([1 - p, p]), seed=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_are_scored_by_scikit_learns_log_loss_and_two_classes_by_its_auc(dtype: type) -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 60)
    p = np.round(0.3 * y + 0.7 * rng.random(60), 1).astype(dtype)[np.newaxis]  # with ties, and with 0 and 1
    found = scores("binary", y, p)
    assert list(found) == ["accuracy", "log_loss", "roc_auc"]
    assert found["log_loss"] == log_loss(y, p[0])
    assert found["roc_auc"] == roc_auc_score(y, p[0])
    P = rng.dirichlet([1, 1, 1], size=60).astype(dtype)
    of_three = scores("multiclass", rng.integers(0, 3, 60), P.T)
    assert list(of_three) == ["accuracy", "log_loss"]


def test_a_class_that_the_test_set_lacks_has_its_probability_all_the_same() -> None:
    P = np.array([[0.2, 0.5], [0.3, 0.4], [0.5, 0.1]])
    assert scores("multiclass", np.array([2, 1]), P)["log_loss"] == pytest.approx(-np.log([0.5, 0.4]).mean())
    one_class = np.array([1, 1])
    assert list(scores("binary", one_class, P[:1])) == ["accuracy", "log_loss"]
    assert list(interval_95("binary", one_class, P[:1], seed=0)) == ["accuracy", "log_loss"]


def test_an_ensembles_probabilities_which_sum_to_one_in_float32_only_are_scored_all_the_same() -> None:
    P = np.random.default_rng(0).dirichlet([1, 1, 1], size=50).astype(np.float32)
    assert abs(P.astype(np.float64).sum(axis=1) - 1).max() > 3e-8, "scikit-learn warns of this"
    y = np.arange(50) % 3
    found = scores("multiclass", y, P.astype(np.float64).T)
    assert found["log_loss"] == pytest.approx(log_loss(y, P), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_that_is_sure_and_wrong_has_a_finite_log_loss(dtype: type) -> None:
    y, p = np.array([0, 1]), np.array([[1.0, 1.0 + np.finfo(dtype).eps]], dtype)  # so may a weighted mean end
    expected = -np.log(np.finfo(dtype).eps) / 2
    assert scores("binary", y, p)["log_loss"] == pytest.approx(expected, rel=1e-6)
    low, high = interval_95("binary", y, p, seed=0)["log_loss"]
    assert (low, high) == (pytest.approx(0, abs=1e-6), pytest.approx(2 * expected, rel=1e-6))


def test_a_threshold_decides_between_two_classes_instead_of_one_half() -> None:
    y, p = np.array([1, 1, 1, 0]), np.array([[0.3, 0.29, 0.9, 0.1]])
    assert accuracy(y, p, 0.3) == accuracy(y, np.vstack([1 - p, p]), 0.3) == 0.75
    assert accuracy(y, p) == 0.5
    sure = np.array([[1.0, 0.0, 1.0, 0.0]])
    of_threshold = interval_95("binary", y, p, seed=0, threshold=0.3)
    assert of_threshold["accuracy"] == interval_95("binary", y, sure, seed=0)["accuracy"]
    without = scores("binary", y, p) | {"accuracy": 0.75}
    assert scores("binary", y, p, threshold=0.3) == without, "no other score knows of a decision"


def test_a_threshold_is_compared_with_the_probability_as_it_is_shown() -> None:
    p = np.array([[0.7]], np.float32)  # 0.699999988
    assert decided("binary", p, threshold=0.7).tolist() == [0]
    assert decided("binary", p, threshold=float(p[0, 0])).tolist() == [1]


def test_regression_is_scored_in_original_units() -> None:
    found = scores("regression", np.array([1.0, 3.0]), np.array([[1.0, 1.0]]))
    assert found == {"rmse": pytest.approx(np.sqrt(2)), "r2": pytest.approx(-1)}


def test_predictions_of_another_number_of_examples_are_a_bug() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 1\), not \(rows, 3\)"):
        scores("regression", np.zeros(3), np.zeros((3, 1)))


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
    monkeypatch.setattr("experiments.scores._BATCH_ELEMENTS", 10_000)
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


def test_weights_of_2_are_examples_twice() -> None:
    rng = np.random.default_rng(8)
    y, p, times = rng.integers(0, 2, 50), rng.random((1, 50)), rng.integers(1, 4, 50)
    repeat = np.repeat(np.arange(50), times)
    assert scores("binary", y, p, weights=times.astype(float)) == pytest.approx(
        scores("binary", y[repeat], p[:, repeat]), rel=1e-12
    )
