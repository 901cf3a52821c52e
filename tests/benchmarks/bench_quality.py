"""Quality at equal seconds: ours beside tuned models of scikit-learn, on 21 data sets, and how soon it gets there.

    python -m tests.benchmarks.bench_quality [--seconds 30] [--sets letter cats] [--contenders ours mlp] [--seeds 1]
        [--trials N] [--ours NAME=FOLDER] [--out quality.jsonl] [--time-to] [--append]
    python -m tests.benchmarks.bench_quality --report quality.jsonl [--seconds 30] [--time-to]

Each contender is a process of its own on one core, one after another on each set, with the same rows to learn from,
the same number of seconds and one sealed test set. Ours runs as a user runs it: files and a TOML file in a folder of
its own, defaults but for the time and one worker, MLflow on SQLite; what `predict NAME@candidate` says is scored
(`predict model.h5`, the same winner, where MLflow has not got everything yet).
`--ours NAME=FOLDER` adds another checkout, such as main before a change. Outcomes are appended to `--out` one by one;
the same command leaves out what is there already.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks import quality_record as record
from tests.benchmarks import results
from tests.benchmarks.peer_tuned import MODELS, NEEDS
from tests.benchmarks.quality_data import SETS, AbsentError, DataSet, load, write
from tests.benchmarks.quality_record import Outcome
from tests.benchmarks.quality_report import report, shortest_limits
from tests.benchmarks.quality_scores import FloatArray, losses, scores
from tests.benchmarks.timing import OtherLoad

REPOSITORY = Path(__file__).parents[2]
ALL = ["ours", *MODELS]
USUAL = [name for name in ALL if name not in NEEDS]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Answer = tuple[dict[str, Any], FloatArray]
"""What a contender says of its run, and its predictions for the test rows."""


class ContenderError(Exception):
    """A contender's process failed; the message is the end of what it said."""


def ours(checkout: Path, n_trials: int | None, data: DataSet, seconds: float, seed: int) -> Answer:
    """A sweep of a checkout of ours with its defaults, and what its registered model predicts."""
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        sweep = f'[sweep]\nname = "bench"\ntimeout_seconds = {seconds:g}\nseed = {seed}\n'
        sweep += "" if n_trials is None else f"n_trials = {n_trials}\n"
        folder.joinpath("sweep.toml").write_text(f"{sweep}{write(data, folder)}[execution]\nworkers = 1\n")
        script = [sys.executable, "-P", str(REPOSITORY / "tests" / "benchmarks" / "our_sweep.py"), "sweep.toml"]
        said = json.loads(_run(script, folder, checkout).splitlines()[-1])
        if said["model"] is None:
            raise ContenderError("no trial succeeded")
        (test,) = folder.glob("test.*")
        proba = [] if data.task == "regression" else ["--proba"]
        predict = [sys.executable, "-m", "sweeps", "predict", said["model"], test.name, *proba, "--out", "said.parquet"]
        _run(predict, folder, checkout)
        table = pd.read_parquet(folder / "said.parquet")
    if data.task == "regression":
        variance = data.y_train.var()  # a trial's value is the mean squared error of standardized targets
        curve = [(second, cost * variance) for second, cost in said["curve"]]
        ensemble = None if said["ensemble"] is None else said["ensemble"] * variance
        said |= {"curve": curve, "validation": said["validation"] * variance, "ensemble": ensemble}
        return said, table["prediction"].to_numpy(dtype=np.float64)
    probabilities = table[[f"probability_{code}" for code in range(data.n_classes)]].to_numpy(dtype=np.float64)
    return said, probabilities / probabilities.sum(axis=1, keepdims=True)  # float32 rounds a sum to 1 - 1e-7


def peer(model: str, data: DataSet, seconds: float, seed: int) -> Answer:
    """A peer, tuned."""
    with tempfile.TemporaryDirectory() as directory:
        options = ["--seconds", f"{seconds:g}", "--seed", str(seed), "--predictions", "test.npy"]
        command = [sys.executable, "-m", "tests.benchmarks.peer_tuned", model, data.name, *options]
        said = json.loads(_run(command, Path(directory), REPOSITORY).splitlines()[-1])
        return said, np.load(Path(directory, "test.npy"))


def _run(command: list[str], folder: Path, checkout: Path) -> str:
    """What a process said on stdout, that ran on one core with one thread."""
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(checkout), "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, preexec_fn=_stay_on_one_core
    )
    if done.returncode != 0:
        raise ContenderError(f"{' '.join(command[1:4])} ended with {done.returncode}: {done.stderr[-600:]}")
    return done.stdout


