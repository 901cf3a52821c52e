"""Which networks of a stack, and which of their columns, pass through the layers together.

One pass over all F networks costs the fewest calls, but its buffers (Z, A, dZ and the slopes of every layer) leave the
cache between one operation and the next when they are large. So a part of the stack is as many networks, or of one
network as many columns, as have about `PART_BYTES` of Z; all parts use the same buffers, one after the other. That
also bounds the memory of a worker: its buffers do not grow with the number of examples.

The sizes depend on shapes only, never on a clock: a sum over tiles of columns is rounded in another order than one over
all of them. Measured: README, decisions.
"""

from engine.memory import CACHE_LINE

PART_BYTES = 800_000
"""Of Z in all layers of a part. Z, A, dZ, slopes and inputs together take about five times that; an L2 cache has 1 to 2
MB, but a pass through a layer touches a few of them only, and with narrow tiles there are more calls."""
COLUMNS_OF_A_CACHE_LINE = CACHE_LINE // 4
"""In float32; in float64 they fill two."""
MIN_COLUMNS = 1008
"""Of a tile: in fewer columns a product of large layers spends too much on packing theta."""


def divide(n_networks: int, m: int, bytes_of_a_column: int) -> list[tuple[slice, slice]]:
    """The parts of F networks with m columns each; `bytes_of_a_column` are those of Z in all layers of one network.

    Returns:
        (networks, columns) of each part; none for m = 0. Parts of one network follow each other, first columns first.
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
    """Consecutive slices of 0..total, none longer than `largest`, all of one length but the last."""
    if total <= largest:
        return [slice(0, total)] if total > 0 else []
    n_slices = -(-total // (largest - largest % multiple_of))
    length = -(-total // n_slices // multiple_of) * multiple_of
    return [slice(start, min(start + length, total)) for start in range(0, total, length)]
