"""What pruning costs and saves: the best value and the iterations of sweeps with a pruner, beside the same without.

    python -m tests.benchmarks.bench_pruning [--quick] [--append] [--seeds 10] [--trials 100] [--data breast_cancer]
                                             [--pruner median] [--jobs 2]

A pair is one seed (of split, folds, sampler and initial weights), once with the pruner and once with "none", both with
the same number of trials. Value: of the best complete trial (mean validation cost over the folds). Iterations: summed
over the trials, each up to the end of the last rung that it trained. The test is paired, on the logarithm of the value.
Nothing here depends on the clock: the sweeps run in this process (or in `--jobs` of them), MLflow left out, and give
the values that `python -m sweeps run` gives.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import optuna
from optuna.trial import TrialState
from scipy.stats import ttest_1samp, wilcoxon

from engine import TrainingData
from engine.threads import one_blas_thread
from engine.worker import run_rung
from sweeps.configuration.config import Config
from sweeps.configuration.config_file import load_config, override
from sweeps.configuration.sections import StudySection
from sweeps.data import load_data, problem_of
from sweeps.execution.serial import SerialExecutor
from sweeps.search.flight import trials_in_flight
from sweeps.search.live_study import LiveStudy
from sweeps.search.schedule import Hooks, Plan, Schedule
from sweeps.storage.stored_study import StoredStudy
from sweeps.storage.study_attributes import StudyAttributes
from sweeps.trials.rungs import Rungs
from sweeps.trials.stored_trial import best_trial
from sweeps.trials.trial import TrialResult
from tests.benchmarks import results
from tests.benchmarks.timing import OtherLoad
from tests.benchmarks.workloads import CATS

DATA = ("breast_cancer", "digits", "cats")
TARGET = 1 / 3
"""Issue 4: as good at a third of the iterations."""

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Outcome:
    """One sweep: value of its winner, iterations trained, seconds of training, trials pruned."""

    value: float
    n_iterations: int
    training_seconds: float
    n_pruned: int


class _NoCheckpoint:
    """Nothing is kept: a killed benchmark starts over."""

    def restore(self, trial: object) -> None: ...

    def update(self, trials: object) -> None: ...


def configuration(data: str, seed: int, n_trials: int | None, pruner: str) -> Config:
    """The ready-made one, with its own number of trials where n_trials is None."""
    config = override(load_config(data), sweep={"seed": seed, "n_trials": n_trials}, study={"pruner": pruner})
    if data != "cats":
        return config
    return override(config, data={"train": str(CATS), "test": str(CATS.with_name("test_catvnoncat.h5"))})


def run(config: Config) -> Outcome:
    """The sweep of a configuration, up to its best trial."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    prepared = load_data(config)
    problem, rungs = problem_of(config, prepared), Rungs(config.search.max_iterations)
    data = TrainingData.of(prepared.X, prepared.Y, prepared.held_out, np.dtype(config.execution.dtype))
    attributes = StudyAttributes(name=config.sweep.name)
    stored = StoredStudy.create(optuna.storages.InMemoryStorage(), "bench", attributes)
    ended: list[TrialResult] = []
    with one_blas_thread():
        executor = SerialExecutor()
        Schedule(
            LiveStudy(stored, config, rungs),
            executor,
            partial(run_rung, data=data),
            _NoCheckpoint(),  # type: ignore[arg-type]
            Plan(
                problem,
                rungs,
                config.sweep.n_trials,
                trials_in_flight(config, problem),
                stops_early=config.study.stops_early,
            ),
            Hooks(on_trial_end=ended.append),
        ).run()
    best = best_trial(stored.leaderboard())
    assert best is not None, "some trial has succeeded"
    return Outcome(
        value=best.value,
        n_iterations=sum(result.curve.iterations[-1] for result in ended if result.curve is not None),
        training_seconds=sum(result.training_seconds for result in ended),
        n_pruned=sum(result.trial.state == TrialState.PRUNED for result in ended),
    )


COLUMNS = [
    "data",
    "pruner",
    "seeds",
    "trials",
    "pruned",
    "best value, median",
    "without",
    "ratio (least - most)",
    "better - worse",
    "p worse (t)",
    "p worse (Wilcoxon)",
    "of the iterations",
    "of the seconds",
    "target",
]


def row(data: str, pruner: str, n_trials: int, pairs: list[tuple[Outcome, Outcome]]) -> list[str]:
    """One comparison over seeds. Ratios are geometric means of (with pruner / without)."""
    difference = np.array([np.log(pruned.value / full.value) for pruned, full in pairs])
    p_worse = ttest_1samp(difference, 0, alternative="greater").pvalue if np.ptp(difference) > 0 else 1.0
    p_rank = wilcoxon(difference, alternative="greater").pvalue if np.any(difference) else 1.0
    iterations, seconds = (
        sum(getattr(pruned, name) for pruned, _ in pairs) / sum(getattr(full, name) for _, full in pairs)
        for name in ("n_iterations", "training_seconds")
    )
    is_reached = min(p_worse, p_rank) > SIGNIFICANT and iterations <= TARGET
    return [
        data,
        pruner,
        str(len(pairs)),
        str(n_trials),
        f"{np.mean([pruned.n_pruned for pruned, _ in pairs]) / n_trials:.0%}",
        f"{np.median([pruned.value for pruned, _ in pairs]):.5f}",
        f"{np.median([full.value for _, full in pairs]):.5f}",
        f"{np.exp(difference.mean()):.3f} ({np.exp(difference.min()):.3f} - {np.exp(difference.max()):.3f})",
        f"{int((difference < 0).sum())} - {int((difference > 0).sum())}",
        f"{p_worse:.2f}",
        f"{p_rank:.2f}",
        f"{iterations:.1%}",
        f"{seconds:.1%}",
        "reached" if is_reached else "missed",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 seeds, 20 trials")
    parser.add_argument("--append", action="store_true", help="add the table to RESULTS.md")
    parser.add_argument("--seeds", type=int, help="number of pairs a data set")
    parser.add_argument("--trials", type=int, help="default: as the ready-made configuration says")
    parser.add_argument("--data", choices=DATA, action="append", help="default: all")
    parser.add_argument("--pruner", action="append", help="default: the product's")
    parser.add_argument("--jobs", type=int, default=2, help="sweeps at a time")
    options = parser.parse_args()
    n_seeds = options.seeds or (2 if options.quick else 10)
    n_trials = options.trials or (20 if options.quick else None)
    pruners = options.pruner or [StudySection().pruner]
    rows = []
    with OtherLoad() as other, ProcessPoolExecutor(options.jobs) as pool:
        for data in options.data or DATA:
            if data == "cats" and not CATS.exists():
                print(f"cats: skipped, {CATS} is not here.")
                continue
            cases = list(product([*pruners, "none"], range(1, n_seeds + 1)))
            configs = [configuration(data, seed, n_trials, pruner) for pruner, seed in cases]
            outcomes = dict(zip(cases, pool.map(run, configs), strict=True))
            for pruner in pruners:
                pairs = [(outcomes[pruner, seed], outcomes["none", seed]) for seed in range(1, n_seeds + 1)]
                rows.append(row(data, pruner, configs[0].sweep.n_trials, pairs))
                print(results.table(COLUMNS, rows[-1:]), flush=True)
    paragraph, text = results.conditions(other.cores), results.table(COLUMNS, rows)
    print(f"\n{paragraph}\n\n{text}")
    if options.append:
        results.append("bench_pruning" + (" --quick" if options.quick else ""), paragraph, text)


if __name__ == "__main__":
    main()
