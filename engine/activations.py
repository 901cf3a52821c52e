"""Activations of hidden layers: the steps of `A = g(Z)` and `dZ = dA * g'(Z)`, in place, elementwise.

| g          | g(z)              | g'(z) in its cheapest form   | g'(0) |
|------------|-------------------|------------------------------|-------|
| sigmoid    | 1 / (1 + exp(-z)) | a (1 - a)                    | 1/4   |
| tanh       | tanh(z)           | 1 - a^2                      | 1     |
| relu       | max(0, z)         | 1 if z > 0 else 0            | 0     |
| leaky_relu | max(0.01 z, z)    | 1 if z >= 0 else 0.01        | 1     |
| identity   | z                 | 1                            | 1     |

The ReLUs are piecewise linear, so `g(z) = g'(z) z`: one `slope` array serves both directions. Comparison, cast and
product together cost less than `np.maximum(Z, 0)` alone, because `maximum` with a scalar operand is not vectorized in
NumPy 2.4. Other operations with a scalar are vectorized, but a Python scalar is converted at every call (0.3 µs), so
constants are zero-dimensional arrays of the layer's dtype.
"""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from engine.memory import empty, full
from engine.steps import Step, copy, step

FloatArray = npt.NDArray[np.floating[Any]]
Float64Array = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

LEAKY_SLOPE = 0.01


class Activation(ABC):
    """One activation for one layer of one stack; it owns the scratch memory that this layer needs.

    Args:
        shape: (F, n[l], m), the shape of the layer's Z, dZ and A.
        dtype: float32 or float64.
    """

    name: ClassVar[str]
    initialization: ClassVar[str]
    """The scheme of `engine.initialization` that keeps the variance of Z from layer to layer."""

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.slope: FloatArray = empty(shape, dtype)

    @abstractmethod
    def forward(self, Z: FloatArray, A: FloatArray) -> list[Step]:
        """Steps that write g(Z) into A. A may be a view; Z is not changed."""

    @abstractmethod
    def backward(self, dZ: FloatArray, A: FloatArray) -> list[Step]:
        """Steps that multiply dZ, which holds dA, by g'(Z) of the latest forward pass; A is what that pass wrote."""


class Sigmoid(Activation):
    """The logistic function."""

    name = "sigmoid"
    initialization = "xavier"

    def forward(self, Z: FloatArray, A: FloatArray) -> list[Step]:
        """A = sigmoid(Z)."""
        return sigmoid(Z, A)

    def backward(self, dZ: FloatArray, A: FloatArray) -> list[Step]:
        """dZ = dA * a (1 - a)."""
        return [
            step(np.subtract, np.array(1, A.dtype), A, out=self.slope),
            step(np.multiply, self.slope, A, out=self.slope),
            step(np.multiply, dZ, self.slope, out=dZ),
        ]


class Tanh(Activation):
    """The hyperbolic tangent."""

    name = "tanh"
    initialization = "xavier"

    def forward(self, Z: FloatArray, A: FloatArray) -> list[Step]:
        """A = tanh(Z)."""
        return [step(np.tanh, Z, out=A)]

    def backward(self, dZ: FloatArray, A: FloatArray) -> list[Step]:
        """dZ = dA * (1 - a^2)."""
        return [
            step(np.multiply, A, A, out=self.slope),
            step(np.subtract, np.array(1, A.dtype), self.slope, out=self.slope),
            step(np.multiply, dZ, self.slope, out=dZ),
        ]


class Relu(Activation):
    """max(0, z). g'(0) = 0, as in the course: its golden costs hold for no other choice (see README)."""

    name = "relu"
    initialization = "he"

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        super().__init__(shape, dtype)
        self.is_active: BoolArray = empty(shape, np.bool_)

    def forward(self, Z: FloatArray, A: FloatArray) -> list[Step]:
        """A = slope * Z, slope = 1 where z > 0, else 0."""
        return [
            step(np.greater, Z, np.array(0, Z.dtype), out=self.is_active),
            copy(self.is_active, out=self.slope),
            step(np.multiply, Z, self.slope, out=A),
        ]

    def backward(self, dZ: FloatArray, A: FloatArray) -> list[Step]:
        """dZ = dA * slope."""
        return [step(np.multiply, dZ, self.slope, out=dZ)]


class LeakyRelu(Activation):
    """max(0.01 z, z); g'(0) is the right-hand value, 1."""

    name = "leaky_relu"
    initialization = "he"

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        super().__init__(shape, dtype)
        self.is_active: BoolArray = empty(shape, np.bool_)
        self.least_slope = full(shape, LEAKY_SLOPE, dtype)

    def forward(self, Z: FloatArray, A: FloatArray) -> list[Step]:
        """A = slope * Z, slope = 1 where z >= 0, else 0.01."""
        return [
            step(np.greater_equal, Z, np.array(0, Z.dtype), out=self.is_active),
            copy(self.is_active, out=self.slope),
            partial(np.maximum, self.slope, self.least_slope, out=self.slope),  # refuses `out` by position
            step(np.multiply, Z, self.slope, out=A),
        ]

    def backward(self, dZ: FloatArray, A: FloatArray) -> list[Step]:
        """dZ = dA * slope."""
        return [step(np.multiply, dZ, self.slope, out=dZ)]


class Identity(Activation):
    """The layer stays linear."""

    name = "identity"
    initialization = "xavier"

    def forward(self, Z: FloatArray, A: FloatArray) -> list[Step]:
        """A = Z."""
        return [copy(Z, out=A)]

    def backward(self, dZ: FloatArray, A: FloatArray) -> list[Step]:
        """dZ = dA: nothing to do."""
        return []


ACTIVATIONS: dict[str, type[Activation]] = {
    activation.name: activation for activation in (Sigmoid, Tanh, Relu, LeakyRelu, Identity)
}


def sigmoid(Z: FloatArray, A: FloatArray) -> list[Step]:
    """Steps that write 1 / (1 + exp(-Z)) into A, as (1 + tanh(Z / 2)) / 2: no overflow for any z. A may be Z."""
    half = np.array(0.5, Z.dtype)
    return [
        step(np.multiply, Z, half, out=A),
        step(np.tanh, A, out=A),
        step(np.multiply, A, half, out=A),
        step(np.add, A, half, out=A),
    ]
