"""Training speed: the engine against PyTorch, JAX, scikit-learn, the textbook loop, and bare matrix products.

    python -m tests.benchmarks.bench_training [--quick] [--append] [--only WORD] [--sample N] [--peers WORD,WORD]

Every contender starts from the same initial parameters and does the same number of iterations at the same learning
rate; its trained networks are judged by one function, in float64. Then all are timed in turns. Peers use all cores,
but for AdamW on minibatches, where PyTorch has one thread: products of 128 examples are too small to share.
"""

import argparse
import importlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from engine import Parameters, forward
from engine.heads import HEADS
from tests.benchmarks import results
from tests.benchmarks.contenders import Contender, Engine, Layers, Limit, Products
from tests.benchmarks.timing import OtherLoad, in_turns, seconds_of, with_blas_threads
from tests.benchmarks.workloads import DATA_SETS, TOLERANCES, Workload, minibatches, random_sample, textbook

OURS_ONE, OURS_ALL = "ours 1 thread", "ours all cores"
CORES = os.cpu_count() or 1
LENGTH = 1000
"""Iterations of the training over which a compilation is spread in the column 'with compile'."""

PEERS = {  # name: (module, class for F = 1, classes for F > 1)
    "NumPy textbook": ("peer_textbook", ("Textbook",), ("Textbook",)),
    "scikit-learn": ("peer_sklearn", ("ScikitLearn",), ("ScikitLearn",)),
    "PyTorch": ("peer_pytorch", ("PyTorch",), ("PyTorch", "PyTorchStacked")),
    "PyTorch compiled": ("peer_pytorch", ("PyTorchCompiled",), ("PyTorchStackedCompiled",)),
    "JAX": ("peer_jax", ("Jax",), ("Jax", "JaxVmap")),
}

PEERS_ON_MINIBATCHES = {
    "PyTorch": ("peer_pytorch", ("PyTorchMinibatches",), ("PyTorchMinibatches", "PyTorchStackedMinibatches")),
    "JAX": ("peer_jax", ("JaxMinibatches",), ("JaxMinibatches", "JaxVmapMinibatches")),
}
STACKED = ("PyTorchStacked", "JaxVmap", "PyTorchStackedMinibatches", "JaxVmapMinibatches")


@dataclass
class Outcome:
    """One workload, measured.

    Attributes:
        seconds: Per iteration and network, by contender; peers with two ways have both.
        setup_seconds: Of the whole stack, by contender: copies, compilation, Gram matrix.
        difference: Largest relative difference of any network's final cost from ours, by contender.
        absent: Peers that cannot do this workload, with the reason.
    """

    workload: Workload
    seconds: dict[str, float] = field(default_factory=dict)
    setup_seconds: dict[str, float] = field(default_factory=dict)
    difference: dict[str, float] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    @property
    def is_void(self) -> bool:
        """Whether somebody did not do the same work."""
        tolerance = TOLERANCES[self.workload.dtype.name]
        return not all(difference <= tolerance for difference in self.difference.values())  # nan is void, too

    @property
    def fastest_peer(self) -> str:
        peers = [name for name in self.difference if name != "NumPy textbook"]
        return min(peers or self.difference, key=self.seconds.__getitem__)

    def ratio(self, ours: str) -> float:
        return self.seconds[self.fastest_peer] / self.seconds[ours]


def measure(workload: Workload, peers: list[str], n_rounds: int) -> Outcome:
    """Set up, check, then time all contenders in turns."""
    outcome = Outcome(workload)
    n_iterations = workload.n_iterations
    timed: dict[str, Callable[[], float]] = {}

    engine = _set_up(outcome, "ours", lambda: Engine(workload))
    expected = final_costs(_train(engine, n_iterations), workload)
    timed[OURS_ONE] = with_blas_threads(1, _stretch(engine, n_iterations))
    timed[OURS_ALL] = with_blas_threads(CORES, _stretch(engine, n_iterations))
    for n_threads in sorted({1, CORES}):
        for name, control in (("products", Products(workload)), ("limit", Limit(workload))):
            control.iterate(1)
            timed[f"{name} {n_threads}"] = with_blas_threads(n_threads, _bare(control, n_iterations))

    for peer in peers:
        if workload.minibatch_size > 0 and peer not in PEERS_ON_MINIBATCHES:
            continue
        module, single, stacked = (PEERS_ON_MINIBATCHES if workload.minibatch_size > 0 else PEERS)[peer]
        for class_name in single if workload.n_networks == 1 else stacked:
            name = peer + (" stacked" if class_name in STACKED else "")
            try:
                peer_class = getattr(importlib.import_module(f"tests.benchmarks.{module}"), class_name)
                contender = _set_up(outcome, name, lambda peer_class=peer_class: peer_class(workload))
                costs = final_costs(_train(contender, n_iterations), workload)
            except (ImportError, KeyError) as reason:  # not installed, or an activation that it does not have
                outcome.absent[name] = repr(reason)
                continue
            outcome.difference[name] = float(np.max(np.abs(costs - expected) / np.abs(expected)))
            timed[name] = with_blas_threads(CORES, _stretch(contender, n_iterations))

    per_iteration = n_iterations * workload.n_networks
    outcome.seconds = {name: s / per_iteration for name, s in in_turns(timed, n_rounds).items()}
    return outcome


