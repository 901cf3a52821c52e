"""Medians of long columns are those of NumPy, bit for bit, whatever is in them."""

import numpy as np
import pytest

from experiments.readers.medians import medians_of

M = 20_001
RNG = np.random.default_rng(6)
NORMAL = RNG.standard_normal(M)
COLUMNS = {
    "normal": NORMAL,
    "heavy tails": NORMAL**9,
    "integers": np.round(3 * NORMAL),
    "two values": (NORMAL > 0.1).astype(float),
    "one value": np.full(M, 4.5),
    "mostly missing": np.where(RNG.random(M) < 0.999, np.nan, NORMAL),
    "half missing": np.where(NORMAL < 0, np.nan, NORMAL),
    "nothing": np.full(M, np.nan),
    "a sample that misleads": np.where(np.arange(M) % (M // 2**10) == 0, 100.0, NORMAL),
    "sorted": np.sort(NORMAL),
    "late": np.where(np.arange(M) < M - 3, np.nan, NORMAL),
}


@pytest.mark.filterwarnings("ignore:All-NaN slice")
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("which", [None, "four fifths", "an even number", "the first half", "one"])
def test_the_median_of_each_column_is_numpys(which: str | None, order: str) -> None:
    encoded = np.array(list(COLUMNS.values())).T.copy(order=order)
    mask = np.ones(M, np.bool_)
    match which:
        case "four fifths":
            mask = np.arange(M) % 5 != 2
        case "an even number":
            mask[7] = False
        case "the first half":
            mask = np.arange(M) < M // 2
        case "one":
            mask = np.arange(M) == 77
    found = medians_of(encoded, None if which is None else mask)
    np.testing.assert_array_equal(found, np.nanmedian(encoded[mask], axis=0))


def test_columns_that_are_not_asked_for_are_left_out() -> None:
    found = medians_of(np.stack([NORMAL, NORMAL], axis=1), None, np.array([False, True]))
    assert np.isnan(found[0])
    assert found[1] == np.median(NORMAL)
