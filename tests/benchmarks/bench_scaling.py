"""How an iteration's cost grows with m, n[0], width, depth and F; where it bends; peak memory.

    python -m tests.benchmarks.bench_scaling [--quick] [--append]

One dimension at a time around a base network, one BLAS thread, float32. The exponent is the local slope of log seconds
over log size: 0 means that calls cost more than arithmetic, 1 proportional to the work; the bend is where the one turns
into the other, where an array leaves a cache, or where the first layer is reduced (m / n[0] passes 1.5). Memory is what
Python and NumPy held at the peak (tracemalloc), data included.
"""

import argparse
import math
import tracemalloc
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from engine import Architecture, initialize
from engine.stack import SETTLE_EVERY
from tests.benchmarks import results
from tests.benchmarks.contenders import Engine, Products
from tests.benchmarks.timing import OtherLoad, in_turns, seconds_of, with_blas_threads
from tests.benchmarks.workloads import Workload, folds


@dataclass(frozen=True)
class Size:
    """One point of the scale."""

    m: int = 1000
    n_features: int = 32
    width: int = 32
    depth: int = 2
    n_networks: int = 5

    def workload(self) -> Workload:
        generator = np.random.default_rng(0)
        architecture = Architecture(self.n_features, (self.width,) * self.depth, 1, "tanh", "binary")
        X = generator.standard_normal((self.n_features, self.m), np.float32)
        return Workload(
            name=str(self),
            X=X,
            Y=(X[:1] > 0).astype(np.float32),
            held_out=folds(self.m, self.n_networks),
            architecture=architecture,
            initial=initialize(architecture, generator, np.float32),
            learning_rate=0.01,
            n_iterations=1,
        )


SCALES = {
    "m": [30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000],
    "n_features": [4, 16, 64, 256, 900, 1100, 4000, 12_000],
    "width": [1, 4, 16, 64, 256, 1024],
    "depth": [0, 1, 2, 4, 8, 16],
    "n_networks": [1, 2, 3, 5, 10, 20],
}


def peak_mebibytes(size: Size) -> float:
    """Peak memory of Python and NumPy for the data, the buffers and two iterations of this size."""
    tracemalloc.start()
    engine = Engine(size.workload())
    engine.start()
    engine.iterate(2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20


def measure(size: Size, n_rounds: int) -> tuple[float, float]:
    """Seconds of one iteration of all F networks, and of its products alone.

    At least `SETTLE_EVERY` iterations at a time, so that what a reduced first layer costs now and then is in the mean;
    of those that take 20 ms and more, five.
    """
    workload = size.workload()
    engine, products = Engine(workload), Products(workload)
    engine.start()
    once = max(seconds_of(lambda: engine.iterate(3)) / 3, 1e-6)
    n_iterations = min(1000, max(SETTLE_EVERY, int(0.02 / once))) if once < 0.02 else 5
    seconds = in_turns(
        {
            "engine": with_blas_threads(1, lambda: seconds_of(lambda: engine.iterate(n_iterations))),
            "products": with_blas_threads(1, lambda: seconds_of(lambda: products.iterate(n_iterations))),
        },
        n_rounds,
    )
    return seconds["engine"] / n_iterations, seconds["products"] / n_iterations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="every other size, fewer rounds")
    parser.add_argument("--append", action="store_true", help="add the table to RESULTS.md")
    options = parser.parse_args()
    rows = []
    with OtherLoad() as other:
        for name, values in SCALES.items():
            values = values[::2] if options.quick else values
            points = []
            for value in values:
                size = replace(Size(), **{name: value})
                engine, products = measure(size, 3 if options.quick else 7)
                points.append((value, engine, products, peak_mebibytes(size)))
            slopes = [math.log(b[1] / a[1]) / math.log(max(b[0], 1) / max(a[0], 0.5)) for a, b in pairwise(points)]
            for (value, engine, products, memory), slope in zip(points, [math.nan, *slopes], strict=True):
                rows.append(
                    [
                        name,
                        f"{value:,}",
                        results.microseconds(engine),
                        results.microseconds(engine / replace(Size(), **{name: value}).n_networks),
                        "-" if math.isnan(slope) else f"{slope:.2f}",
                        f"{products / engine:.0%}",
                        f"{memory:.3g}",
                    ]
                )
            print(results.table(COLUMNS, rows[-len(points) :]), flush=True)
    paragraph = f"{results.conditions(other.cores)} Around {Size()}; tanh."
    text = results.table(COLUMNS, rows)
    print(f"\n{paragraph}")
    if options.append:
        results.append("bench_scaling" + (" --quick" if options.quick else ""), paragraph, text)


COLUMNS = ["dimension", "size", "µs an iteration", "µs a network", "exponent", "of GEMM", "peak MiB"]

if __name__ == "__main__":
    main()
