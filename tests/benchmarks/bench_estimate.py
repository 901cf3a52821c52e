"""Whether the stated score of a winner is honest: estimates and intervals beside the truth, over simulated sweeps.

    python -m tests.benchmarks.bench_estimate [--quick] [--append] [--sweeps 200] [--examples 100 300 1000]

A sweep is 30 candidates with random subsets of the features, random ReLU features for most, and random penalties, each
trained on five folds and on all examples along a curve of 12 recorded iterations. The winner is the candidate, at its
best iteration, with the lowest out-of-fold cost; the truth is its mean loss on 20,000 fresh examples: refitted on all
examples, or the mean of its fold models. Nothing here depends on the clock.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.threads import one_blas_thread
from experiments.estimate import estimate, of_means
from tests.benchmarks import results
from tests.benchmarks.timing import OtherLoad

Task = Literal["binary", "regression"]
Array = NDArray[Any]

N_CANDIDATES, N_FOLDS, N_FEATURES, N_FRESH = 30, 5, 20, 20_000
N_RECORDED, STEP = 12, 0.3
"""Each iteration goes this share of the way to a minimum: 0.7^12 of it is left at the end of the curve."""

N_RESAMPLES = 500
"""Half of what the product draws: the intervals' ends vary a little more, and the benchmark takes half the time."""


@dataclass(frozen=True)
class Scenario:
    """Data to draw: `signal` scales what the target depends on, 0 for none; `offset` shifts the logit."""

    task: Task
    name: str
    signal: float
    offset: float = 0.0

    def draw(self, m: int, rng: np.random.Generator) -> tuple[Array, Array]:
        """X (m, 20) and y (m,), float32: examples are rows here, as in scikit-learn."""
        X = rng.standard_normal((m, N_FEATURES), dtype=np.float32)
        f = self.signal * (X[:, 0] + X[:, 1] - X[:, 2] + 0.8 * X[:, 3] * X[:, 4] + np.sin(2 * X[:, 5]))
        if self.task == "regression":
            return X, f + rng.standard_normal(m, dtype=np.float32)
        return X, (rng.random(m) < 1 / (1 + np.exp(-f - self.offset))).astype(np.float32)


SCENARIOS = (
    Scenario("binary", "null", 0.0),
    Scenario("binary", "weak", 0.25),
    Scenario("binary", "strong", 1.0),
    Scenario("binary", "rare", 0.7, offset=-3.0),
    Scenario("regression", "null", 0.0),
    Scenario("regression", "weak", 0.25),
    Scenario("regression", "strong", 1.0),
)


@dataclass(frozen=True)
class Sweep:
    """Held-out losses (K, T, m), held_out (F, m); `truth` of (candidate, recorded iteration): refitted, its folds."""

    losses: Array
    held_out: Array
    truth: Callable[[int, int], tuple[float, float]]


def simulated_sweep(scenario: Scenario, m: int, seed: int) -> Sweep:
    """Draw data, folds and candidates, and train them."""
    rng = np.random.default_rng(seed)
    X, y = scenario.draw(m, rng)
    fold = _folds(scenario.task, y, rng)
    held_out = np.arange(N_FOLDS)[:, np.newaxis] == fold
    trained_on = np.vstack([~held_out, np.ones((1, m), np.bool_)]).astype(np.float32)
    losses = np.empty((N_CANDIDATES, N_RECORDED, m), np.float32)
    maps, curves = [], []
    for k in range(N_CANDIDATES):
        features = _random_features(rng)
        A = features(X)
        curve = _train(A, y, trained_on, 10 ** rng.uniform(-1, 2), scenario.task)
        Z = curve @ A.T
        losses[k] = _losses(Z[:, fold, np.arange(m)], y, scenario.task)
        maps.append(features)
        curves.append(curve)
    X_fresh, y_fresh = scenario.draw(N_FRESH, rng)

    def truth(k: int, t: int) -> tuple[float, float]:
        Z = curves[k][t] @ maps[k](X_fresh).T
        means = _losses(Z, y_fresh, scenario.task).mean(axis=1, dtype=np.float64)
        return float(means[-1]), float(means[:-1].mean())

    return Sweep(losses, held_out, truth)


def _folds(task: Task, y: Array, rng: np.random.Generator) -> Array:
    """The fold of each example, (m,), stratified for classes."""
    order = rng.permutation(len(y))
    if task == "binary":
        order = order[np.argsort(y[order], kind="stable")]
    fold = np.empty(len(y), np.intp)
    fold[order] = np.arange(len(y)) % N_FOLDS
    return fold


def _random_features(rng: np.random.Generator) -> Callable[[Array], Array]:
    columns = rng.choice(N_FEATURES, rng.integers(3, N_FEATURES + 1), replace=False)
    is_linear = rng.random() < 0.4
    n_units = int(rng.integers(5, 35))
    W = (rng.standard_normal((len(columns), n_units)) / np.sqrt(len(columns))).astype(np.float32)
    b = (rng.standard_normal(n_units) / 2).astype(np.float32)

    def features(X: Array) -> Array:
        A = X[:, columns] if is_linear else np.maximum(X[:, columns] @ W + b, 0)
        return np.hstack([np.ones((len(A), 1), np.float32), A])

    return features


