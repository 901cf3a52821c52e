"""Dropout: in every iteration each unit of a hidden layer is left out for some of the examples, at random.

A[l] is multiplied by a mask of 0 and 1 / (1 - share), so that its mean stays (inverted dropout), and so is dA[l]. Only
training does that: what is validated and predicted with is the whole network.

Source: Srivastava et al. 2014; inverted dropout as in the course (course 2, week 1).
"""

import numpy as np
import numpy.typing as npt

from engine.activations import FloatArray
from engine.memory import full


class Dropout:
    """The masks of one training run, as a function of a seed and of the iteration's number alone.

    All networks share them: folds then differ by their data, not by the luck of a mask, and drawing costs a fifth.

    Args:
        share: Of a layer's units that are left out for an example, above 0 and below 1.
        widths: n[l] of the hidden layers.
        m: Columns that each network trains on in one iteration.
        dtype: float32 or float64.
        seed: Of the masks of all iterations.

    Attributes:
        masks: (n[l], m) of each hidden layer, all views of one array; `load` writes them.
    """

    def __init__(
        self, share: float, widths: tuple[int, ...], m: int, dtype: npt.DTypeLike, seed: tuple[int, ...]
    ) -> None:
        self._share, self._seed = share, seed
        self._all = full((sum(widths), m), 1, dtype)
        self._kept = np.array(1 / (1 - share), dtype)
        ends = np.cumsum(widths).tolist()
        self.masks: tuple[FloatArray, ...] = tuple(
            self._all[end - width : end] for width, end in zip(widths, ends, strict=True)
        )

    def load(self, iteration: int) -> None:
        """Bring the masks of the iteration after `iteration` updates."""
        generator = np.random.default_rng((*self._seed, 2, iteration))  # minibatches have a shorter seed
        generator.random(out=self._all, dtype=self._all.dtype)
        np.greater_equal(self._all, self._share, out=self._all)
        np.multiply(self._all, self._kept, out=self._all)
