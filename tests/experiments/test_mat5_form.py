"""Sound MATLAB files of every kind are found sound, also where kinds are in them that nobody reads."""

from io import BytesIO

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.sparse import csc_matrix

from experiments.readers.mat5_form import check_mat5_form

VALUES = {
    "floats": np.arange(15.0).reshape(5, 3),
    "bytes": np.arange(60, dtype=np.uint8).reshape(4, 5, 3),
    "complex": np.ones((2, 2)) * 1j,
    "truth": np.array([True, False]),
    "nothing": np.zeros((0, 3)),
    "text": "Köln €",
    "texts": np.array(["ab", "cd"]),
    "cells": np.array([["a", 1.5], [{"b": 2}, "cde"]], dtype=object),
    "structure": {"a": 1, "b": {"c": "x"}},
    "records": np.array([(1, 2.0), (3, 4.0)], dtype=[("a", int), ("b", float)]),
    "sparse": csc_matrix(np.eye(4)[:, 1:]),
    "sparse_truth": csc_matrix(np.eye(4) > 0),
    "sparse_nothing": csc_matrix((3, 4)),
}


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("kind", VALUES)
def test_what_scipy_writes_is_sound(kind: str, is_packed: bool) -> None:
    file = BytesIO()
    savemat(file, {"before": 1, kind: VALUES[kind], "after": "x"}, do_compression=is_packed)
    check_mat5_form(file.getvalue())
    assert set(loadmat(BytesIO(file.getvalue()))) >= {"before", kind, "after"}


def test_an_array_that_ends_before_its_end_is_not() -> None:
    file = BytesIO()
    savemat(file, VALUES)
    with pytest.raises(ValueError, match="is longer than the file"):
        check_mat5_form(file.getvalue()[:-9])
