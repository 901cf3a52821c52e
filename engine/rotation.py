"""Coordinates of wide data: X = Q R, in which a training that leaves the span of the examples is cheap."""

import numpy as np

from engine.activations import Float64Array


def rotated(X: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Q (n[0], r) with orthonormal columns and R (r, m), so that X = Q R, by singular values; r is the rank of X.

    Directions in which examples differ by rounding alone are left out. AdamW, which divides a gradient by its size,
    would move as far along them as along the others: without effect on these examples, but with one on new ones.
    """
    U, lengths, V = np.linalg.svd(X, full_matrices=False)
    is_kept = lengths > lengths.max(initial=0) * max(X.shape) * np.finfo(X.dtype).eps  # as `np.linalg.matrix_rank` does
    return U[:, is_kept], lengths[is_kept, np.newaxis] * V[is_kept]
