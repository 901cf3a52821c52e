"""What a network is: its architecture, its parameters, and the forward pass as the textbook writes it.

Notation (columns are examples, no rank-1 arrays):

| symbol | meaning                                         | shape                |
|--------|-------------------------------------------------|----------------------|
| m      | number of examples                              |                      |
| F      | number of networks in the stack (folds)         |                      |
| L      | number of layers = depth + 1                    |                      |
| n[l]   | units of layer l; n[0] = features               |                      |
| X      | inputs, A[0]                                    | (n[0], m)            |
| Y      | targets                                         | (n[L], m)            |
| W[l]   | weights                                         | (F, n[l], n[l-1])    |
| b[l]   | biases                                          | (F, n[l], 1)         |
| Z[l]   | W[l] A[l-1] + b[l]                              | (F, n[l], m)         |
| A[l]   | g(Z[l])                                         | (F, n[l], m)         |

Python counts from 0, so `W[0]` in code is W[1] of the mathematics.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.activations import ACTIVATIONS, FloatArray
from engine.errors import EngineError, ShapeError
from engine.heads import HEADS
from engine.steps import run


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes and functions of a network.

    Attributes:
        n_features: n[0].
        hidden_units: n[1], ..., n[L-1]; empty for logistic or linear regression (depth 0).
        n_outputs: n[L].
        activation: Activation of the hidden layers, a name in `ACTIVATIONS`.
        head: Output activation and loss, a name in `HEADS`.
    Raises:
        EngineError: A size below 1, or an unknown activation or head.
    """

    n_features: int
    hidden_units: tuple[int, ...]
    n_outputs: int
    activation: str
    head: str

    def __post_init__(self) -> None:
        if min(self.layer_sizes) < 1:
            raise EngineError(
                f"architecture: layer sizes are {self.layer_sizes}. Every layer needs at least one unit; "
                "raise the size that is below 1."
            )
        for kind, name, known in (("activation", self.activation, ACTIVATIONS), ("head", self.head, HEADS)):
            if name not in known:
                raise EngineError(
                    f"architecture: {kind} = {name!r} is unknown. "
                    f"It must be one of {', '.join(known)}; choose one of them."
                )

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """n[0], ..., n[L]."""
        return (self.n_features, *self.hidden_units, self.n_outputs)

    @property
    def depth(self) -> int:
        """Number of hidden layers; L = depth + 1."""
        return len(self.hidden_units)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Weights and biases of a stack of F networks.

    Attributes:
        W: W[l], (F, n[l], n[l-1]), for l = 1..L.
        b: b[l], (F, n[l], 1), for l = 1..L.
    """

    W: tuple[FloatArray, ...]
    b: tuple[FloatArray, ...]

    @classmethod
    def of_one_network(cls, W: Sequence[FloatArray], b: Sequence[FloatArray]) -> "Parameters":
        """Stack of F = 1 from explicit W[l] (n[l], n[l-1]) and b[l] (n[l], 1)."""
        return cls(tuple(w[np.newaxis] for w in W), tuple(bias[np.newaxis] for bias in b))

    def check(self, architecture: Architecture) -> None:
        """Raise ShapeError unless every array has the shape that the architecture requires."""
        sizes = architecture.layer_sizes
        if not len(self.W) == len(self.b) == len(sizes) - 1:
            raise ShapeError(
                f"parameters: {len(self.W)} W and {len(self.b)} b. An architecture of depth "
                f"{architecture.depth} has {len(sizes) - 1} of each; pass one W and one b per layer."
            )
        n_networks = len(self.W[0])
        for layer, (w, bias) in enumerate(zip(self.W, self.b, strict=True), start=1):
            for name, array, shape in (
                ("W", w, (sizes[layer], sizes[layer - 1])),
                ("b", bias, (sizes[layer], 1)),
            ):
                if array.ndim != 3 or array.shape != (n_networks, *shape):
                    raise ShapeError(
                        f"parameters: {name}[{layer}] has shape {array.shape}. "
                        f"Layers {sizes} need (F, {shape[0]}, {shape[1]}) with one F for all; reshape or transpose it."
                    )


def forward(parameters: Parameters, X: FloatArray, architecture: Architecture) -> tuple[FloatArray, FloatArray]:
    """Logits and outputs of trained networks on any examples: the textbook's forward pass.

    Prediction uses it; training does not (see `engine.stack`, which owns its buffers). The tests compare the two.

    Args:
        parameters: W[l] (F, n[l], n[l-1]) and b[l] (F, n[l], 1) for l = 1..L.
        X: (n[0], m), or (F, n[0], m) for networks that each have their own; scaled as the training inputs were.
        architecture: Shared by all F networks.
    Returns:
        Z[L] and A[L], both (F, n[L], m), in the dtype of the parameters.
    Raises:
        ShapeError: X does not have n[0] rows, or the parameters do not fit the architecture.
    """
    parameters.check(architecture)
    if X.shape[:-2] not in ((), (len(parameters.W[0]),)) or X.shape[-2:-1] != (architecture.n_features,):
        raise ShapeError(
            f"X has shape {X.shape}. The network takes {architecture.n_features} features as rows, one column per "
            f"example; pass an array of shape ({architecture.n_features}, m)."
        )
    activation = ACTIVATIONS[architecture.activation]
    A: FloatArray = X.astype(parameters.W[0].dtype, copy=False)
    for layer, (W, b) in enumerate(zip(parameters.W, parameters.b, strict=True), start=1):
        Z: FloatArray = W @ A + b
        if layer <= architecture.depth:
            A = np.empty_like(Z)
            run(activation(Z.shape, Z.dtype).forward(Z, A))
        else:
            A = HEADS[architecture.head].outputs(Z)
    return Z, A