def _train(A: Array, y: Array, trained_on: Array, penalty: float, task: Task) -> Array:
    """Weights along the curve, (T, F + 1, d): ridge or logistic regression in damped steps with a fixed Hessian."""
    n_features = A.shape[1]
    H = (A.T * trained_on[:, np.newaxis, :]) @ A * (0.25 if task == "binary" else 1.0)
    H += (penalty * np.r_[1e-3, np.ones(n_features - 1)] * np.eye(n_features)).astype(np.float32)
    inverse = np.linalg.inv(H)
    w = np.zeros((len(trained_on), n_features), np.float32)
    curve = np.empty((N_RECORDED, *w.shape), np.float32)
    for recorded in curve:
        Z = w @ A.T
        outputs = (np.tanh(Z / 2) + 1) / 2 if task == "binary" else Z
        gradient = ((outputs - y) * trained_on) @ A
        gradient[:, 1:] += np.float32(penalty) * w[:, 1:]
        w = w - np.float32(STEP) * (inverse @ gradient[:, :, np.newaxis])[:, :, 0]
        recorded[:] = w
    return curve


def _losses(Z: Array, y: Array, task: Task) -> Array:
    return np.logaddexp(np.float32(0), Z) - y * Z if task == "binary" else np.square(Z - y)


def tibshirani(fold_costs: Array) -> float:
    """The best candidate's cost with its bias added, from costs (F, K) (Tibshirani and Tibshirani 2009)."""
    winner = fold_costs.mean(axis=0).argmin()
    return float((2 * fold_costs[:, winner] - fold_costs.min(axis=1)).mean())


WAYS = ("uncorrected", "best iterations", "and 3 of 12", "all iterations")


def measure(scenario: Scenario, m: int, seed: int) -> dict[str, Array]:
    """Of one sweep: its two truths, and (value, low, high) of each way to estimate them."""
    sweep = simulated_sweep(scenario, m, seed)
    K, T = N_CANDIDATES, N_RECORDED
    best = sweep.losses.mean(axis=2, dtype=np.float64).argmin(axis=1)
    at_best = sweep.losses[np.arange(K), best]
    of_best = estimate(of_means(at_best), m, seed, n_resamples=N_RESAMPLES)
    k = of_best.winner
    error = 1.96 * at_best[k].std(ddof=1, dtype=np.float64) / np.sqrt(m)
    some = np.concatenate([at_best, sweep.losses[:, 3::4].reshape(-1, m)])
    every = sweep.losses.reshape(K * T, m)
    fold_costs = np.stack([every[:, held].mean(axis=1, dtype=np.float64) for held in sweep.held_out])
    found = {
        "truths": np.array(sweep.truth(k, int(best[k]))),
        "uncorrected": of_best.uncorrected + np.array([0, -error, error]),
        "tibshirani": np.array([tibshirani(fold_costs)]),
    }
    of_some, of_every = (estimate(of_means(losses), m, seed, n_resamples=N_RESAMPLES) for losses in (some, every))
    for way, made in zip(WAYS[1:], (of_best, of_some, of_every), strict=True):
        found[way] = np.array([made.value, *made.interval])
    return found


COLUMNS = [
    "task, signal",
    "m",
    "sweeps",
    "true: refitted",
    "folds",
    "stated: best of N",
    "Tibshirani",
    *(f"BBC, {way}" for way in WAYS[1:]),
    "refitted covered: best of N",
    *WAYS[1:],
    "folds covered: all iterations",
    "too low - too high",
    "length",
]


def row(scenario: Scenario, m: int, sweeps: list[dict[str, Array]]) -> list[str]:
    """Means over the sweeps; shares covered; length of the interval over that of the uncorrected one."""
    all_of = {name: np.stack([sweep[name] for sweep in sweeps]) for name in sweeps[0]}
    refitted, folds = all_of["truths"].T

    def covered(way: str, truth: Array) -> str:
        _, low, high = all_of[way].T
        return f"{np.mean((low <= truth) & (truth <= high)):.1%}"

    _, low, high = all_of[WAYS[-1]].T
    _, plain_low, plain_high = all_of["uncorrected"].T
    return [
        f"{scenario.task}, {scenario.name}",
        str(m),
        str(len(sweeps)),
        *(f"{truth.mean():.4f}" for truth in (refitted, folds)),
        *(f"{all_of[name][:, 0].mean():.4f}" for name in ("uncorrected", "tibshirani", *WAYS[1:])),
        *(covered(way, refitted) for way in WAYS),
        covered(WAYS[-1], folds),
        f"{np.mean(high < refitted):.1%} - {np.mean(low > refitted):.1%}",
        f"{np.mean((high - low) / (plain_high - plain_low)):.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 sweeps")
    parser.add_argument("--append", action="store_true", help="add the table to RESULTS.md")
    parser.add_argument("--sweeps", type=int, help="a scenario")
    parser.add_argument("--examples", type=int, nargs="+", default=[100, 300, 1000])
    options = parser.parse_args()
    n_sweeps = options.sweeps or (20 if options.quick else 200)
    rows = []
    with OtherLoad() as other, one_blas_thread():
        for m in options.examples:
            for scenario in SCENARIOS:
                sweeps = [measure(scenario, m, seed) for seed in range(n_sweeps)]
                rows.append(row(scenario, m, sweeps))
                print(results.table(COLUMNS, rows[-1:]), flush=True)
    paragraph, text = results.conditions(other.cores), results.table(COLUMNS, rows)
    print(f"\n{paragraph}\n\n{text}")
    if options.append:
        results.append("bench_estimate" + (" --quick" if options.quick else ""), paragraph, text)


if __name__ == "__main__":
    main()
