"""Scores against hand-worked examples, intervals against coverage."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import r2_score, root_mean_squared_error

from experiments.scores import decided, interval_95, scores


def test_one_row_of_probabilities_means_class_1_from_one_half_on() -> None:
    predictions = np.array([[0.5, 0.49, 0.9, 0.1]], dtype=np.float32)
    assert scores("binary", np.array([1, 1, 1, 0]), predictions) == {"accuracy": 0.75}


def test_several_rows_of_probabilities_mean_the_most_probable_class() -> None:
    predictions = np.array([[0.2, 0.5, 0.1], [0.3, 0.4, 0.1], [0.5, 0.1, 0.8]])
    assert scores("multiclass", np.array([2, 1, 2]), predictions) == {"accuracy": pytest.approx(2 / 3)}


def test_two_rows_for_two_classes_agree_with_one() -> None:
    p = np.random.default_rng(0).random((1, 50))
    y = np.arange(50) % 2
    assert scores("binary", y, p) == scores("binary", y, np.vstack([1 - p, p]))


def test_a_threshold_decides_between_two_classes_instead_of_one_half() -> None:
    y, p = np.array([1, 1, 1, 0]), np.array([[0.3, 0.29, 0.9, 0.1]])
    assert scores("binary", y, p, threshold=0.3) == {"accuracy": 0.75}
    assert scores("binary", y, np.vstack([1 - p, p]), threshold=0.3) == {"accuracy": 0.75}
    assert scores("binary", y, p) == {"accuracy": 0.5}
    sure = np.array([[1.0, 0.0, 1.0, 0.0]])
    assert interval_95("binary", y, p, seed=0, threshold=0.3) == interval_95("binary", y, sure, seed=0)


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


def test_the_bootstrap_is_that_of_single_resamples_scored_one_by_one() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=30)
    predictions = y + rng.normal(size=30) / 2
    found = interval_95("regression", y, predictions[np.newaxis, :], seed=5)
    for name, metric in (("rmse", root_mean_squared_error), ("r2", r2_score)):
        drawn = np.random.default_rng(6).integers(0, 30, size=(2000, 30))
        resampled = [metric(y[rows], predictions[rows]) for rows in drawn]
        np.testing.assert_allclose(found[name], np.percentile(resampled, [2.5, 97.5]), atol=0.03)


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
    assert scores("regression", y, predictions)["rmse"] == error
    intervals = interval_95("regression", y, predictions, seed=0)
    assert set(intervals) == {"rmse", "r2"}
    assert np.isnan(intervals["rmse"]).all() == (len(y) == 1)


@pytest.mark.parametrize("right", [0, 1])
def test_the_accuracy_of_one_example_says_little(right: int) -> None:
    low, high = interval_95("binary", np.array([right]), np.ones((1, 1)), seed=0)["accuracy"]
    assert high - low > 0.7
