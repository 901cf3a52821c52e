"""Inputs of networks that each have their own X: made in place, so that no fold of large data is there twice."""

from typing import Any

import numpy as np

from engine.activations import FloatArray
from engine.folds import Folds
from engine.inputs import Inputs
from engine.memory import empty


class OwnInputs:
    """Inputs of F networks that have their own X each and whose first layer is not reduced, filled one by one.

    Args:
        n_features: n[0].
        folds: Of all of them.
        dtype: In which networks are trained.

    Attributes:
        inputs: Of all of them; complete when each has been given its X.
    """

    def __init__(self, n_features: int, folds: Folds, dtype: np.dtype[Any]) -> None:
        n_networks, m = folds.held_out.shape
        self._n_filled = 0
        columns, n_training = folds.columns(dtype)
        self._parts = (slice(n_training), slice(m - folds.n_validation, m))
        self._rows: FloatArray = empty((n_networks, m, n_features + 1), dtype)
        training: FloatArray = empty((n_networks, n_features + 1, n_training), dtype)
        validation: FloatArray = empty((n_networks, n_features + 1, folds.n_validation), dtype)
        self.inputs = Inputs(self._rows.mT, columns, training, validation, rows=self._rows)

    def put(self, X: FloatArray) -> None:
        """Give the next network its X, (n[0], m)."""
        number = self._n_filled
        rows = self._rows[number]
        rows[:, :-1] = X.T
        rows[:, -1] = 1
        for inputs, part in zip((self.inputs.training, self.inputs.validation), self._parts, strict=True):
            own = self.inputs.columns[number, part]
            inputs[number, -1] = 1
            for feature, values in enumerate(X):
                inputs[number, feature] = values[own]
        self._n_filled += 1
