"""Random parts and folds are scikit-learn's, row by row."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from experiments.random_splits import folds_of, two_parts

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def class_codes(draw, least_of_each):
    """Shuffled codes of two to six classes, often with ties between their shares."""
    counts = draw(st.lists(st.integers(least_of_each, 12), min_size=2, max_size=6))
    codes = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(draw(SEEDS)).permutation(codes)


def same(ours, theirs):
    return len(ours) == len(theirs) and all(map(np.array_equal, ours, map(np.sort, theirs)))


@given(class_codes(least_of_each=2), st.data(), SEEDS)
def test_two_parts_of_classes_are_those_of_train_test_split(y, data, seed):
    n_classes = len(np.unique(y))
    n_second = data.draw(st.integers(n_classes, len(y) - n_classes))
    theirs = train_test_split(np.arange(len(y)), test_size=n_second, random_state=seed, stratify=y)
    assert same(two_parts(len(y), n_second, seed, y), theirs)


@given(st.integers(2, 200), st.data(), SEEDS)
def test_two_parts_without_classes_are_those_of_train_test_split(m, data, seed):
    n_second = data.draw(st.integers(1, m - 1))
    theirs = train_test_split(np.arange(m), test_size=n_second, random_state=seed)
    assert same(two_parts(m, n_second, seed), theirs)


@given(class_codes(least_of_each=5), st.integers(2, 5), SEEDS)
def test_folds_of_classes_are_those_of_stratified_k_fold(y, n_folds, seed):
    theirs = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(y, y)
    assert same(folds_of(len(y), n_folds, seed, y), [held for _, held in theirs])


@given(st.integers(7, 200), st.integers(2, 7), SEEDS)
def test_folds_without_classes_are_those_of_k_fold(m, n_folds, seed):
    theirs = KFold(n_folds, shuffle=True, random_state=seed).split(np.arange(m))
    assert same(folds_of(m, n_folds, seed), [held for _, held in theirs])
