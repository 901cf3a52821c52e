"""Scores against scikit-learn and hand-worked examples."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

from experiments.intervals import interval_95
from experiments.scores import decided, scores


def accuracy(y: NDArray, predictions: NDArray, threshold: float | None = None) -> float:
    """Of two classes."""
    return scores("binary", y, predictions, threshold)["accuracy"]


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


def test_weights_of_2_are_examples_twice() -> None:
    rng = np.random.default_rng(8)
    y, p, times = rng.integers(0, 2, 50), rng.random((1, 50)), rng.integers(1, 4, 50)
    repeat = np.repeat(np.arange(50), times)
    assert scores("binary", y, p, weights=times.astype(float)) == pytest.approx(
        scores("binary", y[repeat], p[:, repeat]), rel=1e-12
    )