def _stay_on_one_core() -> None:
    """The last of those that are free to us (Linux; elsewhere one thread is all there is)."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def measure(data: DataSet, contender: str, run: Callable[..., Answer], seconds: float, seed: int) -> Outcome:
    """One contender on one set: run it, score it. A failure is an outcome too."""
    outcome = Outcome(data.name, data.task, data.size, seed, contender, seconds)
    began_at, processor_before = time.perf_counter(), _processor_seconds()
    try:
        with OtherLoad() as other:
            said, predictions = run(data, seconds, seed)
    except ContenderError as error:
        return replace(outcome, error=str(error))
    known = {key: said[key] for key in ("seconds", "n_trials", "n_complete", "n_failed", "validation", "params")}
    return replace(
        outcome,
        **known,
        ensemble=said.get("ensemble"),
        curve=tuple(map(tuple, said["curve"])),
        process_seconds=time.perf_counter() - began_at,
        processor_seconds=_processor_seconds() - processor_before,
        other_cores=other.cores,
        test=scores(data, predictions),
        losses=tuple(float(f"{loss:.7g}") for loss in losses(data.y_test, predictions)),
    )


def _processor_seconds() -> float:
    """Of all processes that ended, which this one waited for, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _contenders(names: list[str], checkouts: list[str], n_trials: int | None) -> dict[str, Callable[..., Answer]]:
    absent = [name for name in names if name in NEEDS and find_spec(NEEDS[name]) is None]
    for name in absent:
        print(f"{name}: skipped, the package {NEEDS[name]} is not installed.", file=sys.stderr)
    runs: dict[str, Callable[..., Answer]] = {}
    if "ours" in names:
        runs["ours"] = partial(ours, REPOSITORY, n_trials)
    for checkout in checkouts:
        name, _, folder = checkout.partition("=")
        runs[name] = partial(ours, Path(folder).resolve(), n_trials)
    return runs | {name: partial(peer, name) for name in names if name not in ("ours", *absent)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="for each contender on each set")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS), metavar="SET", help="default: all")
    parser.add_argument(
        "--contenders", nargs="+", choices=ALL, default=USUAL, metavar="NAME", help=f"of {', '.join(ALL)}"
    )
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds: of folds, samplers and initial weights")
    parser.add_argument("--ours", action="append", default=[], metavar="NAME=FOLDER", help="another checkout, beside")
    parser.add_argument("--trials", type=int, help="at most, of ours; default: the product's")
    parser.add_argument("--out", type=Path, default=Path("quality.jsonl"), help="outcomes are appended; read first")
    parser.add_argument("--report", type=Path, metavar="FILE", help="only print the tables of a file")
    parser.add_argument(
        "--time-to",
        action="store_true",
        help="also: how soon ours has the values of others",
    )
    parser.add_argument("--append", action="store_true", help="add the tables to RESULTS.md")
    options = parser.parse_args()

    contenders = _contenders(options.contenders, options.ours, options.trials)
    path = options.report or options.out
    done = {outcome.key for outcome in record.read(path) if not outcome.error}
    cases = [] if options.report else [(name, seed) for name in options.sets for seed in range(1, options.seeds + 1)]
    for name, seed in cases:
        try:
            data = load(name)
        except AbsentError as error:
            print(f"{name}: skipped, {error}.", file=sys.stderr)
            continue
        for contender, run in contenders.items():
            if (name, seed, contender, options.seconds) in done:
                continue
            outcome = measure(data, contender, run, options.seconds, seed)
            record.append(path, outcome)
            said = outcome.error or f"{outcome.score:.4g} in {outcome.seconds:.1f} s, {outcome.n_complete} trials"
            print(f"{name}, seed {seed}, {contender}: {said}", file=sys.stderr, flush=True)
    outcomes = [outcome for outcome in record.read(path) if outcome.limit == options.seconds]
    other_cores = float(np.mean([outcome.other_cores for outcome in record.scored(outcomes)] or [np.nan]))
    text, paragraph = report(outcomes, with_time_to=options.time_to), results.conditions(other_cores)
    if options.time_to:
        text += f"\n\n{shortest_limits(record.read(path))}"
    print(f"\n{paragraph}\n\n{text}")
    if options.append:
        results.append(f"bench_quality, {options.seconds:g} s a contender and set", paragraph, text)


if __name__ == "__main__":
    main()
