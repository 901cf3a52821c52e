import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from engine.parts import COLUMNS_OF_A_CACHE_LINE, MIN_COLUMNS, PART_BYTES, divide


@given(n_networks=st.integers(1, 12), m=st.integers(0, 100_000), bytes_of_a_column=st.integers(4, 5000))
def test_every_column_of_every_network_is_in_one_part_and_columns_come_in_order(n_networks, m, bytes_of_a_column):
    seen = [0] * n_networks  # columns of each network so far
    for networks, columns in divide(n_networks, m, bytes_of_a_column):
        for network in range(networks.start, networks.stop):
            assert columns.start == seen[network]
            seen[network] = columns.stop
        is_alone = networks.stop - networks.start == 1
        assert is_alone or (columns.start, columns.stop) == (0, m)
        n_bytes = (networks.stop - networks.start) * (columns.stop - columns.start) * bytes_of_a_column
        assert n_bytes <= PART_BYTES or columns.stop - columns.start <= MIN_COLUMNS
        assert columns.start % COLUMNS_OF_A_CACHE_LINE == 0
    assert seen == [m] * n_networks


def sizes(*arguments):
    return [(networks.stop - networks.start, columns.stop - columns.start) for networks, columns in divide(*arguments)]


def test_small_networks_pass_together_larger_ones_one_by_one_and_the_largest_in_tiles():
    assert sizes(5, 456, 4 * 25) == [(5, 456)]  # 30-16-8-1, 569 examples in five folds
    assert sizes(5, 1438, 4 * 106) == [(1, 1438)] * 5  # 64-64-32-10, 1797 examples
    assert sizes(1, 10_000, 4 * 106) == [(1, 1680)] * 5 + [(1, 1600)]
    assert sizes(3, 0, 4) == []


def test_a_tile_is_never_much_narrower_than_the_others():
    for m in range(1000, 20_000, 77):
        widths = [columns for _, columns in sizes(1, m, 4 * 200)]
        assert max(widths) - min(widths) < len(widths) * COLUMNS_OF_A_CACHE_LINE
        assert np.sum(widths) == m
