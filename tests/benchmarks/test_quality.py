"""That the benchmark of quality compares equals; never who is better. Run with -m benchmark."""

import json
import math
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss, root_mean_squared_error

from experiments.dataset import load_dataset
from experiments.preparation import prepare
from tests.benchmarks import bench_quality, peer_tuned, quality_record
from tests.benchmarks.peer_models import Deadline, TimeIsOverError
from tests.benchmarks.quality_data import SETS, AbsentError, DataSet, load, write
from tests.benchmarks.quality_record import Outcome
from tests.benchmarks.quality_report import Scoreboard, geometric_mean, paired_interval, report, seconds_to
from tests.benchmarks.quality_scores import losses, scores

pytestmark = pytest.mark.benchmark
SEARCHED = ("mlp", "hgb", "linear", "constant")


def loaded(name):
    try:
        return load(name)
    except AbsentError as reason:
        pytest.skip(str(reason))


def small(task):
    """80 examples, a category and a missing number among their features."""
    X, y = make_classification(
        80,
        5,
        n_informative=4,
        n_redundant=0,
        n_classes=3 if task == "multiclass" else 2,
        n_clusters_per_class=1,
        random_state=1,
    )
    table = pd.DataFrame(X, columns=list("abcde")).assign(kind=np.where(X[:, 0] > 0, "up", "down"))
    table.loc[[3, 70], "a"] = np.nan
    target = X @ np.arange(1.0, 6) if task == "regression" else y
    first, last = table[:60], table[60:].reset_index(drop=True)
    return DataSet("small", task, first, target[:60], last, target[60:])


@pytest.mark.parametrize("name", SETS)
class TestEverySet:
    def test_is_the_same_at_every_call(self, name):
        first, second = loaded(name), loaded(name)
        for part in ("X_train", "y_train", "X_test", "y_test"):
            one, other = getattr(first, part), getattr(second, part)
            assert one.equals(other) if isinstance(one, pd.DataFrame) else np.array_equal(one, other)

    def test_has_no_test_example_among_those_to_learn_from(self, name):
        data = loaded(name)
        train, test = (
            set(pd.util.hash_pandas_object(pd.DataFrame(np.asarray(X).reshape(len(X), -1)), index=False))
            for X in (data.X_train, data.X_test)
        )
        assert not train & test

    def test_comes_through_our_readers_as_the_peers_have_it(self, name, tmp_path):
        data = loaded(name)
        names = dict(line.split(" = ") for line in write(data, tmp_path).splitlines()[1:])
        names = {key: value.strip('"') for key, value in names.items()}
        ours = load_dataset(**names, directory=tmp_path)
        assert np.array_equal(ours.y_train, data.y_train)
        assert np.array_equal(ours.y_test, data.y_test)
        assert ours.X_train.shape == data.X_train.shape
        if isinstance(data.X_train, np.ndarray):
            assert np.array_equal(ours.X_test, data.X_test)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
class TestEveryPeer:
    @pytest.mark.parametrize("name", SEARCHED)
    def test_has_finite_scores_after_two_seconds(self, name, task):
        data = small(task)
        said, predictions = peer_tuned.run(name, data, seconds=2.0, seed=1)
        assert all(math.isfinite(value) for value in scores(data, predictions).values())
        costs = [cost for _, cost in said["curve"]]
        assert costs == sorted(costs, reverse=True)
        assert said["validation"] == (costs[-1] if costs else None)
        json.dumps(said)

    @pytest.mark.parametrize("name", ["mlp", "hgb"])
    def test_drops_a_trial_and_cuts_a_final_fit_short_when_time_is_over(self, name, task):
        data = small(task)
        model = peer_tuned.MODELS[name](is_classifier=task != "regression", seed=1)
        params = model.suggest(peer_tuned.optuna.trial.FixedTrial(dict(model.first[0])))
        with pytest.raises(TimeIsOverError):
            model.fit(data.X_train, data.y_train, params, Deadline(time.perf_counter(), is_final=False))
        model.fit(data.X_train, data.y_train, params, Deadline(time.perf_counter(), is_final=True))
        assert np.isfinite(model.predict(data.X_test)).all()

    def test_is_validated_on_the_folds_of_ours(self, task, tmp_path):
        data = small(task)
        write(data, tmp_path)
        dataset = load_dataset("train.csv", test="test.csv", target="target", task=task, directory=tmp_path)
        held_out = prepare(dataset, seed=7).held_out
        for fold, (_, rows) in enumerate(peer_tuned.folds(data, seed=7)):
            assert np.array_equal(np.flatnonzero(held_out[fold]), rows)


@pytest.mark.slow
def test_ours_is_scored_by_its_registered_model_and_judged_in_the_units_of_the_target():
    data = small("regression")
    said, predictions = bench_quality.ours(bench_quality.REPOSITORY, 4, data, seconds=60, seed=1)
    found = scores(data, predictions)
    assert found["r2"] > 0
    assert said["model"] == "bench@candidate" or said["model"].endswith("model.h5")  # of a busy MLflow's winner
    assert 0.01 < said["validation"] / data.y_train.var() < 1.5
    assert said["curve"][-1][1] == said["validation"]


