"""What each scaling of the inputs is worth: the same networks, the same iterations, another scaling.

    python -m tests.benchmarks.bench_scalings [--sets letter cats] [--seeds 3] [--out scalings.jsonl]
    python -m tests.benchmarks.bench_scalings --report scalings.jsonl

On each set of `bench_quality` and for each seed (of folds and initial weights) the same few configurations are trained
with each scaling in turn. What is scored on the sealed test set is the ensemble that a sweep would make of their fold
models. All of it is a function of the seed: no clock decides, so a busy machine changes nothing.
"""

import argparse
import json
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine import Architecture, Hyperparameters, Member, TrainingData, advance, finish, start
from engine.heads import HEADS
from engine.worker import initial_parameters
from experiments.dataset import load_dataset
from experiments.ensemble import select_ensemble
from experiments.model import Model
from experiments.preparation import PreparedData, prepare
from experiments.scaling import Scaling
from tests.benchmarks.quality_data import load, write

TABLES = ["phoneme", "magic", "diamonds", "white_wine", "letter", "protein", "boston", "vehicle"]
IMAGES = ["shapes", "mnist_few", "cats"]
SCALINGS: dict[str, tuple[Scaling, ...]] = {
    "table": ("standardize", "robust", "quantile"),
    "images": ("unit", "standardize", "channels"),
}
N_ITERATIONS = 1000
RECORD_AT = range(0, N_ITERATIONS + 1, 50)


def configurations(architecture: Architecture, seed: int, *, is_wide: bool) -> list[Hyperparameters]:
    """As `recipe = "auto"` trains them, over the range of learning rates."""

    def of(units: tuple[int, ...]) -> Architecture:
        return replace(architecture, hidden_units=units)

    if is_wide:
        rates = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
        return [Hyperparameters(of(units), rate) for units in ((), (20, 7)) for rate in rates]
    adamw = {"optimizer": "adamw", "minibatch_size": 128, "is_averaged": True, "seed": (seed,)}
    return [
        Hyperparameters(of(units), rate, **adamw)  # type: ignore[arg-type]
        for units in ((32,), (128, 64))
        for rate in (0.002, 0.01)
    ]


def score(prepared: PreparedData, data: TrainingData, seed: int) -> tuple[float, float]:
    """Cost out of fold and on the test set (log-loss, or RMSE in original units) of the ensemble."""
    task = prepared.dataset.task
    common = [
        (own.scale / prepared.target_scaling.scale, (own.offset - prepared.target_scaling.offset))
        for own in prepared.target_scalings
    ]
    base = Architecture(data.n_features, (), data.n_outputs, "relu", task)
    outputs, members = [], []
    for hyperparameters in configurations(base, seed, is_wide=data.n_features > data.n_examples):
        form, architecture = hyperparameters.form_of(data), hyperparameters.architecture
        initial = initial_parameters(architecture, (seed,), data.dtype)
        state, curve = advance(start(initial, form, architecture), form, hyperparameters, N_ITERATIONS, RECORD_AT)
        if curve.diverged_at is not None or state.best is None:
            continue
        parameters = finish(state.at_its_best, initial, form, architecture)
        A = HEADS[task].outputs(state.best.logits).astype(np.float64)
        said = np.zeros(prepared.Y.shape)
        for of_fold, W, b, columns, (factor, shift) in zip(
            A, parameters.W[-1], parameters.b[-1], form.validation_columns, common, strict=True
        ):
            shift = shift / prepared.target_scaling.scale
            W[...], b[...] = factor * W, factor * b + shift
            said[:, columns] = factor * of_fold + shift
        outputs.append(said)
        members.append((architecture, parameters))
    chosen = select_ensemble(np.stack(outputs), prepared.Y, task, 8)
    model = Model.ensemble(prepared, [Member(*members[one.candidate], one.weight) for one in chosen.members], "bench")
    answers, y = model.outputs_of_raw(prepared.dataset.X_test), prepared.dataset.y_test
    if task == "regression":
        return chosen.steps[-1].cost, float(np.sqrt(np.square(answers[0] - y).mean()))
    probabilities = answers if len(answers) > 1 else np.vstack([1 - answers, answers])
    of_true_class = probabilities[y, np.arange(len(y))]
    return chosen.steps[-1].cost, float(-np.log(np.maximum(of_true_class, 1e-7)).mean())


def measure(name: str, seed: int, out: Path) -> None:
    """Append a line for each scaling of one set."""
    data_set = load(name)
    with tempfile.TemporaryDirectory() as directory:
        section = write(data_set, Path(directory))
        said = dict(line.split(" = ") for line in section.splitlines() if " = " in line)
        options = {key: json.loads(said[key]) for key in ("test", "target", "task") if key in said}
        dataset = load_dataset(json.loads(said["train"]), directory=Path(directory), **options)
    for scaling in SCALINGS["images" if name in IMAGES else "table"]:
        prepared = prepare(dataset, scaling=scaling, seed=seed, scales_folds=True)
        if prepared.folds:
            own = map(prepared.of_fold, range(len(prepared.folds)))
            data = TrainingData.of_networks(own, prepared.held_out, np.float32)
        else:
            data = TrainingData.of(prepared.X, prepared.Y, prepared.held_out, np.float32)
        out_of_fold, test = score(prepared, data, seed)
        line = {"set": name, "seed": seed, "scaling": scaling, "out_of_fold": out_of_fold, "test": test}
        with out.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)


def report(out: Path) -> str:
    """A row a set: the mean over the seeds of each scaling's test cost, as a ratio to the first's."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for text in out.read_text().splitlines():
        line = json.loads(text)
        found[line["set"]][line["scaling"]].append(line["test"])
    rows = []
    for name, scalings in found.items():
        first = np.array(next(iter(scalings.values())))
        cells = [
            f"{scaling} {np.exp(np.log(np.array(costs) / first).mean()):.3f}" for scaling, costs in scalings.items()
        ]
        rows.append(f"{name:12} {first.mean():9.4g}  " + "  ".join(cells))
    return "\n".join(rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=TABLES + IMAGES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("scalings.jsonl"))
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    if options.report is None:
        for seed in range(1, options.seeds + 1):
            for name in options.sets:
                measure(name, seed, options.out)
    print(report(options.report or options.out))


if __name__ == "__main__":
    main()
