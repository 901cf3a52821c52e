"""Whole tracked sweeps: trials per second beside Optuna + scikit-learn + MLflow, and where our time goes.

    python -m tests.benchmarks.bench_sweep [--quick] [--append] [--data breast_cancer] [--only peer|breakdown|overhead]

    peer       wall time of `python -m sweeps run` as a user types it, interpreter to prompt, beside `plain_sweep` with
               the same trials enqueued; with pruning and without
    breakdown  the same run once more with clocks around its calls: what share each part has of the wall time
    overhead   200 trials of 0.1 s in two real worker processes that sleep; all the rest is real, MLflow included

Every sweep is a process of its own in a folder that is removed afterwards.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna

from tests.benchmarks import results
from tests.benchmarks.bench_scheduler import speed_for
from tests.benchmarks.timing import OtherLoad
from tests.benchmarks.workloads import CATS

REPOSITORY = Path(__file__).parents[2]
DATA = {"breast_cancer": 'train = "sklearn:breast_cancer"', "digits": 'train = "sklearn:digits"'}
DATA["cats"] = f'train = "{CATS}"\ntest = "{CATS.with_name("test_catvnoncat.h5")}"'
N_TRIALS = {"breast_cancer": 50, "digits": 50, "cats": 40}
"""As in the ready-made configurations."""

N_PLAIN = {"breast_cancer": 50, "digits": 16, "cats": 8}
"""The first so many of them are given to the plain script, which would take hours for all."""

N_WORKERS = 2


@dataclass(frozen=True)
class Sweep:
    """What a run of ours left behind.

    Attributes:
        seconds: Wall time of its process.
        trials: By number: params, state, metrics (training_seconds), curves.
    """

    seconds: float
    trials: list[dict[str, Any]]
    measured: dict[str, Any] | None = None

    def training_seconds(self, n: int | None = None) -> float:
        """Of the first n trials, on workers."""
        return sum(trial["metrics"]["training_seconds"] for trial in self.trials[:n])


def configuration(data: str, pruner: str, n_trials: int) -> str:
    """What both sides can do: full-batch gradient descent as scikit-learn has it, which has no leaky_relu."""
    learning_rate = "learning_rate = { low = 1e-3, high = 0.1, log = true }" if data == "cats" else ""
    return (
        f'[sweep]\nname = "bench"\nn_trials = {n_trials}\n[data]\n{DATA[data]}\n'
        f'[training]\nrecipe = "textbook"\n[search]\nactivation = ["relu", "tanh", "sigmoid"]\n{learning_rate}\n'
        f'[study]\npruner = "{pruner}"\n[execution]\nworkers = {N_WORKERS}\n'
    )


def run_ours(text: str, *, is_measured: bool = False, speed: float | None = None) -> Sweep:
    """One sweep: as a user runs it, or with clocks (and sleepers) in it."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "bench.toml").write_text(text)
        if is_measured:  # with -c, so that worker processes do not import the clocks
            code = f"from tests.benchmarks.clocks import main; main({time.time()}, {speed})"
            command = [sys.executable, "-c", code]
        else:
            command = [sys.executable, "-m", "sweeps", "run", "bench.toml", "--json"]
        seconds, answer = _run(command, directory)
        (outbox,) = Path(directory).glob(".sweeps/bench/*/outbox.jsonl")
        facts = [json.loads(line) for line in outbox.read_text().splitlines()]
    trials = sorted((fact for fact in facts if fact["fact"] == "TrialFinished"), key=lambda fact: fact["number"])
    return Sweep(seconds, trials, answer if is_measured else None)


def run_plain(data: str, pruner: str, params: list[dict[str, Any]], parallel: str) -> tuple[float, dict[str, Any]]:
    """The plain script with these trials: wall time of its process, and what it says."""
    with tempfile.TemporaryDirectory() as directory:
        trials = Path(directory, "trials.json")
        trials.write_text(json.dumps(params))
        options = ["--folder", str(CATS.parent), "--jobs", str(N_WORKERS), "--parallel", parallel]
        command = [sys.executable, "-m", "tests.benchmarks.plain_sweep", data, "--pruner", pruner, *options]
        return _run([*command, "--enqueue", str(trials)], directory)


def _run(command: list[str], directory: str) -> tuple[float, dict[str, Any]]:
    began_at = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began_at
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return seconds, json.loads(done.stdout.splitlines()[-1])


PEER_COLUMNS = [
    "data, pruner",
    "ours trials",
    "ours s",
    "trials/s",
    "plain trials",
    "plain s",
    "n_jobs of",
    "trials/s on the same",
    "plain trials/s",
    "times",
    "ours final cost",
    "plain final cost",
    "ours accuracy",
    "plain accuracy",
    "compared",
]


def peer(data: str, pruner: str, n_trials: int, n_plain: int, parallels: list[str]) -> list[str]:
    """One row: a sweep of ours, and the plain script on the first n_plain of its trials.

    Our time for those is our whole wall time (start, end and all) by their share of all training. What the plain
    script spends before and after its trials is spread over n_trials in the same way, as if it had run all.
    """
    ours = run_ours(configuration(data, pruner, n_trials))
    same = ours.trials[:n_plain]
    runs = {p: run_plain(data, pruner, [trial["params"] for trial in same], p) for p in parallels}
    parallel = min(runs, key=lambda p: runs[p][1]["optimize_seconds"])
    wall, plain = runs[parallel]
    plain_seconds = plain["optimize_seconds"] + (wall - plain["optimize_seconds"]) * len(same) / n_trials
    our_seconds = ours.seconds * ours.training_seconds(n_plain) / ours.training_seconds()
    pairs = [
        (trial, other)
        for trial, other in zip(same, plain["trials"], strict=True)
        if trial["state"] == other["state"] == "COMPLETE"
    ]
    costs, accuracies = (
        [trial["curves"][f"validation_{metric}"][-1][1] for trial, _ in pairs] for metric in ("cost", "accuracy")
    )
    return [
        f"{data}, {pruner}",
        str(n_trials),
        f"{ours.seconds:.1f}",
        f"{n_trials / ours.seconds:.2f}",
        str(len(same)),
        f"{plain_seconds:.1f}",
        parallel,
        f"{len(same) / our_seconds:.2f}",
        f"{len(same) / plain_seconds:.3f}",
        f"{plain_seconds / our_seconds:.1f}",
        f"{fmean(costs):.4f}",
        f"{fmean(other['value'] for _, other in pairs):.4f}",
        f"{fmean(accuracies):.4f}",
        f"{fmean(other['accuracy'] for _, other in pairs):.4f}",
        str(len(pairs)),
    ]