def final_costs(networks: list[Layers], workload: Workload) -> np.ndarray:
    """Mean loss of each network on the columns it trained on, in float64 whatever it was trained in."""
    costs = []
    for layers, held_out in zip(networks, workload.held_out, strict=True):
        parameters = Parameters.of_one_network(
            [np.asarray(W, np.float64) for W, _ in layers], [np.asarray(b, np.float64) for _, b in layers]
        )
        Z, _ = forward(parameters, workload.X[:, ~held_out].astype(np.float64), workload.architecture)
        Y = workload.Y[:, ~held_out].astype(np.float64)
        costs.append(HEADS[workload.architecture.head].losses(Z, Y).mean())
    return np.array(costs)


def _set_up(outcome: Outcome, name: str, build: Callable[[], Contender]) -> Contender:
    built: list[Contender] = []
    outcome.setup_seconds[name] = seconds_of(lambda: built.append(build()))
    return built[0]


def _train(contender: Contender, n_iterations: int) -> list[Layers]:
    contender.start()
    contender.iterate(n_iterations)
    return contender.networks()


def _stretch(contender: Contender, n_iterations: int) -> Callable[[], float]:
    def stretch() -> float:
        contender.start()
        return seconds_of(lambda: contender.iterate(n_iterations))

    return stretch


def _bare(control: Products, n_iterations: int) -> Callable[[], float]:
    return lambda: seconds_of(lambda: control.iterate(n_iterations))


def columns(peers: list[str]) -> list[str]:
    return [
        "workload",
        "dtype",
        "F",
        OURS_ONE,
        OURS_ALL,
        *peers,
        "fastest peer",
        "× 1 thread",
        "× all cores",
        "of GEMM, 1",
        f"of GEMM, {CORES}",
        "of limit, 1",
        f"of limit, {CORES}",
        "JAX compile s",
        f"JAX µs in {LENGTH}",
        "max rel diff",
    ]


def row(outcome: Outcome, peers: list[str]) -> list[str]:
    """One line of the table; where a peer has two ways, the faster, marked s if stacked."""
    seconds, workload = outcome.seconds, outcome.workload

    def best(peer: str) -> str:
        ways = {name: seconds[name] for name in (peer, f"{peer} stacked") if name in seconds}
        if not ways:
            return "-"
        name = min(ways, key=ways.__getitem__)
        return results.microseconds(ways[name]) + (" s" if name.endswith("stacked") else "")

    def fraction(control: str, ours: str, n_threads: int) -> str:
        return f"{seconds[f'{control} {n_threads}'] / seconds[ours]:.0%}"

    compile_seconds = [s for name, s in outcome.setup_seconds.items() if name.startswith("JAX") and name in seconds]
    with_compile = [
        outcome.setup_seconds[name] / (LENGTH * workload.n_networks) + seconds[name]
        for name in seconds
        if name.startswith("JAX")
    ]
    void = "VOID " if outcome.is_void else ""
    return [
        workload.name,
        workload.dtype.name,
        str(workload.n_networks),
        results.microseconds(seconds[OURS_ONE]),
        results.microseconds(seconds[OURS_ALL]),
        *map(best, peers),
        outcome.fastest_peer if outcome.difference else "-",
        f"{outcome.ratio(OURS_ONE):.2f}" if outcome.difference else "-",
        f"{outcome.ratio(OURS_ALL):.2f}" if outcome.difference else "-",
        fraction("products", OURS_ONE, 1),
        fraction("products", OURS_ALL, CORES),
        fraction("limit", OURS_ONE, 1),
        fraction("limit", OURS_ALL, CORES),
        f"{min(compile_seconds):.2f}" if compile_seconds else "-",
        results.microseconds(min(with_compile)) if with_compile else "-",
        f"{void}{max(outcome.difference.values(), default=math.nan):.0e}",
    ]


