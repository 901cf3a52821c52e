"""The map from raw inputs to the engine's columns: fitted once, saved with the model, explicit.

scikit-learn fits it (medians, categories, means and deviations); applying it is arithmetic on numbers that are kept as
JSON, so a saved model takes raw inputs and needs no pickle.

It is fitted on all training columns, including those that a fold holds out, because a trial's F networks share one X
(README, decisions). Means of held-out features do reach the training folds; labels never do, and neither does the
sealed test set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from experiments.dataset import Dataset
from experiments.errors import InputError
from experiments.readers.examples import Features
from experiments.readers.inputs import Inputs, fit_inputs, inputs_from_dict

FloatArray: TypeAlias = NDArray[np.float64]
Scaling = Literal["auto", "standardize", "unit", "none"]
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Preprocessing:
    """Raw inputs to engine columns: check, impute, encode, then (value - offset) / scale.

    Attributes:
        scaling: "standardize", "unit" or "none" ("auto" is resolved by fitting).
        inputs: What raw examples look like.
        offset: (n0, 1), or (1, 1) where all features share it.
        scale: As offset; never 0.
    """

    scaling: Scaling
    inputs: Inputs
    offset: FloatArray
    scale: FloatArray

    @classmethod
    def fit(cls, dataset: Dataset, scaling: Scaling = "auto") -> Preprocessing:
        """Learn from the training examples; the test set is not looked at.

        Args:
            dataset: Raw training examples.
            scaling: "standardize": mean 0, deviation 1, a constant feature only loses its mean, one-hot
                columns stay 0 and 1. "unit": bytes / 255. "none": as they are. "auto": "unit" for uint8
                images, else "standardize".

        Raises:
            InputError: "unit" for features that are not bytes; a column without any value, or a text column most of
                whose values differ; numbers too large for float64 arithmetic.
        """
        is_bytes = isinstance(dataset.X_train, np.ndarray) and dataset.X_train.dtype == np.uint8
        if scaling == "auto":
            scaling = "unit" if is_bytes and dataset.image_shape else "standardize"
        if scaling == "unit" and not is_bytes:
            held = str(dataset.X_train.dtype) if isinstance(dataset.X_train, np.ndarray) else "a table"
            raise InputError(
                f"{dataset.source}: scaling = 'unit' is bytes / 255, but the features are {held}.",
                "'unit' is for uint8 data.",
                "Write scaling = 'auto' or 'standardize'.",
            )
        inputs = fit_inputs(dataset.X_train, dataset.feature_names, dataset.source, dataset.examples_axis)
        zero, one = np.zeros((1, 1)), np.ones((1, 1))
        if scaling == "unit":
            return cls(scaling, inputs, zero, 255.0 * one)
        if scaling == "none":
            return cls(scaling, inputs, zero, one)
        offset, scale = _fit_standardize(inputs, dataset)
        return cls(scaling, inputs, offset, scale)

    @property
    def feature_names_out(self) -> tuple[str, ...]:
        """The name of each row of the result; x0, x1, … where the source has no names."""
        return self.inputs.feature_names_out

    def transform(self, X_raw: Features, place: str = "input") -> FloatArray:
        """Bring raw examples into the form that the networks were trained on.

        Args:
            X_raw: As `Dataset.X_train`, any number m of examples. A table's columns may come in any order.
            place: How messages name the examples.

        Returns:
            (n0, m), columns are examples, C-contiguous, always a copy.

        Raises:
            InputError: Columns, features or image shape differ from training; NaN in an array, infinity anywhere; no
                examples.
        """
        return self.scaled(self.inputs.numbers(X_raw, place))

    def scaled(self, rows: NDArray[Any]) -> FloatArray:
        """The last step of `transform`.

        Args:
            rows: (m, n0), checked, imputed and encoded by `inputs.numbers`; read, not changed.

        Returns:
            (n0, m), columns are examples, C-contiguous, always a copy.
        """
        columns = np.array(rows.T, dtype=np.float64, order="C")
        columns -= self.offset
        columns /= self.scale
        return columns

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values; floats keep every digit."""
        return {
            "format": FORMAT_VERSION,
            "scaling": self.scaling,
            "inputs": self.inputs.to_dict(),
            "offset": self.offset.ravel().tolist(),
            "scale": self.scale.ravel().tolist(),
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Preprocessing:
        """The inverse of `to_dict`: transforms bit for bit as the original did.

        Raises:
            InputError: Saved by another format version, or damaged.
        """
        if saved.get("format") != FORMAT_VERSION:
            raise InputError(
                f"preprocessing: saved in format {saved.get('format')!r}.",
                f"This version reads format {FORMAT_VERSION}.",
                "Load it with the version of sweeps that saved it.",
            )
        try:
            inputs = inputs_from_dict(saved["inputs"])
            offset, scale = (np.array(saved[key], dtype=np.float64)[:, np.newaxis] for key in ("offset", "scale"))
            return cls(saved["scaling"], inputs, offset, scale)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"preprocessing: the saved state is damaged ({error!r}).",
                "Everything that to_dict wrote is needed.",
                "Save the model again.",
            ) from error


def standardization(
    rows: NDArray[np.floating], names: Sequence[str], place: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of each feature; where all values are equal, the deviation is taken to be 1.

    Args:
        rows: (m, n), one row an example.
        names: A name for each of the n features, for messages.
        place: Where the rows come from, for messages.

    Returns:
        Offset and scale, (n,) each.

    Raises:
        InputError: Numbers too large for float64 arithmetic.
    """
    from sklearn.preprocessing import StandardScaler

    with np.errstate(over="ignore", invalid="ignore"):
        scaler = StandardScaler().fit(rows.astype(np.float64, copy=False))
    too_large = np.flatnonzero(~np.isfinite(scaler.var_))  # scale_ would be 1, as if they were constant
    if len(too_large):
        raise InputError(
            f"{place}: '{names[too_large[0]]}' has values up to "
            f"{np.abs(rows[:, too_large[0]]).max():.3g}, too large to square.",
            "Numbers must stay below 1e150.",
            "Correct them, or give them in a larger unit.",
        )
    return np.asarray(scaler.mean_), np.asarray(scaler.scale_)


def _fit_standardize(inputs: Inputs, dataset: Dataset) -> tuple[FloatArray, FloatArray]:
    """Offset and scale, (n0, 1) each: mean and deviation of numbers, 0 and 1 for one-hot columns."""
    rows = inputs.numbers(dataset.X_train, dataset.source)
    offset, scale = standardization(rows, inputs.feature_names_out, dataset.source)
    is_one_hot = inputs.is_one_hot
    offset, scale = np.where(is_one_hot, 0.0, offset), np.where(is_one_hot, 1.0, scale)
    return offset[:, np.newaxis], scale[:, np.newaxis]
