"""The classic lesson with today's numbers: one dot product, one matrix times vector, one epoch of logistic regression.

    python -m tests.benchmarks.bench_vectorization [--quick] [--append]

Each is computed with two explicit loops or one, then vectorized; the epoch also by the engine. What would take minutes
is measured on a slice and multiplied, and says so. The last column compares the result with the vectorized one. One
BLAS thread throughout: the lesson is about loops, not about cores.
"""

import argparse
import math
from collections.abc import Callable

import numpy as np

from engine import Architecture, Hyperparameters, Parameters, TrainingData, advance, finish, start
from tests.benchmarks import results
from tests.benchmarks.timing import OtherLoad, in_turns, seconds_of, with_blas_threads
from tests.benchmarks.workloads import breast_cancer


def dot_by_loop(a, b):
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


def product_by_two_loops(M, v):
    u = np.zeros(len(M))
    for i in range(len(M)):
        for j in range(len(v)):
            u[i] += M[i, j] * v[j]
    return u


def product_by_one_loop(M, v):
    u = np.zeros(len(M))
    for i in range(len(M)):
        u[i] = M[i] @ v
    return u


def epoch_by_two_loops(X, y, w, b, learning_rate):
    """Ng, "Logistic Regression on m Examples": over the examples, and over the features."""
    n, m = X.shape
    dw, db = [0.0] * n, 0.0
    for i in range(m):
        z = b
        for j in range(n):
            z += w[j] * X[j, i]
        dz = 1 / (1 + math.exp(-z)) - y[i]
        for j in range(n):
            dw[j] += X[j, i] * dz / m
        db += dz / m
    return np.array([w[j] - learning_rate * dw[j] for j in range(n)] + [b - learning_rate * db])


def epoch_by_one_loop(X, y, w, b, learning_rate):
    """Over the examples only."""
    n, m = X.shape
    dw, db = np.zeros(n), 0.0
    for i in range(m):
        dz = 1 / (1 + math.exp(-(w @ X[:, i] + b))) - y[i]
        dw += X[:, i] * dz / m
        db += dz / m
    return np.append(w - learning_rate * dw, b - learning_rate * db)


def epoch_vectorized(X, y, w, b, learning_rate):
    m = X.shape[1]
    dz = 1 / (1 + np.exp(-(w @ X + b))) - y
    return np.append(w - learning_rate * (X @ dz) / m, b - learning_rate * dz.mean())


class EngineEpochs:
    """The engine at depth 0, many epochs at a stretch because that is how it is used."""

    N_EPOCHS = 1000

    def __init__(self, X, y, w, b, learning_rate) -> None:
        self.architecture = Architecture(len(X), (), 1, "relu", "binary")
        self.data = TrainingData.of(X, y[np.newaxis], np.zeros((1, len(y)), np.bool_), X.dtype)
        self.initial = Parameters.of_one_network([w[np.newaxis]], [np.array([[b]])])
        self.hyperparameters = Hyperparameters(self.architecture, learning_rate)

    def train(self, n_epochs):
        state = start(self.initial, self.data, self.architecture)
        return advance(state, self.data, self.hyperparameters, n_epochs)[0]

    def after_one_epoch(self):
        trained = finish(self.train(1), self.initial, self.data, self.architecture)
        return np.append(trained.W[0].ravel(), trained.b[0].ravel())

    def seconds_of_one_epoch(self):
        return seconds_of(lambda: self.train(self.N_EPOCHS)) / self.N_EPOCHS


def _timed(call: Callable[[], object]) -> Callable[[], float]:
    """Seconds of one call, averaged over as many as take about 20 ms."""
    n_calls = max(1, int(0.02 / max(seconds_of(call), 1e-6)))
    return with_blas_threads(1, lambda: seconds_of(call, n_calls))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the length")
    parser.add_argument("--append", action="store_true", help="add the table to RESULTS.md")
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    rows: list[list[str]] = []

    def compare(title: str, calls: dict[str, tuple[Callable[[], object], float]], n_rounds: int = 5) -> None:
        """Time the calls in turns; the second of each pair says how many times its slice goes into the whole."""
        expected = np.asarray(calls["vectorized"][0]())
        differences = {}
        for name, (call, _) in calls.items():
            found = np.asarray(call())
            part = expected[: found.shape[0]] if found.ndim else expected  # a slice has the first rows only
            differences[name] = float(np.max(np.abs(found - part)) / np.max(np.abs(part)))
        seconds = in_turns({name: _timed(call) for name, (call, _) in calls.items()}, n_rounds)
        for name, (_, times) in calls.items():
            whole, vectorized = seconds[name] * times, seconds["vectorized"] * calls["vectorized"][1]
            scaled = f" (slice × {times:.0f})" if times > 1 else ""
            rows.append([title, name, f"{whole:.3g}{scaled}", f"{whole / vectorized:.3g}", f"{differences[name]:.0e}"])

    with OtherLoad() as other:
        n = 10**5 if options.quick else 10**6
        a, b = generator.standard_normal((2, n))
        compare(f"dot of {n:,}", {"loop": (lambda: dot_by_loop(a, b), 1), "vectorized": (lambda: a @ b, 1)})

        n, n_slice = (1000, 10) if options.quick else (10_000, 10)
        M, v = generator.standard_normal((n, n), np.float32), generator.standard_normal(n, np.float32)
        compare(
            f"matrix ({n:,}, {n:,}) float32 times vector",
            {
                "two loops": (lambda: product_by_two_loops(M[:n_slice], v), n / n_slice),
                "one loop": (lambda: product_by_one_loop(M, v), 1),
                "vectorized": (lambda: M @ v, 1),
            },
        )

        X, Y = breast_cancer()
        arguments = (X, Y[0], np.zeros(len(X)), 0.0, 0.1)
        engine = EngineEpochs(*arguments)
        title = f"one epoch of logistic regression, {X.shape[0]} features, {X.shape[1]} rows"
        compare(
            title,
            {
                "two loops": (lambda: epoch_by_two_loops(*arguments), 1),
                "one loop": (lambda: epoch_by_one_loop(*arguments), 1),
                "vectorized": (lambda: epoch_vectorized(*arguments), 1),
            },
        )
        pair = {
            "engine": with_blas_threads(1, engine.seconds_of_one_epoch),
            "vectorized": _timed(lambda: epoch_vectorized(*arguments)),
        }
        seconds = in_turns(pair, 5)
        expected = epoch_vectorized(*arguments)
        difference = np.max(np.abs(engine.after_one_epoch() - expected)) / np.max(np.abs(expected))
        ratio = seconds["engine"] / seconds["vectorized"]
        rows.append([title, "engine", f"{seconds['engine']:.3g}", f"{ratio:.3g}", f"{difference:.0e}"])

    text = results.table(["what", "how", "seconds", "times vectorized", "max rel diff"], rows)
    paragraph = results.conditions(other.cores)
    print(f"{paragraph}\n\n{text}")
    if options.append:
        results.append("bench_vectorization" + (" --quick" if options.quick else ""), paragraph, text)


if __name__ == "__main__":
    main()
