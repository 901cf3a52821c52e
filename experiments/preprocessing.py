"""The map from raw inputs to the engine's columns: fitted once, saved with the model, explicit.

scikit-learn fits it (medians, categories, what `scaling.py` says); applying it is arithmetic on numbers that are kept
as JSON, so a saved model takes raw inputs and needs no pickle.

The winner's is fitted on all training examples. A fold's is fitted on the examples that its network trains on, so that
what it holds out has no part in it (`fitted_to`), unless the folds share the winner's (`preparation.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.dataset import Dataset
from experiments.errors import InputError
from experiments.readers.array_inputs import ArrayInputs
from experiments.readers.examples import Features
from experiments.readers.inputs import Inputs, fit_inputs, inputs_from_dict
from experiments.readers.number_block import column_parts
from experiments.scaling import CURVED, FloatArray, Scaling, bend, learned

FORMAT_VERSION = 1
_FORMAT_OF_CURVED = 2
_FORMAT_OF_DATES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Preprocessing:
    """Raw inputs to engine columns: check, impute, encode, then (value - offset) / scale and what `scaling.py` says.

    Attributes:
        scaling: A name of `scaling.py` ("auto" is resolved by fitting).
        inputs: What raw examples look like.
        offset: (n0, 1), or (1, 1) where all features share it.
        scale: As offset; never 0. Infinite for a feature that is to be 0 whatever comes.
        quantiles: (number of them, n0), for "quantile"; else None.
    """

    scaling: Scaling
    inputs: Inputs
    offset: FloatArray
    scale: FloatArray
    quantiles: FloatArray | None = None

    @classmethod
    def fit(cls, dataset: Dataset, scaling: Scaling = "auto") -> Preprocessing:
        """Learn from the training examples; the test set is not looked at.

        Args:
            dataset: Raw training examples.
            scaling: See `scaling.py`; one-hot columns stay 0 and 1. "standardize": a constant feature only loses its
                mean. "auto": "unit" for uint8 images, else "standardize".

        Raises:
            InputError: "unit" for features that are not bytes, or "channels" for what are no images; a column without
                any value, or a text column most of whose values differ; numbers too large for float64 arithmetic.
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
        if scaling == "channels" and not (isinstance(dataset.X_train, np.ndarray) and dataset.X_train.ndim == 4):
            raise InputError(
                f"{dataset.source}: scaling = 'channels' is for images, but the examples are none.",
                "Images are arrays (m, h, w, c).",
                "Write scaling = 'auto' or 'standardize'.",
            )
        inputs = fit_inputs(
            dataset.X_train, dataset.feature_names, dataset.source, dataset.examples_axis, dataset.dates
        )
        zero, one = np.zeros((1, 1)), np.ones((1, 1))
        if scaling == "unit":
            return cls(scaling, inputs, zero, 255.0 * one)
        if scaling == "none":
            return cls(scaling, inputs, zero, one)
        encoded = inputs.encoded(dataset.X_train, dataset.source)
        offset, scale, found, _ = _learned(scaling, inputs, encoded, dataset.source)
        return cls(scaling, inputs, offset, scale, found)

    @property
    def is_learned(self) -> bool:
        """Whether any number of it comes from the training examples."""
        return self.scaling not in ("unit", "none") or not isinstance(self.inputs, ArrayInputs)

    def fitted_to(self, encoded: NDArray[Any], which: NDArray[np.bool_], place: str) -> Preprocessing:
        """The same map, with all that it learned of features learned anew, from some of the examples.

        Columns keep their places: a category that is not among these examples counts as unknown, and a feature that is
        the same in all of them is 0 whatever comes, because nothing could be learned of what it means to differ.

        Args:
            encoded: (m, n0), the examples that this one was fitted to, from `inputs.encoded`.
            which: (m,), those to learn from.
            place: How messages name them.
        """
        inputs = self.inputs.learned_from(encoded, which)
        if self.scaling in ("unit", "none"):
            return replace(self, inputs=inputs)
        offset, scale, found, is_constant = _learned(self.scaling, inputs, encoded, place, which)
        is_constant &= ~inputs.is_one_hot
        return Preprocessing(self.scaling, inputs, offset, np.where(is_constant[:, np.newaxis], np.inf, scale), found)

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
        return self.of_encoded(self.inputs.encoded(X_raw, place))

    def of_encoded(self, encoded: NDArray[Any]) -> FloatArray:
        """What `transform` returns, of what `inputs.encoded` made of the examples, (m, n0); read, not changed."""
        return self.scaled(self.inputs.imputed(encoded))

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
        if self.scaling in CURVED:
            bend(columns, self.quantiles, np.flatnonzero(~self.inputs.is_one_hot).tolist())
        return columns

    @property
    def linear(self) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """Shift, scale and fill, (n0,) each, where `of_encoded` is (value - shift) / scale to the bit; else None.

        A missing value is taken to be `fill`.
        """
        if self.scaling in CURVED:
            return None
        fill, is_known = self.inputs.filling
        shift, scale = (np.broadcast_to(array.ravel(), fill.shape) for array in (self.offset, self.scale))
        return shift, np.where(is_known, scale, np.inf), fill

    @property
    def _format_of_scaling(self) -> int:
        return _FORMAT_OF_CURVED if self.scaling in CURVED else FORMAT_VERSION

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values; floats keep every digit."""
        document = {
            "format": _FORMAT_OF_DATES if self.inputs.has_dates else self._format_of_scaling,
            "scaling": self.scaling,
            "inputs": self.inputs.to_dict(),
            "offset": self.offset.ravel().tolist(),
            "scale": [number if math.isfinite(number) else None for number in self.scale.ravel().tolist()],
        }
        return document if self.quantiles is None else document | {"quantiles": self.quantiles.tolist()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Preprocessing:
        """The inverse of `to_dict`: transforms bit for bit as the original did.

        Raises:
            InputError: Saved by another format version, or damaged.
        """
        if saved.get("format") not in (FORMAT_VERSION, _FORMAT_OF_CURVED, _FORMAT_OF_DATES):
            raise InputError(
                f"preprocessing: saved in format {saved.get('format')!r}.",
                f"This version reads formats {FORMAT_VERSION} to {_FORMAT_OF_DATES}.",
                "Load it with the version of sweeps that saved it.",
            )
        try:
            inputs = inputs_from_dict(saved["inputs"])
            offset = np.array(saved["offset"], dtype=np.float64)[:, np.newaxis]
            scale = np.array([math.inf if number is None else number for number in saved["scale"]])[:, np.newaxis]
            found = np.array(saved["quantiles"], dtype=np.float64) if saved["scaling"] == "quantile" else None
            return cls(saved["scaling"], inputs, offset, scale, found)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"preprocessing: the saved state is damaged ({error!r}).",
                "Everything that to_dict wrote is needed.",
                "Save the model again.",
            ) from error


def _learned(
    scaling: Scaling, inputs: Inputs, encoded: NDArray[Any], place: str, which: NDArray[np.bool_] | None = None
) -> tuple[FloatArray, FloatArray, FloatArray | None, NDArray[np.bool_]]:
    """Offset and scale, (n0, 1), which leave one-hot columns 0 and 1; quantiles, if it takes them; what is constant.

    Of a few columns at a time: scikit-learn takes several times the memory of what it is fitted to.
    """
    names, n_channels = inputs.feature_names_out, inputs.shape[-1] if isinstance(inputs, ArrayInputs) else 1
    n_rows, n_columns = encoded.shape
    parts = [slice(0, n_columns)] if scaling == "channels" else column_parts(n_rows, n_columns)
    offsets, scales, quantiles, constants = [], [], [], []
    for part in parts:
        columns = encoded.T[part] if which is None else encoded.T[part].compress(which, axis=1)
        rows = inputs.imputed(columns.T, part)
        offset, scale, found = learned(scaling, rows, names[part], place, n_channels)
        offsets.append(offset)
        scales.append(scale)
        quantiles.append(found)
        constants.append((rows == rows[:1]).all(axis=0))
    is_one_hot = inputs.is_one_hot
    offset = np.where(is_one_hot, 0.0, np.concatenate(offsets))[:, np.newaxis]
    scale = np.where(is_one_hot, 1.0, np.concatenate(scales))[:, np.newaxis]
    together = [found for found in quantiles if found is not None]
    return offset, scale, np.hstack(together) if together else None, np.concatenate(constants)
