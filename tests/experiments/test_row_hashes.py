"""Hashes of rows are pandas' own, to the bit: those of earlier studies are compared with today's."""

import numpy as np
import pandas as pd
import pytest

import experiments.row_hashes
from experiments.row_hashes import row_hashes

rng = np.random.default_rng(5)
MIXED = pd.DataFrame(
    {
        "a": [1.5, np.nan, -0.0, 0.0],
        "b": [np.inf, 1.0, 2.0, 2.0],
        "word": pd.Series(["x", None, "y", "y"], dtype="str"),
        "c": [0.1, 0.2, 0.3, 0.3],
        "when": pd.to_datetime(["2024-01-01", "2024-01-02", None, None]).astype("datetime64[us]"),
    }
)


@pytest.mark.parametrize(
    "frame",
    [MIXED, MIXED[["word"]], MIXED.iloc[::-1], pd.DataFrame(rng.normal(size=(7, 300))), MIXED.iloc[:0]],
    ids=["mixed", "text", "another layout", "wide", "no rows"],
)
def test_hashes_are_those_of_pandas(frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments.row_hashes, "NUMBERS_AT_ONCE", 10)  # two rows or one at a time
    np.testing.assert_array_equal(row_hashes(frame), pd.util.hash_pandas_object(frame, index=False))


def test_equal_rows_alone_have_equal_hashes() -> None:
    hashes = row_hashes(MIXED)
    assert hashes[2] == hashes[3], "-0.0 is 0.0"
    assert len(set(hashes.tolist())) == 3