class TestScores:
    def test_losses_have_the_scores_as_their_means(self):
        rng = np.random.default_rng(0)
        data = small("multiclass")
        predictions = rng.dirichlet(np.ones(3), size=20)
        predictions[0] = [1, 0, 0]  # a certainty, right or wrong
        assert losses(data.y_test, predictions).mean() == pytest.approx(log_loss(data.y_test, predictions), rel=1e-9)
        data, predictions = small("regression"), rng.standard_normal(20)
        expected = root_mean_squared_error(data.y_test, predictions)
        assert np.sqrt(losses(data.y_test, predictions).mean()) == pytest.approx(expected)


def outcome(data, contender, score, task="binary", seed=1, **others):
    name = "rmse" if task == "regression" else "log_loss"
    test = {name: score, "r2": 0.0} if task == "regression" else {name: score, "roc_auc": 0.5, "accuracy": 0.5}
    example_losses = (score**2,) * 4 if task == "regression" else (score,) * 4
    known = {
        "seconds": 9.0,
        "processor_seconds": 9.0,
        "process_seconds": 9.0,
        "validation": score,
        "curve": ((5.0, score),),
    }
    return Outcome(
        data, task, "3 + 4 by 2", seed, contender, 10.0, **{**known, **others}, test=test, losses=example_losses
    )


class TestReport:
    def test_geometric_mean_by_hand(self):
        assert geometric_mean([0.5, 2.0, 8.0]) == pytest.approx(2.0)
        assert math.isnan(geometric_mean([]))

    def test_ratios_and_ranks_by_hand(self):
        board = Scoreboard(
            [
                *(outcome("a", name, score) for name, score in (("ours", 0.1), ("mlp", 0.2), ("hgb", 0.1))),
                *(outcome("b", name, score) for name, score in (("ours", 0.4), ("mlp", 0.2), ("hgb", 0.8))),
                *(outcome("c", name, score, "regression") for name, score in (("ours", 3), ("mlp", 2), ("hgb", 1))),
            ]
        )
        assert board.ratios("mlp", ["binary"]) == {"a": pytest.approx(0.5), "b": pytest.approx(2.0)}
        assert geometric_mean(board.ratios("mlp", ["binary", "regression"]).values()) == pytest.approx(1.5 ** (1 / 3))
        assert board.mean_ranks() == pytest.approx({"ours": (1.5 + 2 + 3) / 3, "mlp": 2.0, "hgb": (1.5 + 3 + 1) / 3})

    def test_the_mean_over_seeds_counts(self):
        runs = [outcome("a", "ours", score, seed=seed) for seed, score in ((1, 0.1), (2, 0.3))]
        assert Scoreboard(runs).score("a", "ours") == pytest.approx(0.2)

    def test_a_failure_of_ours_ranks_last_and_is_named(self):
        failed = Outcome("a", "binary", "3 + 4 by 2", 1, "ours", 10.0, error="no trial succeeded")
        outcomes = [failed, outcome("a", "mlp", 0.2), outcome("a", "linear", 0.3)]
        assert Scoreboard(outcomes).mean_ranks()["ours"] == 3
        text = report(outcomes, with_time_to=True)
        assert "ours on a, seed 1: no trial succeeded" in text
        assert text.count("worse") == 1
        assert report([], with_time_to=True) == "No outcome: nothing was run."

    def test_an_interval_of_equal_losses_shifted_by_one_is_that_one(self):
        other = np.random.default_rng(0).exponential(size=50)
        assert paired_interval(other + 1, other, is_squared=False) == pytest.approx((1.0, 1.0))
        low, high = paired_interval(4 * other, other, is_squared=True)
        assert low < 2 * math.sqrt(other.mean()) - math.sqrt(other.mean()) < high

    def test_the_time_to_a_target_is_that_of_the_first_value_as_good(self):
        run = outcome("a", "ours", 0.1, curve=((1.0, 0.5), (2.0, 0.2), (8.0, 0.1)))
        assert seconds_to(run, 0.2) == 2.0
        assert seconds_to(run, 0.05) is None
        mlp = outcome("a", "mlp", 0.2)
        assert "5 x" in report([run, mlp, outcome("a", "linear", 0.3)], with_time_to=True)

    def test_a_record_is_read_back_and_goes_on_after_a_line_cut_short(self, tmp_path):
        path = tmp_path / "quality.jsonl"
        first = outcome("a", "ours", 0.1, curve=((1.0, 0.5),))
        quality_record.append(path, first)
        with path.open("a") as file:
            file.write('{"data": "b", "ta')
        assert [run.score for run in quality_record.read(path)] == [0.1]
        quality_record.append(path, outcome("b", "ours", 0.2))
        assert {run.data for run in quality_record.read(path)} == {"a", "b"}
