"""The same sweep as one would write it today: Optuna + scikit-learn + MLflow, in one file, two trials at a time.

    python -m tests.benchmarks.plain_sweep [breast_cancer|digits|cats] [--trials 20] [--pruner none|successive_halving]
                                           [--parallel trials|folds]

Five stratified folds, full-batch gradient descent, the mean loss curve and both scores of every trial in a nested run,
the winner fitted again, scored on the test set and logged. Written with care for speed: float32, no shuffling of one
batch, one BLAS thread a trial (at two trials on two cores the default is up to 20 times slower), curves thinned to 100
points and sent in one call, requirements of the logged model not guessed. Optuna's journal, not SQLite, which gives an
enqueued trial to two threads. With a pruner folds advance
together from rung to rung with `warm_start`, as ours do.

`bench_sweep` runs it as a process of its own. `--enqueue FILE` holds the trials of another sweep (JSON list of
hyperparameters), which are then run instead of the sampler's; the last line of stdout is JSON about the run.
"""

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["PYTHONWARNINGS"] = "ignore"  # in processes of joblib: that n_iterations were made, as asked
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import h5py
import mlflow
import numpy as np
import optuna
from joblib import Parallel, delayed
from mlflow.entities import Metric
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

RUNGS = (111, 333, 999, 2997)
LEARNING_RATES = {"breast_cancer": (1e-3, 1.0), "digits": (1e-3, 1.0), "cats": (1e-3, 0.1)}
ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}


def load(name, folder):
    """X_train, X_test, y_train, y_test, and what scales them."""
    if name == "cats":
        with h5py.File(folder / "train_catvnoncat.h5") as train, h5py.File(folder / "test_catvnoncat.h5") as test:
            X_train, y_train = train["train_set_x"][()], train["train_set_y"][()]
            X_test, y_test = test["test_set_x"][()], test["test_set_y"][()]
        X_train, X_test = (X.reshape(len(X), -1).astype(np.float32) for X in (X_train, X_test))
        return X_train, X_test, y_train, y_test, FunctionTransformer(lambda X: X / 255)
    X, y = {"breast_cancer": load_breast_cancer, "digits": load_digits}[name](return_X_y=True)
    split = train_test_split(X.astype(np.float32), y, test_size=0.2, stratify=y, random_state=0)
    return *split, StandardScaler()


def suggest(trial, learning_rates):
    depth = trial.suggest_int("depth", 0, 4)
    return {
        "learning_rate": trial.suggest_float("learning_rate", *learning_rates, log=True),
        "n_iterations": trial.suggest_int("n_iterations", 100, 3000, log=True),
        "hidden_units": [trial.suggest_int(f"hidden_units_{i}", 4, 64, log=True) for i in range(1, depth + 1)],
        "activation": trial.suggest_categorical("activation", list(ACTIVATIONS)),
    }


def network(params, n_examples):
    """Full-batch gradient descent: a batch of all examples, no momentum, no penalty, no early end."""
    return MLPClassifier(
        hidden_layer_sizes=params["hidden_units"],
        activation=ACTIVATIONS[params["activation"]],
        solver="sgd",
        learning_rate_init=params["learning_rate"],
        batch_size=n_examples,
        momentum=0.0,
        nesterovs_momentum=False,
        alpha=0.0,
        tol=0.0,
        n_iter_no_change=10**9,
        shuffle=False,
        warm_start=True,
    )


def cross_validate(trial, params, X, y, scaling, n_jobs):
    """Mean validation cost and accuracy over the folds, and mean training curve; prunes between rungs."""
    folds, networks = [], []
    for train, held_out in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        scaler = clone(scaling).fit(X[train])
        folds.append((scaler.transform(X[train]), y[train], scaler.transform(X[held_out]), y[held_out]))
        networks.append(network(params, len(train)))
    is_pruning = not isinstance(trial.study.pruner, optuna.pruners.NopPruner)
    ends = [*(end for end in RUNGS if is_pruning and 1.5 * end <= params["n_iterations"]), params["n_iterations"]]
    begin = 0
    for end in ends:
        networks = Parallel(n_jobs)(
            delayed(mlp.set_params(max_iter=end - begin).fit)(fold[0], fold[1])
            for mlp, fold in zip(networks, folds, strict=True)
        )
        begin = end
        probabilities = [mlp.predict_proba(fold[2]) for mlp, fold in zip(networks, folds, strict=True)]
        cost = float(
            np.mean([log_loss(fold[3], p, labels=np.unique(y)) for p, fold in zip(probabilities, folds, strict=True)])
        )
        trial.report(cost, end)
        is_pruned = is_pruning and trial.should_prune()
        if is_pruned:
            break
    accuracy = np.mean([mlp.score(fold[2], fold[3]) for mlp, fold in zip(networks, folds, strict=True)])
    curve = np.mean([mlp.loss_curve_ for mlp in networks], axis=0)
    return cost, float(accuracy), curve, is_pruned


