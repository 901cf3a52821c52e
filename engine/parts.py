"""Which networks of a stack, and which of their columns, pass through the layers together.

One pass over all F networks costs the fewest calls, but its buffers (Z, A, dZ and the slopes of every layer) leave the
cache between one operation and the next when they are large. So a part is the whole stack, else one network, else a
tile of one network's columns: the first of these that has at most about `PART_BYTES` of Z. All parts use the same
buffers, one after the other. That also bounds the memory of a worker: its buffers do not grow with the number of
examples.

The sizes depend on shapes only, never on a clock, because a sum over tiles of columns is rounded differently from a
sum over all columns at once. Measurements: README, decisions.
"""

from engine.memory import CACHE_LINE

PART_BYTES = 800_000
"""Bytes of Z in all layers of a part. Z, A, dZ, slopes and inputs together take about five times as much. That is more
than an L2 cache of 1 to 2 MB, but a pass through one layer touches only a few of them, and narrower tiles would mean
more calls."""
COLUMNS_OF_A_CACHE_LINE = CACHE_LINE // 4
"""In float32; in float64 as many columns fill two lines."""
MIN_COLUMNS = 1008
"""The largest width of a tile is never set below this many columns: in narrower tiles a product of large layers spends
too much time on packing theta."""


def divide(n_networks: int, m: int, bytes_of_a_column: int) -> list[tuple[slice, slice]]:
    """Divide F networks of m columns each into parts.

    Args:
        bytes_of_a_column: What one column takes in Z, over all layers of one network.
    Returns:
        (networks, columns) of each part; no parts for m = 0. Parts of one network are consecutive, in column order.
    """
    bytes_of_a_network = m * bytes_of_a_column
    n_together = n_networks if n_networks * bytes_of_a_network <= PART_BYTES else 1
    width = m if bytes_of_a_network <= PART_BYTES else max(MIN_COLUMNS, PART_BYTES // bytes_of_a_column)
    return [
        (networks, columns)
        for networks in _slices(n_networks, n_together)
        for columns in _slices(m, width, multiple_of=COLUMNS_OF_A_CACHE_LINE)
    ]


def _slices(total: int, largest: int, *, multiple_of: int = 1) -> list[slice]:
    """Consecutive slices of 0..total, none longer than `largest`, all of the same length except the last."""
    if total <= largest:
        return [slice(0, total)] if total > 0 else []
    n_slices = -(-total // (largest - largest % multiple_of))
    length = -(-total // n_slices // multiple_of) * multiple_of
    return [slice(start, min(start + length, total)) for start in range(0, total, length)]