def sample_row(data_set: str, outcomes: list[Outcome], peers: list[str]) -> list[str]:
    """Geometric means over the rows that are not void, of seconds and of ratios."""
    valid = [outcome for outcome in outcomes if not outcome.is_void]
    first = outcomes[0].workload

    def mean(values: list[float]) -> float:
        return math.exp(np.mean(np.log(values))) if values else math.nan

    def ratios(peer: str) -> list[float]:
        found = []
        for outcome in valid:
            ways = [outcome.seconds[name] for name in (peer, f"{peer} stacked") if name in outcome.seconds]
            if ways:
                found.append(min(ways) / min(outcome.seconds[OURS_ONE], outcome.seconds[OURS_ALL]))
        return found

    def spread(values: list[float]) -> str:
        return f"{mean(values):.1f} ({min(values):.1f}-{max(values):.1f})" if values else "-"

    return [
        data_set,
        first.dtype.name,
        str(first.n_networks),
        f"{len(valid)} of {len(outcomes)}",
        results.microseconds(mean([outcome.seconds[OURS_ONE] for outcome in valid])),
        results.microseconds(mean([outcome.seconds[OURS_ALL] for outcome in valid])),
        *[spread(ratios(peer)) for peer in peers],
        f"{mean([o.seconds['products 1'] / o.seconds[OURS_ONE] for o in valid]):.0%}",
        f"{mean([o.seconds['limit 1'] / o.seconds[OURS_ONE] for o in valid]):.0%}",
        f"{max((max(o.difference.values(), default=0) for o in valid), default=math.nan):.0e}",
    ]


def sample_columns(peers: list[str]) -> list[str]:
    return [
        "data set",
        "dtype",
        "F",
        "not void",
        OURS_ONE,
        OURS_ALL,
        *[f"× {peer}" for peer in peers],
        "of GEMM, 1",
        "of limit, 1",
        "max rel diff",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, float32 only, a sample of 3")
    parser.add_argument("--append", action="store_true", help="add the tables to RESULTS.md")
    parser.add_argument("--only", default="", help="only data sets with this word in the name")
    parser.add_argument("--sample", type=int, default=None, help="size of the random sample (32; 0 = none)")
    parser.add_argument("--peers", default=",".join(PEERS), help=f"of: {', '.join(PEERS)}")
    options = parser.parse_args()

    peers = [peer for peer in PEERS if peer in options.peers.split(",")]
    n_rounds = 3 if options.quick else 9
    dtypes = ["float32"] if options.quick else ["float32", "float64"]
    n_sample = options.sample if options.sample is not None else (3 if options.quick else 32)
    sample_peers = [peer for peer in peers if peer != "PyTorch compiled"]  # compiles for 10 s an architecture
    rows, sample_rows = [], []

    with OtherLoad() as other:
        for workload in textbook() + minibatches():
            if options.only not in workload.name:
                continue
            for dtype in dtypes:
                for n_networks in (1, 5):
                    outcome = measure(workload.variant(n_networks, dtype), peers, n_rounds)
                    rows.append(row(outcome, peers))
                    print(results.table(columns(peers), rows[-1:]), flush=True)
                    for name, reason in outcome.absent.items():
                        print(f"  {name} is absent: {reason}")
        for data_set in DATA_SETS:
            if options.only not in data_set or n_sample == 0:
                continue
            for dtype in dtypes:
                for n_networks in (1, 5):
                    outcomes = [
                        measure(workload.variant(n_networks, dtype), sample_peers, 3)
                        for workload in random_sample(n_sample, data_set)
                    ]
                    sample_rows.append(sample_row(data_set, outcomes, sample_peers))
                    print(results.table(sample_columns(sample_peers), sample_rows[-1:]), flush=True)

    paragraph = results.conditions(other.cores)
    tables = [results.table(columns(peers), rows)] if rows else []
    if sample_rows:
        tables.append(results.table(sample_columns(sample_peers), sample_rows))
    text = "\n\n".join(tables)
    print(f"\n{paragraph}\n\n{text}")
    if options.append:
        results.append("bench_training" + (" --quick" if options.quick else ""), paragraph, text)


if __name__ == "__main__":
    main()
