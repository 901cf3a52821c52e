"""What a worker runs in place of training when only the rest is measured: it sleeps. Imports the engine only."""

import time

import numpy as np

from engine import Curve, State
from engine.worker import Rung, RungResult


def sleep_rung(seconds_a_trial: float, n_iterations: int, rung: Rung) -> RungResult:
    """Sleep for the rung's share of a trial of `n_iterations` that takes so long; answer with costs that fall."""
    began_at = time.perf_counter()
    begin = 0 if rung.state is None else rung.state.iteration
    time.sleep(seconds_a_trial * (rung.n_iterations - begin) / n_iterations)
    level = np.random.default_rng(rung.initial_seed).uniform(0.05, 0.5)
    costs = (level + 1 / np.sqrt(1.0 + np.asarray(rung.record_at)))[:, np.newaxis].repeat(5, axis=1)
    state = State(rung.n_iterations, np.zeros(10_000, np.float32), None, None)
    curve = Curve(rung.record_at, costs, costs, costs, costs, None)
    return RungResult(state, curve, time.perf_counter() - began_at)
