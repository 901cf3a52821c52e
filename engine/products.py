"""Matrix products of a stack of F networks, in pieces of the size that BLAS multiplies fastest.

A BLAS copies ("packs") both operands of a product into the order its kernel reads. OpenBLAS skips that for small
products: at most 10^6 multiplications and, for products of the kind dZ A^T, at most 1200 numbers in the result.
With layers of 10 to 100 units packing costs as much as multiplying, so larger products are done in pieces:

    Z[l] = theta[l] [A[l-1]; 1]         tiles of columns:      Z[:, tile] = theta A[:, tile]
    dA[l-1] = W[l]^T dZ[l]              the same
    dtheta[l] = dZ[l] [A[l-1]; 1]^T     blocks of 8 rows:      dtheta[rows, features] = dZ[rows] A[features]^T
                                        and, for many columns, a sum over tiles

The pieces are views; nothing is copied. The same numbers are multiplied, but a sum over tiles is rounded in another
order, so the sizes depend on shapes and on the kind of machine, never on a clock. Measurements: README, decisions.
"""

import numpy as np

from engine.activations import FloatArray
from engine.memory import whole_cache_lines
from engine.steps import Step, step
from engine.threads import multiplies_small_in_place

N_MULTIPLICATIONS = 10**6
N_RESULTS = 1200
N_ROWS = 8
"""Rows of a block of dZ: 4 to 16 are about equally fast; more rows need narrower tiles, fewer read A more often."""
MIN_FEATURES = 64
"""Fewest features of a block, where a layer has too many for one block. With `N_ROWS` it limits the width of a tile, to
1953 columns: more features would need narrower tiles."""
MAX_BYTES_OF_A_COLUMN = 256
"""The largest column of dZ with which many features are divided into blocks: 64 units in float32, 32 in float64. With
more units packing is cheap compared with multiplying."""
MIN_TILE = 80
"""Columns of the narrowest useful tile; a product that would need narrower ones is so large that packing is cheap."""


def product(left: FloatArray, right: FloatArray, out: FloatArray) -> list[Step]:
    """Steps that compute out = left right for each network.

    Args:
        left: (F, n, k), small: theta[l] or W[l]^T.
        right: (F, k, m), one column per example.
        out: (F, n, m), C-contiguous in its last two axes.
    """
    _, n, k = left.shape
    m = right.shape[-1]
    if k == 1:
        return [step(np.multiply, left, right, out=out)]  # `matmul` does not reach BLAS then, `dot` takes twice as long
    widest = N_MULTIPLICATIONS // (n * k)
    if m <= widest or widest < MIN_TILE or not multiplies_small_in_place():
        return [_whole(left, right, out)]
    return [
        step(np.matmul, left, right_tiles, out=out_tiles)
        for right_tiles, out_tiles in zip(_tiles(right, widest), _tiles(out, widest), strict=True)
    ]


def product_over_examples(left: FloatArray, right: FloatArray, out: FloatArray) -> list[Step]:
    """Steps that compute out = left right^T for each network, a sum over the examples.

    Args:
        left: dZ[l], (F, n, m).
        right: [A[l-1]; 1], (F, k, m).
        out: (F, n, k), C-contiguous in its last two axes.
    """
    _, n, m = left.shape
    k = right.shape[-2]
    is_small = n * k <= N_RESULTS and n * k * m <= N_MULTIPLICATIONS
    needs_blocks_of_features = k > N_RESULTS // N_ROWS
    is_large = needs_blocks_of_features and n * left.itemsize > MAX_BYTES_OF_A_COLUMN
    if is_small or is_large or not multiplies_small_in_place():
        return [_whole(left, right.mT, out)]
    widest = N_MULTIPLICATIONS // (N_ROWS * (MIN_FEATURES if needs_blocks_of_features else k))
    left_tiles, right_tiles = _tiles(left, widest), _tiles(right, widest)
    n_tiles = [len(tiles) for tiles in left_tiles]
    if sum(n_tiles) == 1:
        return _in_blocks(left, right.mT, out)
    terms = np.empty((sum(n_tiles), *out.shape), out.dtype)
    steps = []
    for tiles, others, sums in zip(left_tiles, right_tiles, np.split(terms, np.cumsum(n_tiles)[:-1]), strict=True):
        steps += _in_blocks(tiles, others.mT, sums)
    return [*steps, lambda: np.add.reduce(terms, axis=0, out=out)]


def _whole(left: FloatArray, right: FloatArray, out: FloatArray) -> Step:
    """One call for all networks; for one network `dot`, which spends 0.5 µs less on its arguments than `matmul`.

    `dot` would copy a right operand that is not contiguous, so `matmul` takes those. A left one may be copied: only W^T
    is not contiguous, and it is small.
    """
    if len(left) > 1:
        return step(np.matmul, left, right, out=out)
    is_contiguous = right[0].flags.forc
    return step(np.dot if is_contiguous else np.matmul, left[0], right[0], out=out[0])


def _tiles(array: FloatArray, widest: int) -> list[FloatArray]:
    """Views (T, ..., width) of an array (..., m): all tiles of one width, then the remaining columns, if any.

    A tile begins on a cache line if the array's rows do.
    """
    m = array.shape[-1]
    n_tiles = -(-m // widest)
    width = min(whole_cache_lines(-(-m // n_tiles), array.dtype), widest)
    n_full = m // width
    full = array[..., : n_full * width].reshape(*array.shape[:-1], n_full, width)
    views = [np.moveaxis(full, -2, 0)]
    if m > n_full * width:
        views.append(array[np.newaxis, ..., n_full * width :])
    return views


def _in_blocks(left: FloatArray, right: FloatArray, out: FloatArray) -> list[Step]:
    """out = left right, a block of rows of left (..., n, m) and of columns of right (..., m, k) at a time."""
    m, k = right.shape[-2:]
    most = min(N_RESULTS // N_ROWS, N_MULTIPLICATIONS // (N_ROWS * m))
    width = -(-k // -(-k // most))
    steps = []
    for start in range(0, k, width):
        columns = np.s_[..., start : start + width]
        steps += _in_blocks_of_rows(left, right[columns], out[columns])
    return steps


def _in_blocks_of_rows(left: FloatArray, right: FloatArray, out: FloatArray) -> list[Step]:
    """out = left right, a block of `N_ROWS` rows of left (..., n, m) and out (..., n, k) at a time."""
    n = left.shape[-2]
    n_blocks = n // N_ROWS
    steps = []
    if n_blocks > 0:
        first, rest = np.s_[..., : n_blocks * N_ROWS, :], np.s_[..., n_blocks * N_ROWS :, :]
        blocks = (*left.shape[:-2], n_blocks, N_ROWS)
        steps.append(
            step(
                np.matmul,
                left[first].reshape(*blocks, left.shape[-1]),
                right[..., np.newaxis, :, :],
                out=out[first].reshape(*blocks, out.shape[-1]),
            )
        )
        left, out = left[rest], out[rest]
    if left.shape[-2] > 0:
        steps.append(step(np.matmul, left, right, out=out))
    return steps
