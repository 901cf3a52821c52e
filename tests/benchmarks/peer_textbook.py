"""The course's NumPy loop: readable, vectorized over examples and units, one network at a time."""

import numpy as np

from tests.benchmarks.contenders import Layers
from tests.benchmarks.workloads import FloatArray, Workload


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def softmax(Z):
    E = np.exp(Z - Z.max(axis=0, keepdims=True))
    return E / E.sum(axis=0, keepdims=True)


ACTIVATIONS = {
    "relu": lambda Z: np.maximum(0, Z),
    "leaky_relu": lambda Z: np.where(Z >= 0, Z, 0.01 * Z),
    "tanh": np.tanh,
    "sigmoid": sigmoid,
}
SLOPES = {
    "relu": lambda Z, A: Z > 0,
    "leaky_relu": lambda Z, A: np.where(Z >= 0, 1, Z.dtype.type(0.01)),
    "tanh": lambda Z, A: 1 - A**2,
    "sigmoid": lambda Z, A: A * (1 - A),
}


def forward(X, W, b, activation, head):
    A, Z = [X], []
    for layer in range(len(W)):
        Z.append(W[layer] @ A[layer] + b[layer])
        is_output = layer == len(W) - 1
        A.append((sigmoid if head == "binary" else softmax)(Z[-1]) if is_output else ACTIVATIONS[activation](Z[-1]))
    return Z, A


def backward(Y, W, Z, A, activation):
    m = Y.shape[1]
    dW, db = [None] * len(W), [None] * len(W)
    dZ = A[-1] - Y
    for layer in reversed(range(len(W))):
        dW[layer] = dZ @ A[layer].T / m
        db[layer] = dZ.sum(axis=1, keepdims=True) / m
        if layer > 0:
            dZ = (W[layer].T @ dZ) * SLOPES[activation](Z[layer - 1], A[layer])
    return dW, db


class Textbook:
    """A loop over the folds around the course's loop over the iterations; each fold trains on its own columns."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.columns: list[tuple[FloatArray, FloatArray]] = [
            (workload.X[:, ~held_out], workload.Y[:, ~held_out]) for held_out in workload.held_out
        ]

    def start(self) -> None:
        self.W = [[W[0].copy() for W in self.workload.initial.W] for _ in self.columns]
        self.b = [[b[0].copy() for b in self.workload.initial.b] for _ in self.columns]

    def iterate(self, n_iterations: int) -> None:
        activation, head = self.workload.architecture.activation, self.workload.architecture.head
        learning_rate = self.workload.learning_rate
        for (X, Y), W, b in zip(self.columns, self.W, self.b, strict=True):
            for _ in range(n_iterations):
                Z, A = forward(X, W, b, activation, head)
                dW, db = backward(Y, W, Z, A, activation)
                for layer in range(len(W)):
                    W[layer] = W[layer] - learning_rate * dW[layer]
                    b[layer] = b[layer] - learning_rate * db[layer]

    def networks(self) -> list[Layers]:
        return [list(zip(W, b, strict=True)) for W, b in zip(self.W, self.b, strict=True)]
