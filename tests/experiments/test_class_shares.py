"""Shares of classes, in the training and in the test set."""

import dataclasses
from math import comb

import numpy as np
import pytest

from experiments.class_shares import ShareShift, share_shift
from experiments.dataset import Dataset, load_dataset


def dataset(train: list[int], test: list[int]) -> Dataset:
    """So many examples of each class."""
    names = tuple(f"class {code}" for code in range(len(train)))
    y = [np.repeat(np.arange(len(counts)), counts) for counts in (train, test)]
    task = "binary" if len(train) == 2 else "multiclass"
    return dataclasses.replace(load_dataset("sklearn:iris"), task=task, class_names=names, y_train=y[0], y_test=y[1])


def fisher(train: list[int], test: list[int]) -> float:
    """Two-sided: the probability of all tables with these margins that are no more probable than this one."""
    n, k, n_ones = sum(train) + sum(test), sum(test), train[1] + test[1]
    tables = [
        comb(n_ones, ones) * comb(n - n_ones, k - ones) for ones in range(max(0, k - n + n_ones), min(k, n_ones) + 1)
    ]
    return sum(table for table in tables if table <= comb(n_ones, test[1]) * comb(n - n_ones, k - test[1])) / comb(n, k)


def test_the_cats_of_the_course_are_another_mixture_in_the_test_set() -> None:
    assert share_shift(dataset([137, 72], [17, 33])) == ShareShift("class 1", 72 / 209, 33 / 50)


@pytest.mark.parametrize("train", [[60, 40], [95, 5], [19, 1]])
def test_two_classes_differ_where_fishers_exact_test_says_so(train: list[int]) -> None:
    for n_ones in range(41):
        test = [40 - n_ones, n_ones]
        assert (share_shift(dataset(train, test)) is not None) == (fisher(train, test) < 0.01), test


def test_of_many_classes_the_one_that_differs_most_is_named() -> None:
    assert share_shift(dataset([100, 100, 100], [30, 30, 34])) is None
    assert share_shift(dataset([100, 100, 100], [30, 0, 60])) == ShareShift("class 1", 1 / 3, 0)


def test_a_set_that_was_divided_here_and_a_regression_differ_in_nothing() -> None:
    assert share_shift(load_dataset("sklearn:breast_cancer")) is None
    assert share_shift(load_dataset("sklearn:diabetes")) is None


def test_a_large_set_takes_no_time() -> None:
    assert share_shift(dataset([150_000, 10_000], [37_000, 3_000])) == ShareShift("class 1", 1 / 16, 0.075)
