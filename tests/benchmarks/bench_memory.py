"""What a nightly sweep gains from the earlier ones: on the same data, and on data that have changed.

    python -m tests.benchmarks.bench_memory [--quick] [--append] [--seeds 20] [--trials 20] [--rounds 3]
                                            [--only changed]

Same data: `python -m sweeps run` in an empty folder, and the same command again, each a process from its start to its
end, MLflow and the page included; seconds by the clock, one after the other, so that both have the same machine. The
second recalls every trial. Its value is the first's, to the bit.

Changed data: a seed draws two overlapping halves of the examples (7 in 10 each, so that about 7 in 10 of the second
are among the first). A sweep of the first gives its best configurations, `sweeps.trials.memory`, to a sweep of the
second; beside it the same sweep without. Both have the same number of trials, and value is that of the best (mean
validation cost over the folds). Ratio: geometric mean of (with memory / without); the test that it is above 1 is
paired, on the logarithm. These sweeps run in this process, without MLflow, and nothing in them depends on the clock.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import optuna
from scipy.stats import ttest_1samp, wilcoxon

from engine.threads import one_blas_thread
from engine.worker import run_rung
from experiments.dataset import load_dataset
from sweeps.configuration.config import Config
from sweeps.configuration.config_file import parse_config
from sweeps.data import load_data, problem_of, training_data
from sweeps.execution.serial import SerialExecutor
from sweeps.search.flight import trials_in_flight
from sweeps.search.live_study import LiveStudy
from sweeps.search.schedule import Hooks, Plan, Schedule
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_attributes import StudyAttributes
from sweeps.trials.memory import remembered, with_memory
from sweeps.trials.recipe import with_recipe
from sweeps.trials.rungs import Rungs
from sweeps.trials.stored_trial import StoredTrial
from tests.benchmarks import results
from tests.benchmarks.bench_pruning import _NoCheckpoint
from tests.benchmarks.timing import OtherLoad

DATA = ("breast_cancer", "diabetes")
SHARE = 0.7
SAME = ["data", "trials", "rounds", "cold, s", "again, s", "again / cold", "same value", "target (1/5)"]
CHANGED = [
    "data",
    "seeds",
    "trials",
    "with memory, median",
    "without",
    "ratio (least - most)",
    "better - equal - worse",
    "p worse (t)",
    "p worse (Wilcoxon)",
]


def config_of(file: Path, seed: int, n_trials: int) -> Config:
    """A short sweep of a file, with the product's own search and training."""
    values = {
        "sweep": {"name": "memory", "seed": seed, "n_trials": n_trials},
        "data": {"train": str(file), "folds": 3},
        "search": {"n_iterations": {"low": 100, "high": 400, "log": True}},
        "execution": {"executor": "serial"},
    }
    return parse_config(values, source="memory", directory=file.parent)


