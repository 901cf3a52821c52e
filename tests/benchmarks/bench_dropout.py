"""What dropout is worth: the lowest cost out of fold of one network, without and with it, at the same learning rates.

    python -m tests.benchmarks.bench_dropout [--sets phoneme vehicle ...] [--shares 0 0.1 0.25] [--iterations 3000]

A network of 128 and 64 ReLU units, trained as the recipe auto trains tables; for each share the better of two learning
rates counts, at the iteration where the cost is lowest. No clock decides anything; seconds are of processor.
"""

import argparse
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np

from engine import Architecture, Hyperparameters, TrainingData, advance, initialize, start
from engine.threads import one_blas_thread
from experiments.dataset import load_dataset
from experiments.preparation import prepare
from sweeps.data import training_data
from tests.benchmarks import results
from tests.benchmarks.quality_data import SETS, load, write

LEARNING_RATES = (0.001, 0.004)
SPACING = 100


def prepared(name: str) -> tuple[TrainingData, str]:
    """A set of `bench_quality` as trials see it, and its head."""
    with tempfile.TemporaryDirectory() as directory:
        files = tomllib.loads(write(load(name), Path(directory)))["data"]
        named = {key: files.get(key) for key in ("test", "target", "task")}
        dataset = load_dataset(files["train"], directory=Path(directory), **named)
        return training_data(prepare(dataset, scales_folds=True), "float32", leaves_span=True), dataset.task


def lowest_cost(data: TrainingData, head: str, share: float, n_iterations: int) -> tuple[float, int, float]:
    """Lowest mean validation cost, the iteration where it is, and the processor's seconds of that training."""
    found = []
    for learning_rate in LEARNING_RATES:
        architecture = Architecture(data.n_features, (128, 64), data.n_outputs, "relu", head)
        hyperparameters = Hyperparameters(
            architecture, learning_rate, "adamw", minibatch_size=128, dropout=share, is_averaged=True, seed=(1,)
        )
        form = hyperparameters.form_of(data)
        state = start(initialize(architecture, np.random.default_rng(1)), form, architecture)
        began_at = time.process_time()
        _, curve = advance(state, form, hyperparameters, n_iterations, range(0, n_iterations + 1, SPACING))
        costs = np.nan_to_num(curve.validation_cost.mean(axis=1), nan=np.inf)
        found.append((float(costs.min()), SPACING * int(costs.argmin()), time.process_time() - began_at))
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = ["phoneme", "vehicle", "white_wine", "boston", "german_credit", "magic", "abalone", "segments"]
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=usual, metavar="SET")
    parser.add_argument("--shares", nargs="+", type=float, default=[0.0, 0.1, 0.25])
    parser.add_argument("--iterations", type=int, default=3000)
    options = parser.parse_args()
    one_blas_thread()
    rows, ratios = [], []
    for name in options.sets:
        data, head = prepared(name)
        found = [lowest_cost(data, head, share, options.iterations) for share in options.shares]
        ratios.append([cost / found[0][0] for cost, *_ in found])
        rows.append([name, *(f"{cost:.4g} at {at}, {seconds:.1f} s" for cost, at, seconds in found)])
        print(" | ".join(rows[-1]), flush=True)
    means = np.exp(np.log(ratios).mean(axis=0))
    rows.append([f"geometric mean, to dropout {options.shares[0]:g}", *(f"{mean:.3f}" for mean in means)])
    print(f"\n{results.table(['data', *(f'dropout {share:g}' for share in options.shares)], rows)}")


if __name__ == "__main__":
    main()
