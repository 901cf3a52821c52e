"""The examples a stack of networks trains on, prepared once and shared by all trials and workers."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.activations import BoolArray, Float64Array, FloatArray
from engine.errors import ShapeError


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Examples, targets and folds.

    Attributes:
        inputs: [X; 1], (n[0] + 1, m): the last row of ones carries the biases.
        targets: Y, (n[L], m).
        held_out: (F, m); True where network f is validated on the example instead of trained on it.
        gram: K = [X; 1]^T [X; 1], (m, m), present when n[0] > m: then the first layer is trained in the span of the
            examples (`engine.stack`), which is the same algorithm with fewer operations. Else None.
        exact_gram: K in float64, whatever the dtype of the training (the same array as `gram` where that is float64).
    """

    inputs: FloatArray
    targets: FloatArray
    held_out: BoolArray
    gram: FloatArray | None = None
    exact_gram: Float64Array | None = None

    @classmethod
    def of(
        cls,
        X: FloatArray,
        Y: FloatArray,
        held_out: BoolArray,
        dtype: npt.DTypeLike = np.float64,
        *,
        reduce: bool = True,
    ) -> "TrainingData":
        """Prepare arrays for training.

        Args:
            X: (n[0], m), scaled.
            Y: (n[L], m).
            held_out: (F, m).
            dtype: Of the training, float32 or float64. The Gram matrix is summed in float64 whatever it is.
            reduce: False keeps the plain first layer even where the reduced one is cheaper.
        Raises:
            ShapeError: The numbers of examples differ, or a fold trains on none.
        """
        m = X.shape[-1]
        if X.ndim != 2 or Y.ndim != 2 or Y.shape[1] != m or held_out.ndim != 2 or held_out.shape[1] != m:
            raise ShapeError(
                f"X has shape {X.shape}, Y {Y.shape}, held_out {held_out.shape}. All three are matrices with one "
                "column an example; transpose or select the same examples in each."
            )
        if held_out.all(axis=1).any():
            raise ShapeError(
                f"held_out: network {int(held_out.all(axis=1).argmax())} has every example held out. Each network must "
                "train on at least one; clear some of its row."
            )
        inputs = np.vstack([X, np.ones((1, m))])
        prepared = cls(inputs.astype(dtype), Y.astype(dtype), held_out.astype(np.bool_))
        if not reduce or X.shape[0] <= m:
            return prepared
        exact_gram = inputs.T @ inputs
        return replace(prepared, gram=exact_gram.astype(dtype, copy=False), exact_gram=exact_gram)

    @property
    def n_examples(self) -> int:
        """m."""
        return int(self.inputs.shape[1])

    @property
    def n_features(self) -> int:
        """n[0]."""
        return int(self.inputs.shape[0]) - 1

    @property
    def n_networks(self) -> int:
        """F."""
        return int(self.held_out.shape[0])

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """float32 or float64."""
        return self.inputs.dtype

    def save(self, directory: Path) -> None:
        """Write one .npy file an array into an existing directory, for `load` in other processes."""
        for field in fields(self):
            array = getattr(self, field.name)
            if array is not None:
                np.save(directory / f"{field.name}.npy", array, allow_pickle=False)

    @classmethod
    def load(cls, directory: Path) -> "TrainingData":
        """Map the arrays of `save` into memory, read-only: all processes of a machine share one copy."""

        def mapped(name: str) -> npt.NDArray[Any]:
            array: npt.NDArray[Any] = np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            return np.asarray(array)  # the same memory without np.memmap's Python-level cost in every ufunc

        is_reduced = (directory / "gram.npy").exists()
        return cls(
            inputs=mapped("inputs"),
            targets=mapped("targets"),
            held_out=mapped("held_out"),
            gram=mapped("gram") if is_reduced else None,
            exact_gram=mapped("exact_gram") if is_reduced else None,
        )