def leaderboard_of(config: Config, earlier: list[StoredTrial] | None = None) -> list[StoredTrial]:
    """The trials of a sweep, best first; begun with what an earlier one gives, where there is one."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    prepared = load_data(config)
    problem = problem_of(config, prepared)
    config = with_recipe(config, problem)
    memory = () if earlier is None else remembered([earlier], config.sweep.n_trials)
    config, _ = with_memory(config, [table.model_dump(exclude_none=True) for table in memory])
    data = training_data(prepared, config.execution.dtype, leaves_span=problem.leaves_span(config.space))
    rungs = Rungs(config.search.max_iterations)
    attributes = StudyAttributes(name=config.sweep.name, search=config.space.model_dump(mode="json"))
    stored = StoredStudy.create(optuna.storages.InMemoryStorage(), "bench", attributes)
    n_in_flight = trials_in_flight(config, problem)
    plan = Plan(problem, rungs, config.sweep.n_trials, n_in_flight, None, config.study.stops_early)
    with one_blas_thread():
        Schedule(
            LiveStudy(stored, config, rungs),
            SerialExecutor(),
            partial(run_rung, data=data),
            _NoCheckpoint(),  # type: ignore[arg-type]
            plan,
            Hooks(),
        ).run()
    return stored.leaderboard()


def changed_data(name: str, seed: int, n_trials: int) -> tuple[float, float]:
    """The best values on the second data, with memory of the first and without."""
    dataset = load_dataset(f"sklearn:{name}")
    X, y = np.concatenate([dataset.X_train, dataset.X_test]), np.concatenate([dataset.y_train, dataset.y_test])
    generator = np.random.default_rng([29, seed])
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{part}.npz") for part in ("first", "second")]
        for file in files:
            rows = generator.permutation(len(X))[: round(SHARE * len(X))]
            np.savez(file, X=X[rows], y=y[rows])
        earlier = leaderboard_of(config_of(files[0], seed, n_trials))
        config = config_of(files[1], seed, n_trials)
        values = [leaderboard_of(config, memory)[0].value for memory in (earlier, None)]
    assert None not in values
    return values[0], values[1]  # type: ignore[return-value]


def changed_row(name: str, n_seeds: int, n_trials: int) -> list[str]:
    pairs = np.array([changed_data(name, seed, n_trials) for seed in range(1, n_seeds + 1)])
    difference = np.log(pairs[:, 0] / pairs[:, 1])
    p_worse = ttest_1samp(difference, 0, alternative="greater").pvalue if np.ptp(difference) > 0 else 1.0
    p_rank = wilcoxon(difference, alternative="greater").pvalue if np.any(difference) else 1.0
    better, equal, worse = (int((sign == np.sign(difference)).sum()) for sign in (-1, 0, 1))
    return [
        name,
        str(n_seeds),
        str(n_trials),
        f"{np.median(pairs[:, 0]):.5f}",
        f"{np.median(pairs[:, 1]):.5f}",
        f"{np.exp(difference.mean()):.3f} ({np.exp(difference.min()):.3f} - {np.exp(difference.max()):.3f})",
        f"{better} - {equal} - {worse}",
        f"{p_worse:.2f}",
        f"{p_rank:.2f}",
    ]


def same_row(name: str, n_rounds: int, n_trials: int) -> list[str]:
    """A round is a cold sweep and the same command again, in a folder of its own."""
    seconds, values = [], []
    for _ in range(n_rounds):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "sweeps", "run", name, "--quiet", "--json", "--trials", str(n_trials)]
            for _ in ("cold", "again"):
                began = time.monotonic()
                done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
                seconds.append(time.monotonic() - began)
                assert done.returncode in (0, 4), done.stderr  # 4: MLflow had no time, on a machine that has none
                values.append(json.loads(done.stdout)["best"]["value"])
    cold, again = np.median(seconds[::2]), np.median(seconds[1::2])
    ratio = np.median(np.array(seconds[1::2]) / np.array(seconds[::2]))
    return [
        name,
        str(n_trials),
        str(n_rounds),
        f"{cold:.1f}",
        f"{again:.1f}",
        f"{ratio:.2f}",
        "yes" if len(set(values)) == 1 else "no",
        "reached" if ratio <= 1 / 5 else "missed",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 seeds, 1 round")
    parser.add_argument("--append", action="store_true", help="add the tables to RESULTS.md")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=20, help="of a sweep on changed data")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("changed", "same"))
    options = parser.parse_args()
    tables = []
    with OtherLoad() as other:
        if options.only != "changed":
            n_rounds = 1 if options.quick else options.rounds
            rows = [same_row(name, n_rounds, 50) for name in ("breast_cancer", "digits")]
            tables.append(results.table(SAME, rows))
        if options.only != "same":
            rows = [changed_row(name, 2 if options.quick else options.seeds, options.trials) for name in DATA]
            tables.append(results.table(CHANGED, rows))
    paragraph, text = results.conditions(other.cores), "\n\n".join(tables)
    print(f"{paragraph}\n\n{text}")
    if options.append:
        results.append("bench_memory" + (" --quick" if options.quick else ""), paragraph, text)


if __name__ == "__main__":
    main()
