"""What a worker runs in place of training when only the rest is measured: it sleeps. Imports the engine only."""

import math
import time
from itertools import pairwise

import numpy as np

from engine import Curve, State
from engine.worker import Rung, RungResult


def sleep_rung(seconds: float, n_folds: int, rung: Rung) -> RungResult:
    """Sleep for as long as the rung would take."""
    time.sleep(seconds)
    return fake_result(rung, n_folds, seconds)


def fake_result(rung: Rung, n_folds: int, seconds: float) -> RungResult:
    """A cost that falls along the iterations to a floor that depends on the hyperparameters; weights of true size."""
    architecture = rung.hyperparameters.architecture
    n_weights = n_folds * sum(fan_in * n_units + 1 for fan_in, n_units in pairwise(architecture.layer_sizes))
    sizes = architecture.hidden_units
    bowl = math.log10(rung.hyperparameters.learning_rate / 0.1) ** 2 + (len(sizes) - 2) ** 2 / 8
    bowl += sum(math.log2(size / 16) ** 2 for size in sizes) / 16
    noise = np.random.default_rng(rung.initial_seed).normal(0.0, 0.02)
    costs = 0.1 + 0.05 * bowl + noise + 0.5 / np.sqrt(1.0 + np.asarray(rung.record_at))
    points = np.repeat(costs[:, None], n_folds, axis=1)
    state = State(rung.n_iterations, np.zeros(n_weights, np.float32), None, None)
    return RungResult(state, Curve(rung.record_at, points, points, points, points, points, None), seconds)
