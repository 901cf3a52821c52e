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


def train_on_minibatches(parameters, moments, X, Y, examples, n_iterations, *, activation, is_binary, learning_rate):
    """AdamW on rows[examples[t]] for t = 0, 1, ...; examples is (T, size)."""
    weights = jnp.full(examples.shape[1], 1 / examples.shape[1], X.dtype)

    def update(t, state):
        parameters, m, s = state
        which = examples[t]
        g = jax.grad(cost)(parameters, X[which], Y[which], weights, activation, is_binary)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        s = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, s, g)
        step, root = (learning_rate / (1 - 0.9 ** (t + 1.0))).astype(X.dtype), jnp.sqrt(1 - 0.999 ** (t + 1.0))
        root = root.astype(X.dtype)  # in float32, 1 - 0.999 would have four digits
        parameters = jax.tree.map(lambda p, m, s: p - step * m / (jnp.sqrt(s) / root + 1e-8), parameters, m, s)
        return parameters, m, s

    return jax.lax.fori_loop(0, n_iterations, update, (parameters, *moments))[0]


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


class JaxMinibatches(Jax):
    """AdamW; each fold gathers its minibatches from all rows, one after the other."""

    def _compile(self) -> None:
        keywords = self.one_training.keywords
        self.one_training = functools.partial(train_on_minibatches, **keywords)
        self.training = jax.jit(self.one_training)
        workload = self.workload
        X, Y = jnp.asarray(workload.X.T), jnp.asarray(workload.Y.T)
        examples = workload.examples(workload.n_iterations)
        self.rows = [(X, Y, jnp.asarray(examples[:, fold])) for fold in range(workload.n_networks)]

    def iterate(self, n_iterations: int) -> None:
        zeros = [jax.tree.map(jnp.zeros_like, parameters) for parameters in self.parameters]
        trained = [
            self.training(parameters, (zero, zero), *rows, n_iterations)
            for parameters, zero, rows in zip(self.parameters, zeros, self.rows, strict=True)
        ]
        self.parameters = jax.block_until_ready(trained)


class JaxVmapMinibatches(JaxVmap):
    """AdamW; all folds under vmap."""

    def _compile(self) -> None:
        one_training = functools.partial(train_on_minibatches, **self.one_training.keywords)
        self.training = jax.jit(jax.vmap(one_training, in_axes=(0, 0, None, None, 0, None)))
        workload = self.workload
        examples = workload.examples(workload.n_iterations).transpose(1, 0, 2)
        self.rows = (jnp.asarray(workload.X.T), jnp.asarray(workload.Y.T), jnp.asarray(examples))

    def iterate(self, n_iterations: int) -> None:
        zeros = jax.tree.map(jnp.zeros_like, self.parameters)
        trained = self.training(self.parameters, (zeros, zeros), *self.rows, n_iterations)
        self.parameters = jax.block_until_ready(trained)
