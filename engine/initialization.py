"""Initial weights: N(0, variance), with the variance that suits the activation; biases are 0 (1 for a ReLU output).

| scheme | variance of W[l] | for                        | source               |
|--------|------------------|----------------------------|----------------------|
| he     | 2 / n[l-1]       | relu, leaky_relu           | He et al. 2015, (10) |
| xavier | 1 / n[l-1]       | sigmoid, tanh, identity    | Glorot, Bengio 2010  |
| small  | 0.01^2           | the course's first network |                      |
"""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from engine.activations import ACTIVATIONS
from engine.errors import EngineError
from engine.network import Architecture, Parameters

SCHEMES = ("he", "xavier", "small")


def initialize(
    architecture: Architecture,
    generator: np.random.Generator,
    dtype: npt.DTypeLike = np.float64,
    scheme: str | None = None,
) -> Parameters:
    """Draw the initial parameters of one network (F = 1), in the order of the layers.

    Always drawn in float64, then rounded to `dtype`, so that float32 and float64 networks start at the same point.

    Args:
        architecture: Sizes and activation.
        generator: Source of all randomness; advanced by the draws.
        dtype: float32 or float64.
        scheme: One of `SCHEMES`; None takes the activation's own.
    Raises:
        EngineError: Unknown scheme.
    """
    scheme = scheme or ACTIVATIONS[architecture.activation].initialization
    sizes = architecture.layer_sizes
    W = []
    for fan_in, n_units in pairwise(sizes):
        standard_normal = generator.standard_normal((n_units, fan_in))
        W.append((standard_normal * _standard_deviation(scheme, fan_in)).astype(dtype))
    b = [np.zeros((n_units, 1), dtype) for n_units in sizes[1:]]
    if architecture.head == "nonnegative_regression":
        b[-1] += 1  # a ReLU output that starts below 0 for every example never learns; targets have unit deviation
    return Parameters.of_one_network(W, b)


def _standard_deviation(scheme: str, fan_in: int) -> float:
    if scheme == "he":
        return math.sqrt(2 / fan_in)
    if scheme == "xavier":
        return math.sqrt(1 / fan_in)
    if scheme == "small":
        return 0.01
    raise EngineError(
        f"initialization = {scheme!r} is unknown. It must be one of {', '.join(SCHEMES)}; choose one of them."
    )