def log_trial(params, cost, accuracy, curve):
    mlflow.log_params({**params, "depth": len(params["hidden_units"])})
    now = int(1000 * time.time())
    points = np.unique(np.linspace(0, len(curve) - 1, 100).astype(int))
    metrics = [Metric("train_cost", float(curve[i]), now, int(i)) for i in points]
    metrics += [
        Metric("validation_cost", cost, now, len(curve)),
        Metric("validation_accuracy", accuracy, now, len(curve)),
    ]
    mlflow.MlflowClient().log_batch(mlflow.active_run().info.run_id, metrics=metrics)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default="breast_cancer", choices=list(LEARNING_RATES))
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="where the cats are")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--parallel", choices=["trials", "folds"], default="folds", help="what --jobs are")
    parser.add_argument("--pruner", choices=["none", "successive_halving"], default="none")
    parser.add_argument("--enqueue", type=Path, help="JSON: run these trials")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    X, X_test, y, y_test, scaling = load(options.data, options.folder)
    is_pruning = options.pruner == "successive_halving"
    study = optuna.create_study(
        study_name=f"{options.data}-{time.time()}",
        storage=JournalStorage(JournalFileBackend("optuna.log")),
        sampler=optuna.samplers.TPESampler(seed=1),
        pruner=optuna.pruners.SuccessiveHalvingPruner(111, 3) if is_pruning else optuna.pruners.NopPruner(),
    )
    n_trials = options.trials
    n_trial_jobs, n_fold_jobs = (options.jobs, 1) if options.parallel == "trials" else (1, options.jobs)
    if options.enqueue is not None:
        trials = json.loads(options.enqueue.read_text())
        n_trials = len(trials)
        for params in trials:
            study.enqueue_trial(params)
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment(options.data)

    with mlflow.start_run(run_name=study.study_name) as parent:
        parent_id = parent.info.run_id

        def objective(trial):
            with mlflow.start_run(run_name=f"trial-{trial.number:04d}", nested=True, parent_run_id=parent_id):
                params = suggest(trial, LEARNING_RATES[options.data])
                cost, accuracy, curve, is_pruned = cross_validate(trial, params, X, y, scaling, n_fold_jobs)
                trial.set_user_attr("accuracy", accuracy)
                trial.set_user_attr("n_iterations", len(curve))
                log_trial(params, cost, accuracy, curve)
            if is_pruned:
                raise optuna.TrialPruned
            return cost

        began_at = time.perf_counter()
        study.optimize(objective, n_trials=n_trials, n_jobs=n_trial_jobs, catch=(ValueError,))
        optimize_seconds = time.perf_counter() - began_at

        best = suggest(optuna.trial.FixedTrial(study.best_params), LEARNING_RATES[options.data])
        winner = make_pipeline(scaling, network(best, len(X)).set_params(max_iter=best["n_iterations"])).fit(X, y)
        mlflow.log_metrics({"value": study.best_value, "test_accuracy": winner.score(X_test, y_test)})
        mlflow.sklearn.log_model(
            winner, name="model", serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
        )

    json.dump(
        {
            "optimize_seconds": optimize_seconds,
            "trials": [
                {
                    "state": trial.state.name,
                    "value": trial.value,
                    "accuracy": trial.user_attrs.get("accuracy"),
                    "n_iterations": trial.user_attrs.get("n_iterations", 0),
                    "seconds": trial.duration.total_seconds(),
                }
                for trial in study.trials
            ],
        },
        sys.stdout,
    )
    print()


if __name__ == "__main__":
    main()
