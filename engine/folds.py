"""Which examples each network of a stack trains on and is validated on, and the order in which it has them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from engine.activations import BoolArray
from engine.errors import ShapeError
from engine.memory import whole_cache_lines

IndexArray = npt.NDArray[np.intp]

MAX_REDUCED = 1.5
"""Training examples of a network per feature up to which a reduced first layer is faster (by operations alone: 2)."""

MIN_FILLED = 128
"""Training examples of a network from which on rows are padded to whole cache lines: at most 12 % more columns."""


@dataclass(frozen=True, slots=True)
class Folds:
    """Which examples each network holds out and is validated on.

    Attributes:
        held_out, validated: (F, m), as in `engine.data.TrainingData`.
        n_training, n_validation: The largest numbers of examples that any of all networks trains and is validated on.
    """

    held_out: BoolArray
    validated: BoolArray
    n_training: int
    n_validation: int

    @classmethod
    def of(cls, held_out: BoolArray, validated: BoolArray | None = None) -> Self:
        """Check them; `validated` is all that are held out, if it is None.

        Raises:
            ShapeError: A network trains on none, or would be validated on what it trains on.
        """
        held_out = held_out.astype(np.bool_)
        validated = held_out if validated is None else validated.astype(np.bool_)
        if held_out.all(axis=1).any():
            raise ShapeError(
                f"held_out: network {int(held_out.all(axis=1).argmax())} has every example held out. Each network must "
                "train on at least one; clear some of its row."
            )
        if (validated & ~held_out).any():
            raise ShapeError(
                "validated: a network would be validated on examples that it trains on. Hold these out as well."
            )
        return cls(held_out, validated, int((~held_out).sum(axis=1).max()), int(validated.sum(axis=1).max()))

    def is_reduced(self, n_features: int, reduce: bool | None) -> bool:
        """Whether the first layer is trained in the span of the examples, if the caller does not say."""
        return self.n_training <= MAX_REDUCED * n_features if reduce is None else reduce

    def columns(self, dtype: np.dtype[Any]) -> tuple[IndexArray, int]:
        """`Inputs.columns`, and how many of each network's `Inputs.training` holds."""
        columns = _in_order(self.held_out, self.validated)
        if self.n_training < MIN_FILLED:
            return columns, self.n_training
        n_training = whole_cache_lines(self.n_training, dtype)
        return np.pad(columns, [(0, 0), (0, max(0, n_training - columns.shape[1]))]), n_training

    def validation_columns(self) -> IndexArray:
        """(F, m_v): the last of those columns, as many as any network is validated on."""
        n_others = self.held_out.shape[1] - self.n_validation
        columns = np.empty((len(self.held_out), self.n_validation), np.intp)
        for own, held_out, validated in zip(columns, self.held_out, self.validated, strict=True):
            own[...] = _in_order(held_out, validated)[n_others:]
        return columns

    def each(self) -> Iterator[Self]:
        """Those of each network alone, of the same sizes."""
        for held_out, validated in zip(self.held_out, self.validated, strict=True):
            yield replace(self, held_out=held_out[np.newaxis], validated=validated[np.newaxis])


def _in_order(held_out: BoolArray, validated: BoolArray) -> IndexArray:
    """All examples, those that are trained on first and those that are validated on last; along the last axis."""
    return np.argsort(held_out.astype(np.int8) + validated, kind="stable")
