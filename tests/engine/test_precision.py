"""Float32 training of a reduced first layer loses no accuracy to the condition of the data (README, decisions)."""

import numpy as np
import pytest

from engine import training
from engine.data import TrainingData
from engine.hyperparameters import Hyperparameters
from engine.initialization import initialize
from engine.network import Architecture, forward
from engine.training import advance, finish, start


def examples(kind, n_features=400, m=80):
    """X and Y, with more features than examples unless the kind says otherwise."""
    generator = np.random.default_rng(0)
    if kind == "more examples than features":
        n_features = 50  # 64 of 80 are trained on: they depend on each other
    X = generator.standard_normal((n_features, m))
    Y = (generator.random((1, m)) < 0.5) * 1.0
    if kind == "badly scaled features":
        X *= np.logspace(-3, 3, n_features)[:, np.newaxis] / 100
    elif kind.startswith("twins"):  # the second half of the columns repeats the first, nearly, with the other label
        distance = float(kind.removeprefix("twins at "))
        X[:, m // 2 :] = X[:, : m // 2] + distance * generator.standard_normal((n_features, m // 2))
        Y[:, m // 2 :] = 1 - Y[:, : m // 2]
    return X, Y


def float32_errors(kind, hidden_units, learning_rate, n_iterations):
    """Largest relative deviation from plain float64 of (any recorded cost, Z[L]), for plain and reduced float32."""
    X, Y = examples(kind)
    held_out = np.zeros((1, Y.size), bool)
    held_out[0, ::5] = True
    architecture = Architecture(len(X), hidden_units, 1, "tanh", "binary")  # smooth: no branch to take differently
    initial = initialize(architecture, np.random.default_rng(1))

    def trained(dtype, *, reduce):
        data = TrainingData.of(X, Y, held_out, dtype, reduce=reduce)
        state, curve = advance(
            start(initial, data, architecture),
            data,
            Hyperparameters(architecture, learning_rate),
            n_iterations,
            range(0, n_iterations + 1, 25),
        )
        parameters = finish(state, initial, data, architecture)
        in_float64 = type(parameters)(
            tuple(W.astype(np.float64) for W in parameters.W), tuple(b.astype(np.float64) for b in parameters.b)
        )
        return np.hstack([curve.train_cost, curve.validation_cost]), forward(in_float64, X, architecture)[0]

    costs, Z = trained(np.float64, reduce=False)
    errors = {}
    for name, reduce in (("plain", False), ("reduced", True)):
        costs_32, Z_32 = trained(np.float32, reduce=reduce)
        errors[name] = np.array([np.abs(costs_32 / costs - 1).max(), np.abs(Z_32 - Z).max() / np.abs(Z).max()])
    return errors


KINDS = [
    "gaussian",
    "more examples than features",
    "badly scaled features",
    "twins at 1e-1",
    "twins at 1e-2",
    "twins at 1e-3",
    "twins at 1e-6",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("hidden_units", "learning_rate"), [((), 0.3), ((8,), 0.03)], ids=["depth 0", "depth 1"])
def test_float32_reduced_is_as_exact_as_float32_plain(kind, hidden_units, learning_rate):
    # Twice the error of plain float32, and some tens of roundings (6e-8 each) where that happens to be small.
    errors = float32_errors(kind, hidden_units, learning_rate, 1500)
    cost_error, logit_error = errors["reduced"]
    assert cost_error <= 2 * errors["plain"][0] + 4e-6
    assert logit_error <= 2 * errors["plain"][1] + 4e-5


def test_without_settling_the_same_data_would_show_a_loss(monkeypatch):
    monkeypatch.setattr(training, "SETTLE_EVERY", 10**9)
    errors = float32_errors("twins at 1e-3", (), 0.3, 1500)
    assert errors["reduced"][0] > 2 * (2 * errors["plain"][0] + 4e-6)
