"""The course's own pictures: what a sweep finds over many seeds, beside logistic regression and a constant.

    python -m tests.benchmarks.bench_cats [--seeds 20] [--anew 20] [--trials 40]
        [--flips measured|yes|no] [--out cats.jsonl]
    python -m tests.benchmarks.bench_cats --report cats.jsonl

"course" is the division that the course made, 209 pictures to train on and 50 to test; "anew" divides the 259 again by
each seed. What is scored is the model that is registered: the ensemble. Accuracy is also that at the training prior,
because 34 % of the training pictures and 66 % of the test pictures are cats. Outcomes are appended one by one; the same
command leaves out what is there.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from sklearn.metrics import log_loss

from sweeps import load_config, run_sweep
from tests.benchmarks import results

CATS = Path(__file__).parents[3] / "shared" / "data" / "cats"
FLIPS: dict[str, dict[str, bool]] = {"measured": {}, "yes": {"flips": True}, "no": {"flips": False}}


def divisions(n_seeds: int, n_anew: int, folder: Path) -> Iterator[tuple[str, int, Path, Path]]:
    """Kind, seed, training and test file of each sweep."""
    train, test = CATS / "train_catvnoncat.h5", CATS / "test_catvnoncat.h5"
    for seed in range(1, n_seeds + 1):
        yield "course", seed, train, test
    parts = [_read(train, "train"), _read(test, "test")]
    X, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    n_train = len(parts[0][1])
    for seed in range(1, n_anew + 1):
        order = np.random.default_rng(seed).permutation(len(y))
        files = folder / "train.h5", folder / "test.h5"
        for file, part, rows in zip(files, ("train", "test"), (order[:n_train], order[n_train:]), strict=True):
            with h5py.File(file, "w") as written:
                written[f"{part}_set_x"], written[f"{part}_set_y"] = X[rows], y[rows]
        yield "anew", seed, *files


def _read(file: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    with h5py.File(file) as read:
        return read[f"{part}_set_x"][()], read[f"{part}_set_y"][()].ravel()


def outcome(seed: int, train: Path, test: Path, n_trials: int, training: dict[str, bool]) -> dict[str, Any]:
    """Test scores of one sweep's registered model, and of the simple ones."""
    with tempfile.TemporaryDirectory() as directory:
        config = load_config(
            "cats",
            sweep={"seed": seed, "n_trials": n_trials},
            data={"train": str(train), "test": str(test)},
            training=training,
            execution={"executor": "serial"},
        )
        result = run_sweep(config, directory=Path(directory))
    assert result.winner is not None
    ensemble = result.winner.ensemble
    assert ensemble is not None
    (_, y), (X_test, y_test) = _read(train, "train"), _read(test, "test")
    probability = ensemble.model.predict_proba(X_test)[:, 1]
    scores = {score.name: score for score in ensemble.scores}
    simple = {f"{name} of {model}": value for name in scores for model, value in scores[name].baselines.items()}
    return (
        simple
        | {name: score.value for name, score in scores.items()}
        | {
            "log_loss of winner": {score.name: score.value for score in result.winner.scores}["log_loss"],
            "accuracy at the prior": float(((probability >= y.mean()) == y_test).mean()),
            "log_loss of the mean training label": float(
                log_loss(y_test, np.full(len(y_test), y.mean()), labels=[0, 1])
            ),
            "out of fold": ensemble.out_of_fold,
            "seconds": result.elapsed_seconds,
        }
    )


def report(frame: pd.DataFrame) -> str:
    """Medians and ranges of each kind, and in how many sweeps the registered model is ahead."""
    names = ("log_loss", "roc_auc", "accuracy")
    rows = []
    for kind, found in frame.groupby("kind"):
        for name in names:
            sign = -1 if name == "log_loss" else 1
            simple = [f"{name} of {model}" for model in ("logistic regression", "constant")]
            ahead = [f"{(sign * found[name] > sign * found[other]).sum()} of {len(found)}" for other in simple]
            rows.append([f"{kind}, {name}", *(_spread(found[key]) for key in (name, *simple)), *ahead])
        for name in ("accuracy at the prior", "log_loss of winner", "seconds"):
            rows.append([f"{kind}, {name}", _spread(found[name]), "", "", "", ""])
    head = ["", "registered model", "logistic regression", "constant", "ahead of the former", "ahead of the latter"]
    return results.table(head, rows)


def _spread(values: "pd.Series[float]") -> str:
    return f"{values.median():.3g} ({values.min():.3g} to {values.max():.3g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="of the course's division")
    parser.add_argument("--anew", type=int, default=20, help="divisions of all pictures")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--flips", choices=list(FLIPS), default="measured", help="whether mirror images are trained on")
    parser.add_argument("--out", type=Path, default=Path("cats.jsonl"))
    parser.add_argument("--report", type=Path, metavar="FILE", help="only print what a file says")
    options = parser.parse_args()
    path = options.report or options.out
    done = pd.read_json(path, lines=True) if path.exists() else pd.DataFrame(columns=["kind", "seed", "flips"])
    known = set(done[["kind", "seed", "flips"]].itertuples(index=False, name=None))
    with tempfile.TemporaryDirectory() as folder:
        cases = [] if options.report else divisions(options.seeds, options.anew, Path(folder))
        for kind, seed, train, test in cases:
            if (kind, seed, options.flips) in known:
                continue
            found = outcome(seed, train, test, options.trials, FLIPS[options.flips])
            with path.open("a") as out:
                out.write(json.dumps({"kind": kind, "seed": seed, "flips": options.flips} | found) + "\n")
    print(report(pd.read_json(path, lines=True).query("flips == @options.flips")))


if __name__ == "__main__":
    main()
