"""What is trained: four data sets, four textbook-sized networks, and a random sample of the default search space."""

from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_breast_cancer, load_digits

from engine import Architecture, Hyperparameters, Parameters, TrainingData, initialize
from engine.folds import IndexArray
from engine.minibatches import Minibatches

CATS = Path(__file__).parents[3] / "shared" / "data" / "cats" / "train_catvnoncat.h5"
TOLERANCES = {"float32": 1e-3, "float64": 1e-9}
"""Largest relative difference of final costs at which two contenders have done the same work; beyond it a row is void.

float32: rounding (6e-8) grows along the iterations, faster where a ReLU switches; after the numbers of iterations used
here it stays below 1e-4 for a sane learning rate. float64: the same argument from 1e-16.
"""

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Workload:
    """One comparison: the same networks from the same initial parameters, for the same number of iterations.

    Attributes:
        X, Y: (n[0], m) and (n[L], m), already of the dtype.
        optimizer, minibatch_size: As in `Hyperparameters`; 0 examples are a full batch.
        held_out: (F, m); all False for F = 1, one fold a row for F = 5.
    """

    name: str
    X: FloatArray
    Y: FloatArray
    held_out: npt.NDArray[np.bool_]
    architecture: Architecture
    initial: Parameters
    learning_rate: float
    n_iterations: int
    optimizer: str = "gradient_descent"
    minibatch_size: int = 0

    @property
    def hyperparameters(self) -> Hyperparameters:
        """Ours."""
        return Hyperparameters(self.architecture, self.learning_rate, self.optimizer, self.minibatch_size, seed=(1,))

    def examples(self, n_iterations: int) -> IndexArray:
        """(n_iterations, F, size): which examples each network trains on in each iteration."""
        data = TrainingData.of(self.X, self.Y, self.held_out, self.dtype, reduce=False)
        minibatches = Minibatches(data, data.targets, np.ones_like(data.targets[:1]), self.minibatch_size, (1,))
        return np.stack([minibatches.examples(iteration) for iteration in range(n_iterations)])

    @property
    def n_networks(self) -> int:
        return len(self.held_out)

    @property
    def dtype(self) -> np.dtype[np.floating]:
        return self.X.dtype

    def variant(self, n_networks: int, dtype: str) -> "Workload":
        """The same, as F folds in float32 or float64."""
        initial = Parameters(
            W=tuple(W.astype(dtype) for W in self.initial.W), b=tuple(b.astype(dtype) for b in self.initial.b)
        )
        held_out = folds(self.X.shape[1], n_networks)
        return replace(self, X=self.X.astype(dtype), Y=self.Y.astype(dtype), held_out=held_out, initial=initial)


def cats() -> tuple[FloatArray, FloatArray]:
    """209 images of 64 x 64 x 3, or as many random bytes where the file is not at hand."""
    if CATS.exists():
        with h5py.File(CATS) as file:
            images, labels = file["train_set_x"][()], file["train_set_y"][()]
    else:
        generator = np.random.default_rng(0)
        images = generator.integers(0, 256, (209, 64, 64, 3), dtype=np.uint8)
        labels = generator.integers(0, 2, 209)
    return images.reshape(len(images), -1).T / 255, labels[np.newaxis].astype(np.float64)


def breast_cancer() -> tuple[FloatArray, FloatArray]:
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X.T.copy(), y[np.newaxis].astype(np.float64)


def digits() -> tuple[FloatArray, FloatArray]:
    X, y = load_digits(return_X_y=True)
    return X.T / 16, np.eye(10)[y].T.copy()


def large_digits() -> tuple[FloatArray, FloatArray]:
    """10000 images of 28 x 28: the 1797 digits, interpolated, repeated and made noisy. Deterministic."""
    X, Y = digits()
    generator = np.random.default_rng(0)
    which = generator.integers(0, X.shape[1], 10_000)
    position = np.linspace(0, 7, 28)
    hat = np.maximum(0, 1 - np.abs(position[:, np.newaxis] - np.arange(8)))  # linear interpolation, (28, 8)
    images = np.einsum("ir,rcm,jc->ijm", hat, X.reshape(8, 8, -1)[..., which], hat, optimize=True)
    noisy = np.clip(images.reshape(784, -1) + 0.05 * generator.standard_normal((784, 10_000)), 0, 1)
    return noisy, Y[:, which]


DATA_SETS = {"cats": cats, "breast_cancer": breast_cancer, "digits": digits, "large_digits": large_digits}

N_ITERATIONS = {"cats": 100, "breast_cancer": 500, "digits": 200, "large_digits": 20}
"""Timed at a stretch: enough for a clock, few enough that rounding does not make two right answers differ."""


def textbook() -> list[Workload]:
    """The four workloads of the design, F = 1, float64."""
    return [
        _workload("cats", (20, 7, 5), "relu", 0.0075),
        _workload("breast_cancer", (16, 8), "relu", 0.1),
        _workload("digits", (64, 32), "relu", 0.1),
        _workload("large_digits", (256, 128), "relu", 0.02),
    ]


def minibatches() -> list[Workload]:
    """AdamW on minibatches, F = 1, float64."""
    digits = _workload("digits", (64, 32), "relu", 0.001)
    name = f"{digits.name}, AdamW, minibatch 128"
    return [replace(digits, name=name, optimizer="adamw", minibatch_size=128)]


def random_sample(n: int, data_set: str, seed: int = 0) -> list[Workload]:
    """n networks from the default search space: depth 0-4, widths 4-64 (log), activation, learning rate (log)."""
    generator = np.random.default_rng(seed)
    sample = []
    for _ in range(n):
        depth = int(generator.integers(0, 5))
        hidden_units = tuple(round(float(np.exp(w))) for w in generator.uniform(np.log(4), np.log(64), depth))
        activation = str(generator.choice(["relu", "leaky_relu", "tanh", "sigmoid"]))
        learning_rate = float(np.exp(generator.uniform(np.log(1e-3), np.log(1))))
        sample.append(_workload(data_set, hidden_units, activation, learning_rate))
    return [replace(workload, n_iterations=min(workload.n_iterations, 50)) for workload in sample]


def folds(m: int, n_networks: int) -> npt.NDArray[np.bool_]:
    """held_out (F, m): nothing for F = 1, else F folds of equal size, to one example, drawn at random."""
    if n_networks == 1:
        return np.zeros((1, m), np.bool_)
    fold = np.random.default_rng(0).permutation(m) % n_networks
    return fold == np.arange(n_networks)[:, np.newaxis]


_loaded: dict[str, tuple[FloatArray, FloatArray]] = {}


def _workload(data_set: str, hidden_units: tuple[int, ...], activation: str, learning_rate: float) -> Workload:
    if data_set not in _loaded:
        _loaded[data_set] = DATA_SETS[data_set]()
    X, Y = _loaded[data_set]
    head = "binary" if len(Y) == 1 else "multiclass"
    architecture = Architecture(len(X), hidden_units, len(Y), activation, head)
    return Workload(
        name=f"{data_set} {'-'.join(map(str, architecture.layer_sizes))}",
        X=X,
        Y=Y,
        held_out=folds(X.shape[1], 1),
        architecture=architecture,
        initial=initialize(architecture, np.random.default_rng(1)),
        learning_rate=learning_rate,
        n_iterations=N_ITERATIONS[data_set],
    )
