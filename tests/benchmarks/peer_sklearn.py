"""scikit-learn's MLPClassifier, doing full-batch gradient descent from given initial weights."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from tests.benchmarks.contenders import Layers
from tests.benchmarks.workloads import Workload

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}
"""It has no leaky ReLU."""


class _GivenWeights(MLPClassifier):
    """Starts from `given`, a list of (W, b), instead of drawing."""

    given: Layers

    def _init_coef(self, fan_in, fan_out, dtype):
        W, b = self._remaining.pop(0)
        return W.T.astype(dtype), b[:, 0].astype(dtype)

    def fit(self, X, y):
        self._remaining = list(self.given)
        return super().fit(X, y)


class ScikitLearn:
    """One `fit` a fold; it has no stack."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        labels = workload.Y[0].astype(int) if len(workload.Y) == 1 else workload.Y.argmax(axis=0)
        self.rows = [(np.ascontiguousarray(workload.X[:, ~held].T), labels[~held]) for held in workload.held_out]

    def start(self) -> None:
        """`fit` starts over by itself."""

    def iterate(self, n_iterations: int) -> None:
        self.models = [self._fit(X, y, n_iterations) for X, y in self.rows]

    def _fit(self, X, y, n_iterations):
        model = _GivenWeights(
            hidden_layer_sizes=self.workload.architecture.hidden_units,
            activation=ACTIVATIONS[self.workload.architecture.activation],
            solver="sgd",
            alpha=0,
            batch_size=len(X),
            learning_rate="constant",
            learning_rate_init=self.workload.learning_rate,
            max_iter=n_iterations,
            n_iter_no_change=n_iterations + 1,
            momentum=0,
            nesterovs_momentum=False,
            shuffle=False,
        )
        initial = self.workload.initial
        model.given = [(W[0], b[0]) for W, b in zip(initial.W, initial.b, strict=True)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(X, y)

    def networks(self) -> list[Layers]:
        return [[(W.T, b[:, None]) for W, b in zip(m.coefs_, m.intercepts_, strict=True)] for m in self.models]
