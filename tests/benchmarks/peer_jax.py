"""JAX: the whole loop of iterations in one jitted function; folds one after another, or under vmap. All cores."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests.benchmarks.contenders import Layers
from tests.benchmarks.workloads import Workload

jax.config.update("jax_enable_x64", True)  # permits float64; arrays keep the dtype they are given

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
}


def cost(parameters, X, Y, weights, activation, is_binary):
    """Weighted mean loss; rows are examples, W is (n[l-1], n[l])."""
    A = X
    for W, b in parameters[:-1]:
        A = activation(A @ W + b)
    W, b = parameters[-1]
    Z = A @ W + b
    losses = jax.nn.softplus(Z) - Y * Z if is_binary else -Y * jax.nn.log_softmax(Z)
    return weights @ losses.sum(axis=1)


def train(parameters, X, Y, weights, n_iterations, *, activation, is_binary, learning_rate):
    def update(_, parameters):
        gradients = jax.grad(cost)(parameters, X, Y, weights, activation, is_binary)
        return jax.tree.map(lambda p, g: p - learning_rate * g, parameters, gradients)

    return jax.lax.fori_loop(0, n_iterations, update, parameters)


class Jax:
    """Each fold trains on its own rows, one after the other."""

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self.one_training = functools.partial(
            train,
            activation=ACTIVATIONS[workload.architecture.activation],
            is_binary=workload.architecture.head == "binary",
            learning_rate=workload.learning_rate,
        )
        self._compile()
        self.start()
        self.iterate(1)  # compiles

    def _compile(self) -> None:
        self.training = jax.jit(self.one_training)
        self.rows = []
        for held in self.workload.held_out:
            X, Y = (jnp.asarray(array[:, ~held].T) for array in (self.workload.X, self.workload.Y))
            self.rows.append((X, Y, jnp.full(len(X), 1 / len(X), X.dtype)))

    def start(self) -> None:
        initial = self.workload.initial
        one = [(jnp.asarray(W[0].T), jnp.asarray(b[0, :, 0])) for W, b in zip(initial.W, initial.b, strict=True)]
        self.parameters = [one for _ in self.rows]

    def iterate(self, n_iterations: int) -> None:
        trained = [
            self.training(parameters, *rows, n_iterations)
            for parameters, rows in zip(self.parameters, self.rows, strict=True)
        ]
        self.parameters = jax.block_until_ready(trained)

    def networks(self) -> list[Layers]:
        return [[(np.asarray(W).T, np.asarray(b)[:, None]) for W, b in one] for one in self.parameters]


class JaxVmap(Jax):
    """All F networks at once on all rows; folds are weights of the loss."""

    def _compile(self) -> None:
        self.training = jax.jit(jax.vmap(self.one_training, in_axes=(0, None, None, 0, None)))
        trained_on = ~self.workload.held_out
        weights = (trained_on / trained_on.sum(axis=1, keepdims=True)).astype(self.workload.dtype)
        self.rows = (jnp.asarray(self.workload.X.T), jnp.asarray(self.workload.Y.T), jnp.asarray(weights))

    def start(self) -> None:
        initial, n_networks = self.workload.initial, self.workload.n_networks
        self.parameters = [
            (jnp.repeat(jnp.asarray(W).mT, n_networks, axis=0), jnp.repeat(jnp.asarray(b)[..., 0], n_networks, axis=0))
            for W, b in zip(initial.W, initial.b, strict=True)
        ]

    def iterate(self, n_iterations: int) -> None:
        self.parameters = jax.block_until_ready(self.training(self.parameters, *self.rows, n_iterations))

    def networks(self) -> list[Layers]:
        arrays = [(np.asarray(W), np.asarray(b)) for W, b in self.parameters]
        return [[(W[f].T, b[f][:, None]) for W, b in arrays] for f in range(self.workload.n_networks)]
