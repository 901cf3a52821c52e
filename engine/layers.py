"""The steps of one iteration: forward and backward through the layers, for some columns of some networks.

Two rewritings make the textbook's iteration cheap without changing what it computes:

*The bias is a weight.* theta[l] = [W[l] b[l]] and A[l] carries a last row of ones, so that

    Z[l] = theta[l] [A[l-1]; 1]                 = W[l] A[l-1] + b[l]
    dtheta[l] = dZ[l] [A[l-1]; 1]^T             = [dW[l] db[l]]

*The first layer lives in the span of the examples.* Gradient descent only ever adds dZ[1] [X; 1]^T to theta[1], so
theta[1] = theta_0 + C [X; 1]^T for some C (F, n[1], m), and with the Gram matrix K = [X; 1]^T [X; 1]

    Z[1] = theta_0 [X; 1] + C K                 and C -= alpha dZ[1]

Unless there are many more examples than features, that takes fewer operations, and dtheta[1] takes none.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.activations import ACTIVATIONS, FloatArray
from engine.heads import HEADS
from engine.memory import empty, full
from engine.network import Architecture
from engine.products import product, product_over_examples
from engine.steps import Step, copy, step


@dataclass(frozen=True, slots=True)
class Columns:
    """Examples that pass through the layers: m columns for each of F networks.

    Attributes:
        inputs: [X; 1], (F, n[0] + 1, m); or columns of K, (F, m_t, m), for a reduced first layer.
        offset: theta_0 [X; 1], (F, n[1], m), for a reduced first layer; else None.
        Y: Targets, (F, n[L], m).
        goal: What the head's backward pass needs of them, as Y; None if there is no backward pass.
        scale: What it needs of the step sizes: alpha / m_f, (F, 1, m), and 0 where network f does not train on the
            column. They are multiplied into dZ[L], the smallest array of the backward pass, so that the result is the
            step alpha dJ/dtheta itself. None if there is no backward pass.
        masks: Of dropout, (n[l], m) for each hidden layer, shared by all networks; none without.
    """

    inputs: FloatArray
    offset: FloatArray | None
    Y: FloatArray
    goal: FloatArray | None = None
    scale: FloatArray | None = None
    masks: tuple[FloatArray, ...] = ()

    def at(self, networks: slice, columns: slice) -> "Columns":
        """Views of the given columns of the given networks."""
        here = (networks, slice(None), columns)
        offset = None if self.offset is None else self.offset[here]
        goal = None if self.goal is None else self.goal[here]
        scale = None if self.scale is None else self.scale[here]
        masks = tuple(mask[:, columns] for mask in self.masks)
        return Columns(self.inputs[here], offset, self.Y[here], goal, scale, masks)


class Layers:
    """Buffers of a pass: Z[l], A[l], dZ[l] (F, n[l], m) for l = 1..L, and the activations' scratch memory.

    Args:
        architecture: Shared by all networks.
        n_networks, m: Numbers of networks and columns that pass together.
        dtype: float32 or float64.
    """

    def __init__(self, architecture: Architecture, n_networks: int, m: int, dtype: npt.DTypeLike) -> None:
        sizes = architecture.layer_sizes[1:]
        self.L = len(sizes)
        self.Z: list[FloatArray] = [empty((n_networks, n, m), dtype) for n in sizes]
        self.dZ: list[FloatArray] = [empty((n_networks, n, m), dtype) for n in sizes]
        self.A_and_ones: list[FloatArray] = [full((n_networks, n + 1, m), 1, dtype) for n in sizes[:-1]]
        self.A = [A_and_ones[:, :-1, :] for A_and_ones in self.A_and_ones]
        self.masked_and_ones: list[FloatArray] = []  # the same where units are left out, see `_passed_on`
        self.activations = [ACTIVATIONS[architecture.activation](A.shape, dtype) for A in self.A]
        self.head = HEADS[architecture.head]

    def forward(self, theta: list[FloatArray], columns: Columns) -> list[Step]:
        """Steps that compute Z[l] = W[l] A[l-1] + b[l] and A[l] = g(Z[l]) for l = 1..L.

        Args:
            theta: theta[l] (F, n[l], n[l-1] + 1) for l = 1..L; for a reduced first layer C (F, n[1], m_t).
            columns: Inputs of the same F networks, in the same order.
        """
        steps, passed_on = [], self._passed_on(columns)
        for layer, Z in enumerate(self.Z):
            if layer == 0:
                steps += product(theta[0], columns.inputs, out=Z)
                if columns.offset is not None:
                    steps.append(step(np.add, Z, columns.offset, out=Z))
            else:
                steps += product(theta[layer], passed_on[layer - 1], out=Z)
            if layer < self.L - 1:
                steps += self.activations[layer].forward(Z, self.A[layer])
                if columns.masks:
                    masked = passed_on[layer][:, :-1, :]
                    steps.append(step(np.multiply, self.A[layer], columns.masks[layer], out=masked))
        return steps

    def backward(self, theta: list[FloatArray], columns: Columns, dtheta: list[FloatArray]) -> list[Step]:
        """Steps that compute dtheta[l] = alpha [dW[l] db[l]] for l = L..1, summed over these columns.

        They use what the steps of `forward` left in the buffers.

        Args:
            theta, columns: As in `forward`.
            dtheta: Arrays to write to; for a reduced first layer (F, n[1], m), the step of these columns' coefficients.
        """
        assert columns.goal is not None
        assert columns.scale is not None
        dZ, passed_on = self.dZ, self._passed_on(columns)
        steps = self.head.backward(self.Z[-1], columns.goal, columns.scale, dZ[-1])
        for layer in range(self.L - 1, 0, -1):
            W = theta[layer][:, :, :-1]
            steps += product_over_examples(dZ[layer], passed_on[layer - 1], out=dtheta[layer])
            steps += product(W.mT, dZ[layer], out=dZ[layer - 1])
            if columns.masks:
                steps.append(step(np.multiply, dZ[layer - 1], columns.masks[layer - 1], out=dZ[layer - 1]))
            steps += self.activations[layer - 1].backward(dZ[layer - 1], self.A[layer - 1])
        if columns.offset is None:
            steps += product_over_examples(dZ[0], columns.inputs, out=dtheta[0])
        else:
            steps.append(copy(dZ[0], out=dtheta[0]))
        return steps

    def _passed_on(self, columns: Columns) -> list[FloatArray]:
        """What hidden layers pass on: [A[l]; 1], or [A[l] times its mask; 1], (F, n[l] + 1, m)."""
        if not columns.masks:
            return self.A_and_ones
        if not self.masked_and_ones:
            self.masked_and_ones = [full(A.shape, 1, A.dtype) for A in self.A_and_ones]
        return self.masked_and_ones