MAIN_THREAD = ("ask", "report and prune", "tell", "sync", "record", "checkpoint", "submit", "wait")
BREAKDOWN_COLUMNS = [
    "sweep",
    "wall s",
    "start s",
    "trials s",
    "end s",
    "training of wall",
    "training of trials",
    "not training",
    *(f"{name} of trials" for name in MAIN_THREAD),
    "other of trials",
    "ms an ask (processor)",
    "coordinator's cores",
    "best value",
]


def breakdown(name: str, sweep: Sweep) -> list[str]:
    """One row of shares. "start" ends with the first ask, "end" begins with the last tell; "trials" is between."""
    assert sweep.measured is not None
    at, seconds, processor, calls = (sweep.measured[key] for key in ("at", "seconds", "processor", "calls"))
    trials = at["schedule ends"] - at["schedule begins"]
    training = sweep.training_seconds() / N_WORKERS
    return [
        name,
        f"{sweep.seconds:.2f}",
        f"{at['schedule begins']:.2f}",
        f"{trials:.2f}",
        f"{sweep.seconds - at['schedule ends']:.2f}",
        f"{training / sweep.seconds:.1%}",
        f"{training / trials:.1%}",
        f"{1 - training / trials:.1%}",
        *(f"{seconds.get(part, 0.0) / trials:.1%}" for part in MAIN_THREAD),
        f"{1 - sum(seconds.get(part, 0.0) for part in MAIN_THREAD) / trials:.1%}",
        f"{1e3 * seconds['ask'] / calls['ask']:.1f} ({1e3 * processor['ask'] / calls['ask']:.1f})",
        f"{sweep.measured['cores']:.2f}",
        f"{min(trial['metrics']['value'] for trial in sweep.trials if trial['state'] == 'COMPLETE'):.4f}",
    ]


PHASE_COLUMNS = ["start and end", "seconds since the process was started"]


def phases(sweep: Sweep) -> list[list[str]]:
    """The moments of a sweep, one a row."""
    assert sweep.measured is not None
    return [[moment, f"{seconds:.2f}"] for moment, seconds in [*sweep.measured["at"].items(), ("end", sweep.seconds)]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 trials, 3 of them plain, folds in parallel only")
    parser.add_argument("--append", action="store_true", help="add the tables to RESULTS.md")
    parser.add_argument("--data", choices=list(DATA), action="append", help="default: all that are here")
    parser.add_argument("--only", choices=["peer", "breakdown", "overhead"])
    parser.add_argument("--trials", type=int, help="number of our trials; default: as the configuration ships")
    parser.add_argument("--plain", type=int, help="number of trials of the plain script")
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data_sets = [data for data in options.data or DATA if data != "cats" or CATS.exists()]
    n_trials = {data: options.trials or (10 if options.quick else N_TRIALS[data]) for data in data_sets}
    n_plain = {data: options.plain or (3 if options.quick else N_PLAIN[data]) for data in data_sets}
    parallels = ["folds"] if options.quick else ["folds", "trials"]

    def report(title: str, columns: list[str], rows: list[list[str]], other_cores: float) -> None:
        text, paragraph = results.table(columns, rows), results.conditions(other_cores)
        print(f"\n{title}: {paragraph}\n\n{text}", flush=True)
        if options.append:
            results.append(f"bench_sweep {title}{' --quick' if options.quick else ''}", paragraph, text)

    if options.only in (None, "peer"):
        with OtherLoad() as other:
            rows = []
            for data in data_sets:
                for pruner in ("none", "successive_halving"):
                    rows.append(peer(data, pruner, n_trials[data], n_plain[data], parallels))
                    print(results.table(PEER_COLUMNS, rows[-1:]), flush=True)
        report("peer", PEER_COLUMNS, rows, other.cores)
    if options.only in (None, "breakdown"):
        with OtherLoad() as other:
            sweeps = {
                d: run_ours(configuration(d, "successive_halving", n_trials[d]), is_measured=True) for d in data_sets
            }
        rows = [breakdown(f"{data}, {n_trials[data]} trials", sweep) for data, sweep in sweeps.items()]
        report("breakdown", BREAKDOWN_COLUMNS, rows, other.cores)
        print("\n" + results.table(PHASE_COLUMNS, phases(sweeps[data_sets[0]])))
    if options.only in (None, "overhead"):
        n = 60 if options.quick else 200
        with OtherLoad() as other:
            sweeps = {
                pruner: run_ours(
                    configuration("breast_cancer", pruner, n), is_measured=True, speed=speed_for(0.1, pruner)
                )
                for pruner in ("none", "successive_halving")
            }
        rows = [breakdown(f"{n} trials of 0.1 s, {pruner}", sweep) for pruner, sweep in sweeps.items()]
        report("overhead", BREAKDOWN_COLUMNS, rows, other.cores)


if __name__ == "__main__":
    main()
