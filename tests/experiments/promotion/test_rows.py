"""Rows are told apart by their content, and two models are compared on those that neither was trained on alone."""

import numpy as np
import pandas as pd
import pytest

from experiments.dataset import load_dataset
from experiments.errors import InputError
from experiments.promotion.rows import ENOUGH_NEW, StudyRows, choose_rows, row_digests


def study(train, test):
    return StudyRows(np.asarray(train, dtype=np.uint64), np.asarray(test, dtype=np.uint64))


def test_a_row_has_the_same_digest_wherever_it_stands_and_another_with_another_label_or_value():
    table = pd.DataFrame({"size": [1.0, 2.0, np.nan], "place": ["a", "b", "b"]})
    digests = row_digests(table, np.array([1.0, 2.0, 3.0]))
    order = [2, 0, 1]
    turned = table.iloc[order].reset_index(drop=True)
    np.testing.assert_array_equal(row_digests(turned, np.array([3.0, 1.0, 2.0])), digests[order])
    assert row_digests(table, np.array([1.0, 2.0, 4.0]))[2] != digests[2]
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    one, other = row_digests(images, np.array(["cat", "dog"], dtype=object))
    assert one != other
    assert one == row_digests(images[:1], np.array(["cat"], dtype=object))[0]


def test_rows_of_a_data_set_come_back_from_their_file_and_a_damaged_one_is_an_input_error(tmp_path):
    rows = StudyRows.of(load_dataset("sklearn:iris", seed=1))
    assert (len(rows.train), len(rows.test)) == (120, 30)
    path = tmp_path / "rows.npz"
    assert StudyRows.load(path) is None
    rows.save(path)
    np.testing.assert_array_equal(StudyRows.load(path).test, rows.test)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"PK\3\4 and nothing else")
    with pytest.raises(InputError, match=r"rows\.npz: damaged"):
        StudyRows.load(path)


def test_sealed_rows_that_only_one_was_trained_on_are_left_out():
    """4: the champion trained on it. 5: both did, and it stays."""
    choice = choose_rows(study([1, 2, 5], [3, 4, 5]), study([4, 5], [3]))
    assert choice.is_used.tolist() == [True, False, True]
    assert (choice.n_left_out, choice.are_new) == (1, False)


def test_new_rows_alone_are_used_as_soon_as_there_are_enough_of_them():
    old = np.arange(1000)
    few, enough = np.arange(1000, 1000 + ENOUGH_NEW - 1), np.arange(1000, 1000 + ENOUGH_NEW)
    for new, are_new, n_used in ((few, False, 1000 + ENOUGH_NEW - 1), (enough, True, ENOUGH_NEW)):
        choice = choose_rows(study([], [*old, *new]), study([], old))
        assert (choice.are_new, choice.is_used.sum()) == (are_new, n_used)


def test_rows_that_nobody_knows_of_are_all_used_and_none_counts_as_new():
    choice = choose_rows(study([1], [1, 2]), None)
    assert (choice.is_used.all(), choice.are_new, choice.n_left_out) == (True, False, 0)


def test_the_digest_of_rows_is_that_of_a_set():
    one, other = (choose_rows(study([], test), None) for test in ([1, 2, 3], [3, 1, 2]))
    assert one.digest == other.digest
    assert one.digest != choose_rows(study([], [1, 2]), None).digest
